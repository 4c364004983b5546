import type { ColumnSpec, Dataset } from '@edrlake/core';
import { childTablesOf, eventsTableOf } from './dataset-tables.ts';

/**
 * What a delivered field is for: `value` feeds columns through their type; `json` is taken whole by a JSON column;
 * `array` becomes child rows; `leftover` is documented but has no column.
 */
export type FieldUse = 'value' | 'json' | 'array' | 'leftover';

/** A delivered field that is read as one value, also where it is an object or an array. */
export interface SourceField {
  readonly kind: 'field';
  readonly name: string;
  readonly path: string;
  readonly use: FieldUse;
  /** The column that takes a `value`, or null for the other uses. The first one where several do. */
  readonly column: ColumnSpec | null;
}

/** A delivered object whose members are known one by one. */
export interface SourceSection {
  readonly kind: 'section';
  readonly name: string;
  /** Dotted path, empty for the record (or the array's element) itself. */
  readonly path: string;
  readonly members: readonly (SourceField | SourceSection)[];
}

/** Every field of a record that the dataset knows, once, nested as delivered, in the order of its tables. */
export function recordTreeOf(dataset: Dataset): SourceSection {
  const { columns } = eventsTableOf(dataset);
  const whole = columns.filter((column) => column.type === 'json').flatMap((column) => column.paths);
  const inside = (path: string) => whole.some((section) => path.startsWith(`${section}.`));
  const values = columns.flatMap((column) =>
    column.type === 'json'
      ? column.paths.map((path) => otherField(path, 'json'))
      : column.paths.filter((path) => !inside(path)).map((path) => valueField(path, column)),
  );
  const arrays = childTablesOf(dataset)
    .flatMap((table) => table.arrays ?? [])
    .map((path) => otherField(path, 'array'));
  const leftovers = dataset.leftovers.map((path) => otherField(path, 'leftover'));
  return treeOf([...values, ...arrays, ...leftovers]);
}

/** The fields of one element of a child table's arrays: a flat section. */
export function elementTree(columns: readonly ColumnSpec[]): SourceSection {
  return treeOf(
    columns.flatMap((column) =>
      column.paths.map((path) => (column.type === 'json' ? otherField(path, 'json') : valueField(path, column))),
    ),
  );
}

/** The section and all sections below it, outermost first. */
export function sectionsOf(root: SourceSection): readonly SourceSection[] {
  return [root, ...root.members.flatMap((member) => (member.kind === 'section' ? sectionsOf(member) : []))];
}

/** All fields below a section, in tree order. */
export function fieldsOf(root: SourceSection): readonly SourceField[] {
  return root.members.flatMap((member) => (member.kind === 'section' ? fieldsOf(member) : [member]));
}

function valueField(path: string, column: ColumnSpec): SourceField {
  return { kind: 'field', name: lastName(path), path, use: 'value', column };
}

function otherField(path: string, use: FieldUse): SourceField {
  return { kind: 'field', name: lastName(path), path, use, column: null };
}

function lastName(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

/** Nests fields by their paths; a path named twice keeps its first field. */
function treeOf(fields: readonly SourceField[], path = ''): SourceSection {
  const prefix = path === '' ? '' : `${path}.`;
  const members = new Map<string, SourceField | SourceSection>();
  for (const field of fields) {
    const rest = field.path.slice(prefix.length);
    const dot = rest.indexOf('.');
    const name = dot < 0 ? rest : rest.slice(0, dot);
    if (members.has(name)) continue;
    const below = fields.filter((other) => other.path.startsWith(`${prefix}${name}.`));
    members.set(name, dot < 0 ? field : treeOf(below, `${prefix}${name}`));
  }
  return { kind: 'section', name: lastName(path), path, members: [...members.values()] };
}
