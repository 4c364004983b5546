import { type FilterField, quoteName, quoteText, type WindowFilter, type WindowProof } from '@edrlake/core';

/** The columns of the events table that hold the fields of window filters. */
const COLUMN_OF: Readonly<Record<FilterField, string>> = { type: 'event_type', agent: 'agent_id' };

/** The columns that the conditions of `windowFiltersSql` use. */
export const FILTER_COLUMNS: readonly string[] = Object.values(COLUMN_OF);

/** DuckDB SQL that is true for the events that pass the filters. An event without the field passes every `not-in`. */
export function windowFiltersSql(cuts: readonly WindowFilter[]): string {
  return cuts.length === 0 ? 'true' : cuts.map(filterSql).join(' AND ');
}

function filterSql({ field, op, values }: WindowFilter): string {
  const column = quoteName(COLUMN_OF[field]);
  const list = values.map(quoteText).join(', ');
  if (list === '') return op === 'in' ? 'false' : 'true';
  const isIn = `coalesce(${column} IN (${list}), false)`;
  return op === 'in' ? isIn : `NOT ${isIn}`;
}

/** Whether no event can pass both lists. May be false where only several filters together exclude each other. */
export function areDisjoint(a: readonly WindowFilter[], b: readonly WindowFilter[]): boolean {
  return a.some((one) => b.some((other) => one.field === other.field && exclude(one, other)));
}

function exclude(a: WindowFilter, b: WindowFilter): boolean {
  if (a.op === 'in' && b.op === 'in') return a.values.every((value) => !b.values.includes(value));
  if (a.op === 'in') return a.values.every((value) => b.values.includes(value));
  return b.op === 'in' && exclude(b, a);
}

/**
 * One value of each field, representing all events that pass the same filters; null for all values that no filter
 * names.
 */
export interface FilterAtom {
  readonly type: string | null;
  readonly agent: string | null;
}

/**
 * The finest parts into which the filters of some windows divide events: every combination of a named value (or none)
 * of each field. Each part is wholly inside or wholly outside each window.
 */
export function filterAtoms(windows: readonly { readonly cuts: readonly WindowFilter[] }[]): FilterAtom[] {
  const named = { type: new Set<string>(), agent: new Set<string>() };
  for (const { cuts } of windows)
    for (const { field, values } of cuts) for (const value of values) named[field].add(value);
  const agents = [null, ...named.agent];
  return [null, ...named.type].flatMap((type) => agents.map((agent) => ({ type, agent })));
}

/** Whether events of the part pass the filters. */
export function holdsAtom(cuts: readonly WindowFilter[], atom: FilterAtom): boolean {
  return cuts.every(({ field, op, values }) => {
    const value = atom[field];
    return (value !== null && values.includes(value)) === (op === 'in');
  });
}

/** Whether two scopes ask for the same events. */
export function sameScope(a: WindowProof['window']['scope'], b: WindowProof['window']['scope']): boolean {
  return a.filter === b.filter && a.state === b.state;
}
