import type { TableSpec } from '@edrlake/core';
import { wordsText } from '../args/flags/flag-kinds.ts';
import { QUERY_FORMATS } from '../args/options.ts';

/** What the lake has beside the tables of its dataset. */
const DERIVED = ['coverage', 'coverage_spans', 'windows', 'commits', 'process_edges', 'lake_info'];

/** What a statement is mostly made of. */
const KEYWORDS = [
  ...['select', 'from', 'where', 'group by', 'order by', 'having', 'limit', 'join', 'left join', 'using', 'distinct'],
  ...['count(*)', 'with', 'union all', 'between', 'is not null', 'describe', 'summarize'],
];

/** Commands of the shell, with what they do. */
export const DOT_COMMANDS: readonly (readonly [string, string])[] = [
  ['.tables', 'what can be queried'],
  ['.schema TABLE', 'columns of a table, and what they mean'],
  ['.coverage', 'which days are proven'],
  ['.format NAME', `form of results: ${wordsText(QUERY_FORMATS.slice(0, 4))}`],
  ['.help', 'this list'],
  ['.quit', 'leave, as Ctrl-D does'],
];

/** Without what follows them. */
export const DOT_WORDS: readonly string[] = DOT_COMMANDS.map(([usage]) => usage.split(' ')[0] ?? '');

/**
 * What Tab offers at the end of a line: dot commands, after `.schema` tables, else the columns of the tables that the
 * line names (of all where it names none), tables and keywords. Case does not matter.
 * @returns what fits, and the part of the line that it replaces; as `node:readline` takes it
 */
export function completionsOf(line: string, tables: readonly TableSpec[]): [string[], string] {
  const names = [...tables.flatMap(({ name, partitionBy }) => withProven(name, partitionBy)), ...DERIVED];
  if (/^\s*\.\w*$/.test(line)) return matching(line.trim(), DOT_WORDS);
  const typed = /[\w."]*$/.exec(line)?.[0] ?? '';
  if (/^\s*\.schema\s/.test(line)) return matching(typed, names);
  const word = typed.slice(typed.lastIndexOf('.') + 1);
  const before = line.slice(0, line.length - typed.length).toLowerCase();
  const named = tables.filter(({ name }) => new RegExp(`\\b${name}\\b`).test(before));
  const columns = (named.length > 0 ? named : tables).flatMap((table) => table.columns.map(({ name }) => name));
  // After FROM or JOIN only a table makes sense.
  if (/\b(from|join)\s+$/.test(before)) return matching(word, names);
  return matching(word, typed.includes('.') ? columns : [...columns, ...names, ...KEYWORDS]);
}

function withProven(name: string, partitionBy: TableSpec['partitionBy']): string[] {
  return partitionBy === 'event_date' ? [name, `${name}_proven`] : [name];
}

function matching(word: string, candidates: readonly string[]): [string[], string] {
  const fits = new Set(candidates.filter((each) => each.startsWith(word.toLowerCase())));
  return [[...fits].sort(), word];
}
