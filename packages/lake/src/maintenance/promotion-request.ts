import { type ColumnType, didYouMean, EdrlakeError, partitionNames, type TableSpec } from '@edrlake/core';
import { pathText } from '../log/live-tables.ts';
import { type PromotedColumn, promotedColumns } from '../promoted/place-values.ts';
import { OWN_MEMBER } from './merge-details.ts';

/** Which values become a column. */
export interface PromoteRequest {
  /** A path in `extra`, as `edrlake drift` shows it: `file.newThing`, and `file."a.b"` for names with a dot. */
  readonly path: string;
  /** `events` unless given. */
  readonly table?: string;
  /** Name of the column; made of the path unless given. */
  readonly as?: string;
  /** Its type; that of all values so far unless given. */
  readonly type?: ColumnType;
}

/** What may not be the name of a column: names that statements over the files and the staged rows use themselves. */
const RESERVED = new Set(['filename', 'file_row_number', 'file_index', 'id_hash', 'content_hash', 'place']);

/** The tables whose rows have an `extra`. */
function tablesWithExtra(tables: readonly TableSpec[]): readonly TableSpec[] {
  return tables.filter(({ columns }) => columns.some(({ name }) => name === 'extra'));
}

/** The table that a request is about. @throws {EdrlakeError} `USAGE` for one without `extra` */
export function tableWanted(tables: readonly TableSpec[], name = 'events'): TableSpec {
  const having = tablesWithExtra(tables);
  const found = having.find((table) => table.name === name);
  if (found !== undefined) return found;
  const names = having.map((table) => table.name);
  const near = didYouMean(name, names);
  throw new EdrlakeError('USAGE', `there is no table ${name} with a column extra`, {
    hint: near === null ? `These have one: ${names.join(', ')}.` : `Did you mean ${near}?`,
  });
}

/** The names of a path. @throws {EdrlakeError} `USAGE` for what is no path */
export function parsePath(text: string): readonly string[] {
  const names: string[] = [];
  const pattern = /(?:"((?:[^"\\]|\\.)+)"|([^."[\]\s]+))(\.|$)/y;
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (match === null) throw noPath(text);
    const [, quoted, plain = '', end] = match;
    names.push(quoted === undefined ? plain : unquoted(quoted, text));
    if (end === '.' && pattern.lastIndex === text.length) throw noPath(text);
  }
  if (names.length === 0) throw noPath(text);
  if (names[0] === OWN_MEMBER) {
    throw new EdrlakeError('USAGE', `${OWN_MEMBER} in extra is what edrlake notes of an event, and stays there`, {
      hint: "Read it in SQL, such as extra->>'$.edrlake.detailsAt'.",
    });
  }
  return names;
}

function unquoted(quoted: string, text: string): string {
  try {
    return JSON.parse(`"${quoted}"`) as string;
  } catch {
    throw noPath(text);
  }
}

function noPath(text: string): EdrlakeError {
  return new EdrlakeError('USAGE', `expected a path in extra such as file.newThing, found ${JSON.stringify(text)}`, {
    hint: 'edrlake drift shows every path; names with a dot are quoted: file."a.b". Members of arrays have no path.',
  });
}

/**
 * The column that already takes what a request asks for; null where none does.
 * @throws {EdrlakeError} `USAGE` where the path is taken in another way
 */
export function promotedAlready(
  table: TableSpec,
  path: readonly string[],
  { as, type }: Pick<PromoteRequest, 'as' | 'type'>,
): PromotedColumn | null {
  for (const column of promotedColumns(table)) {
    const other = column.promoted.path;
    const shared = Math.min(path.length, other.length);
    if (path.slice(0, shared).some((name, at) => name !== other[at])) continue;
    const isSame = path.length === other.length;
    if (isSame && (as ?? column.name) === column.name && (type ?? column.type) === column.type) return column;
    const what = isSame ? 'is' : `is inside ${path.length > other.length ? '' : 'or around '}what is`;
    throw new EdrlakeError(
      'USAGE',
      `${pathText(path)} of ${table.name} ${what} promoted already, as ${column.name} (${column.type})`,
      { hint: `To promote it in another way, first run: edrlake demote ${column.name}` },
    );
  }
  return null;
}

/**
 * The name of the new column.
 * @param place where the lake is: a folder `site=berlin` on the way takes the name `site`
 * @throws {EdrlakeError} `USAGE` for one that is taken, or cannot be one
 */
export function columnNameFor(table: TableSpec, path: readonly string[], place: string, as?: string): string {
  const name = as ?? nameOf(path);
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) {
    throw new EdrlakeError('USAGE', `expected a column name of lower-case letters, digits and _, found ${name}`, {
      hint: 'It begins with a letter and has at most 63 characters. Choose one with --as.',
    });
  }
  if (RESERVED.has(name) || name.startsWith('lake_')) {
    throw new EdrlakeError('USAGE', `a column cannot be named ${name}, which edrlake uses itself`, {
      hint: 'Choose another name with --as.',
    });
  }
  if (partitionNames(place).has(name)) {
    throw new EdrlakeError('USAGE', `a column cannot be named ${name} below a folder ${name}=…: ${place}`, {
      hint: 'Readers would show the name of the folder in every row. Choose another name with --as.',
    });
  }
  if (table.columns.some((column) => column.name === name)) {
    throw new EdrlakeError('USAGE', `${table.name} already has a column ${name}`, {
      hint: `Choose another name with --as, such as extra_${name}.`,
    });
  }
  return name;
}

/** `file_new_thing` of `file.newThing`. */
function nameOf(path: readonly string[]): string {
  return path
    .map((name) => name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2'))
    .join('_')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
}
