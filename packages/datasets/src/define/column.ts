import type { ColumnRule, ColumnSpec, ColumnType } from '@edrlake/core';

/** What a column may say beyond its paths. */
export interface ColumnDetails {
  readonly rule?: ColumnRule;
  /** Only for the rule `file-path`. */
  readonly parts?: NonNullable<ColumnSpec['parts']>;
  readonly unit?: string;
}

/**
 * A column filled from delivered fields. `paths` are dotted and separated by spaces, the preferred one first; those of
 * a child table start at the element of the array.
 * @example
 * const hostName = field('host_name', 'text', 'asset.hostName asset.name', 'name of the host');
 */
export function field(
  name: string,
  type: ColumnType,
  paths: string,
  meaning: string,
  details: ColumnDetails = {},
): ColumnSpec {
  return { name, type, paths: paths.split(' '), meaning, ...details };
}

/**
 * A column of a child table with the value that its event has under the same name.
 * @example
 * const hostName = fromEvent('host_name', 'text', 'name of the host');
 */
export function fromEvent(name: string, type: ColumnType, meaning: string): ColumnSpec {
  return derived(name, type, meaning);
}

/** A column that flattening itself fills: it has no path of its own. */
export function derived(name: string, type: ColumnType, meaning: string): ColumnSpec {
  return { name, type, paths: [], meaning };
}
