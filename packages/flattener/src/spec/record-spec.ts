import type { Dataset, RecordShape, TableSpec } from '@edrlake/core';
import { childTablesOf, eventsTableOf } from './dataset-tables.ts';
import { shapeOf } from './record-shape.ts';
import { recordTreeOf, type SourceSection, sectionsOf } from './source-tree.ts';

/** What follows from a dataset, for both executors. */
export interface RecordSpec {
  readonly dataset: Dataset;
  readonly events: TableSpec;
  readonly children: readonly TableSpec[];
  readonly tree: SourceSection;
  /** The record and all known sections in it, outermost first. */
  readonly sections: readonly SourceSection[];
  /** Records that fit are flattened by `conformingEventsSql`, all others by `eventsSql`. */
  readonly shape: RecordShape;
}

/** A dataset is plain data that never changes: what follows from it is worked out once. */
const known = new WeakMap<Dataset, RecordSpec>();

/** What follows from a dataset. */
export function recordSpecOf(dataset: Dataset): RecordSpec {
  const before = known.get(dataset);
  if (before !== undefined) return before;
  const tree = recordTreeOf(dataset);
  const spec: RecordSpec = {
    dataset,
    events: eventsTableOf(dataset),
    children: childTablesOf(dataset),
    tree,
    sections: sectionsOf(tree),
    shape: shapeOf(dataset, tree),
  };
  known.set(dataset, spec);
  return spec;
}

/** The shape of a dataset's records, for the page scan. */
export function recordShapeOf(dataset: Dataset): RecordShape {
  return recordSpecOf(dataset).shape;
}
