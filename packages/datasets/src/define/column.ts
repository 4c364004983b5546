import { type ColumnRule, type ColumnSpec, type ColumnType, EdrlakeError, type Observable } from '@edrlake/core';

/** What a column may say beyond its paths. */
export interface ColumnDetails {
  readonly rule?: ColumnRule;
  /** Only for the rule `file-path`. */
  readonly parts?: NonNullable<ColumnSpec['parts']>;
  readonly unit?: string;
  readonly observable?: Observable;
}

/**
 * A column filled from delivered fields. `paths` are dotted and separated by spaces, the preferred one first; those of
 * a child table start at the element of the array.
 * @throws {EdrlakeError} `CONFIG_INVALID` for one that is no text
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
  if (typeof name !== 'string' || typeof paths !== 'string' || typeof meaning !== 'string') {
    throw new EdrlakeError('CONFIG_INVALID', `the column ${JSON.stringify(name)} needs a name, paths and a meaning`, {
      hint: "For example: field('host_name', 'text', 'asset.hostName', 'name of the host').",
    });
  }
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
