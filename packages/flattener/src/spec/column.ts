import type { ColumnRule, ColumnSpec, ColumnType } from '@edrlake/core';

/** A column filled from delivered fields. `paths` are separated by spaces, the preferred one first. */
export function field(
  name: string,
  type: ColumnType,
  paths: string,
  meaning: string,
  more: { readonly rule?: ColumnRule; readonly unit?: string } = {},
): ColumnSpec {
  return { name, type, paths: paths.split(' '), meaning, ...more };
}

/** A column that flattening itself fills: it has no path of its own. */
export function derived(name: string, type: ColumnType, meaning: string): ColumnSpec {
  return { name, type, paths: [], meaning };
}

/** The fields that a column with the rule `file-path` is composed of when its own holds no whole path: dotted paths. */
export function filePathParts({ paths }: ColumnSpec): { readonly directory: string; readonly name: string } {
  const section = paths[0]?.replace(/[^.]*$/, '') ?? '';
  return { directory: `${section}path`, name: `${section}fileName` };
}
