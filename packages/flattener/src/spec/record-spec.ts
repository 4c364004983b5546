import type { ColumnSpec, Dataset, RecordShape, ShapeKind, ShapeMember, ShapeValue, TableSpec } from '@edrlake/core';
import { childTablesOf, eventsTableOf } from './dataset-tables.ts';
import { elementTree, recordTreeOf, type SourceField, type SourceSection, sectionsOf } from './source-tree.ts';

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

/** The records that the dataset knows. @param tree of its records */
function shapeOf(dataset: Dataset, tree: SourceSection): RecordShape {
  return { members: membersOf(tree, dataset), required: ['event_id', 'event_time'] };
}

function membersOf(section: SourceSection, dataset: Dataset): readonly ShapeMember[] {
  return section.members.map((member) => {
    const { name } = member;
    if (member.kind === 'section') return { name, kind: 'section', members: membersOf(member, dataset) };
    return member.use === 'array' ? listOf(member, dataset) : valueMember(member, dataset);
  });
}

function listOf({ name, path }: SourceField, dataset: Dataset): ShapeMember {
  const table = childTablesOf(dataset).find(({ arrays }) => arrays?.includes(path));
  return { name, kind: 'list', members: membersOf(elementTree(table?.columns ?? []), dataset) };
}

function valueMember({ name, path, use, column }: SourceField, dataset: Dataset): ShapeValue {
  const kind =
    use === 'value' && column !== null ? kindOf(column, path, dataset) : use === 'json' ? 'json' : 'leftover';
  return { name, kind, column: column?.name ?? null };
}

function kindOf({ type, rule }: ColumnSpec, path: string, dataset: Dataset): ShapeKind {
  if (rule === 'path' || rule === 'file-path') return 'path';
  // What is appended to a directory.
  if (eventsTableOf(dataset).columns.some(({ parts }) => parts?.name === path)) return 'file-name';
  // No column of a date or of JSON is fed by a value.
  return type === 'date' || type === 'json' ? 'text' : type;
}
