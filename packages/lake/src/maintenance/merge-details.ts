import type { Cell, ColumnSpec, TableSpec } from '@edrlake/core';
import { pathText } from '../log/live-tables.ts';
import { jsonMembers, valueTextAt, withPath } from '../promoted/extra-text.ts';
import { jsonTextOf } from '../promoted/promoted-value.ts';

/** A row by column. */
export type CellRow = Readonly<Record<string, Cell>>;

/** Where in `extra` edrlake notes what it did to an event itself. */
export const OWN_MEMBER = 'edrlake';

/** When the details of an event were fetched, in its `extra`. */
export const DETAILS_AT: readonly string[] = [OWN_MEMBER, 'detailsAt'];

/** What the details say otherwise than the stored rows, by column; in the `extra` of the event. */
const OTHERWISE: readonly string[] = [OWN_MEMBER, 'otherwise'];

/** What is the same in every record of an event, or differs between list and details by nature. */
const KEYS: ReadonlySet<string> = new Set(['event_date', 'event_id', 'event_time', 'processed_time', 'position']);

/** Rows of one event by table. */
export type EventRows = Readonly<Record<string, readonly CellRow[]>>;

/**
 * The rows of an event with what its details add. Nothing that is stored changes: where both say something else, the
 * stored value stays, and the other one is kept in `extra` below `edrlake.otherwise`.
 * @param tables those of events, `events` first
 * @param at ISO time of the details
 * @returns null where the event has details already, or its `extra` came with a member `edrlake` that is no object
 */
export function mergedRows(
  tables: readonly TableSpec[],
  stored: EventRows,
  details: EventRows,
  at: string,
): EventRows | null {
  const [events, ...children] = tables;
  const [event] = (events && stored[events.name]) ?? [];
  if (events === undefined || event === undefined) return null;
  if (typeof event.extra === 'string' && valueTextAt(event.extra, DETAILS_AT) !== null) return null;
  const { row, otherwise } = mergedRow(events, event, details[events.name]?.[0] ?? {});
  const merged: Record<string, readonly CellRow[]> = {};
  for (const table of children) {
    const found = mergedChildren(table, stored[table.name] ?? [], details[table.name] ?? [], event);
    merged[table.name] = found.rows;
    if (found.otherwise !== null) otherwise.push([table.name, found.otherwise]);
  }
  let extra = withPath(typeof row.extra === 'string' ? row.extra : null, DETAILS_AT, JSON.stringify(at));
  // A member that was delivered twice differs twice from the same value.
  for (const [name, json] of new Map(otherwise)) extra = extra && withPath(extra, [...OTHERWISE, name], json);
  if (extra === null) return null;
  return { ...merged, [events.name]: [{ ...row, extra }] };
}

/** Names and JSON texts of what one side says otherwise. */
type Otherwise = (readonly [string, string])[];

function mergedRow(table: TableSpec, stored: CellRow, added: CellRow): { row: CellRow; otherwise: Otherwise } {
  const otherwise: Otherwise = [];
  const cells = table.columns.map((column): [string, Cell] => {
    const { name } = column;
    const [mine, other] = [stored[name] ?? null, added[name] ?? null];
    if (name === 'extra') return [name, mergedExtra(mine, other, otherwise)];
    if (mine === null || other === null || KEYS.has(name)) return [name, mine ?? (KEYS.has(name) ? null : other)];
    const [said, saidOtherwise] = [jsonTextOf(mine, column), jsonTextOf(other, column)];
    if (said !== saidOtherwise) otherwise.push([name, saidOtherwise]);
    return [name, mine];
  });
  return { row: Object.fromEntries(cells), otherwise };
}

function mergedExtra(mine: Cell, other: Cell, otherwise: Otherwise): Cell {
  if (typeof mine !== 'string' || typeof other !== 'string') return mine ?? other;
  return mergedJson(mine, other, ['extra'], otherwise);
}

/** The object of the first text with the members that only the second one has, at any depth. */
function mergedJson(mine: string, other: string, at: readonly string[], otherwise: Otherwise): string {
  const [members, others] = [jsonMembers(mine), jsonMembers(other)];
  if (members === null || others === null) {
    if (!isSameJson(mine, other)) otherwise.push([pathText(at), other]);
    return mine;
  }
  const texts = members.map(([name, text]) => {
    const same = others.find(([theirs]) => theirs === name);
    const merged = same === undefined ? text : mergedJson(text, same[1], [...at, name], otherwise);
    return `${JSON.stringify(name)}:${merged}`;
  });
  const mineOnly = new Set(members.map(([name]) => name));
  const added = others.filter(([name]) => !mineOnly.has(name)).map(([name, text]) => `${JSON.stringify(name)}:${text}`);
  return `{${[...texts, ...added].join(',')}}`;
}

/** Whether two texts are the same value: texts may be written with other escapes, all else is compared by its bytes. */
function isSameJson(one: string, other: string): boolean {
  if (one === other) return true;
  return one.startsWith('"') && other.startsWith('"') && JSON.parse(one) === JSON.parse(other);
}

/** Rows of an array. Elements are completed where each says nothing else than its counterpart, else the stored stay. */
function mergedChildren(
  table: TableSpec,
  stored: readonly CellRow[],
  added: readonly CellRow[],
  event: CellRow,
): { readonly rows: readonly CellRow[]; readonly otherwise: string | null } {
  if (added.length === 0) return { rows: stored, otherwise: null };
  const keys = Object.fromEntries(['event_date', 'event_id', 'event_time'].map((name) => [name, event[name] ?? null]));
  if (stored.length === 0) return { rows: added.map((row) => ({ ...row, ...keys })), otherwise: null };
  const placeOf = (row: CellRow) => JSON.stringify([row[table.arrayColumn ?? ''] ?? null, String(row.position)]);
  const byPlace = new Map(added.map((row) => [placeOf(row), row]));
  const pairs = stored.map((row) => mergedRow(table, row, byPlace.get(placeOf(row)) ?? {}));
  const isSame = stored.length === added.length && stored.every((row) => byPlace.has(placeOf(row)));
  if (isSame && pairs.every(({ otherwise }) => otherwise.length === 0)) {
    return { rows: pairs.map(({ row }) => row), otherwise: null };
  }
  return { rows: stored, otherwise: `[${added.map((row) => rowJson(table.columns, row)).join(',')}]` };
}

function rowJson(columns: readonly ColumnSpec[], row: CellRow): string {
  const members = columns.flatMap((column) => {
    const cell = row[column.name] ?? null;
    return cell === null || KEYS.has(column.name) ? [] : `${JSON.stringify(column.name)}:${jsonTextOf(cell, column)}`;
  });
  return `{${members.join(',')}}`;
}
