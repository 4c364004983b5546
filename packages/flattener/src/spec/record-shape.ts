import type { ColumnSpec, Dataset, RecordShape, ShapeKind, ShapeMember, ShapeValue } from '@edrlake/core';
import { childTablesOf, eventsTableOf } from './dataset-tables.ts';
import { elementTree, type SourceField, type SourceSection } from './source-tree.ts';

/** The records that the dataset knows. @param tree of its records */
export function shapeOf(dataset: Dataset, tree: SourceSection): RecordShape {
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
