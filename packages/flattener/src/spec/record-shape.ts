import type { ColumnSpec, RecordShape, ShapeKind, ShapeMember, ShapeValue } from '@edrlake/core';
import { filePathParts } from './column.ts';
import { EVENTS } from './events-table.ts';
import { CHILD_TABLES } from './lake-tables.ts';
import { elementTree, RECORD_TREE, type SourceField, type SourceSection } from './source-tree.ts';

/** Dotted paths of the names that are appended to directories. */
const FILE_NAMES: ReadonlySet<string> = new Set(
  EVENTS.columns.flatMap((column) => (column.rule === 'file-path' ? filePathParts(column).name : [])),
);

/**
 * The records the table spec knows. Those that fit are flattened by `conformingEventsSql`, all others by `eventsSql`.
 */
export const RECORD_SHAPE: RecordShape = {
  members: membersOf(RECORD_TREE),
  required: ['event_id', 'event_time'],
};

function membersOf(section: SourceSection): readonly ShapeMember[] {
  return section.members.map((member) => {
    const { name } = member;
    if (member.kind === 'section') return { name, kind: 'section', members: membersOf(member) };
    return member.use === 'array' ? listOf(member) : valueMember(member);
  });
}

function listOf({ name, path }: SourceField): ShapeMember {
  const table = CHILD_TABLES.find(({ arrays }) => arrays?.includes(path));
  return { name, kind: 'list', members: membersOf(elementTree(table?.columns ?? [])) };
}

function valueMember({ name, path, use, column }: SourceField): ShapeValue {
  const kind = use === 'value' && column !== null ? kindOf(column, path) : use === 'json' ? 'json' : 'leftover';
  return { name, kind, column: column?.name ?? null };
}

function kindOf({ type, rule }: ColumnSpec, path: string): ShapeKind {
  if (rule === 'path' || rule === 'file-path') return 'path';
  if (FILE_NAMES.has(path)) return 'file-name';
  // No column of a date or of JSON is fed by a value.
  return type === 'date' || type === 'json' ? 'text' : type;
}
