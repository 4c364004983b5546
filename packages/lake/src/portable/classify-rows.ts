import {
  betterVersionFirst,
  type Day,
  MAX_OTHER_VERSIONS,
  type Row,
  type RowBatch,
  type RowIdentity,
  type TableSpec,
} from '@edrlake/core';
import type { Classification, MetVersion } from '../commit/engine.ts';
import type { CommitTools } from '../log/commit-context.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { isEventTable, partitionDay, tableNamed } from '../log/table-rows.ts';
import type { Arrivals } from '../proofs/lost-days.ts';
import { EVENTS } from '../storage/layout.ts';
import { dayNamed, entriesIn, type IndexEntry } from './index-entries.ts';
import { rowsOfFiles } from './parquet-rows.ts';

/** A staged event or reject, and what is stored of the event. */
export interface Screened {
  readonly identity: RowIdentity;
  verdict: 'new' | 'candidate' | 'changed' | 'unchanged' | 'dropped';
  stored: StoredVersion | null;
}

interface StoredVersion {
  readonly day: number;
  readonly eventMs: number;
  readonly processedMs: number | null;
  readonly eventType: string | null;
  readonly agentId: string | null;
}

/** What one commit has found out so far. */
export interface RowWork {
  readonly tools: CommitTools;
  /** With the promoted columns of the lake. */
  batch: RowBatch | null;
  readonly signal: AbortSignal | undefined;
  /** Index entries of the batch. */
  known: IndexEntry[];
  screen: Screened[];
  /** Event id → the days on which its rows are removed. */
  gone: Map<string, Set<number>>;
}

/** The columns of a version, in this order. */
export const VERSION_COLUMNS = ['event_id', 'event_date', 'event_time', 'processed_time', 'event_type', 'agent_id'];

/** Takes the rows of an event on a day for gone. */
export function markGone({ gone }: RowWork, eventId: string, day: number): void {
  gone.set(eventId, (gone.get(eventId) ?? new Set()).add(day));
}

/** What has one of some verdicts. */
export function having({ screen }: RowWork, ...verdicts: readonly Screened['verdict'][]): Screened[] {
  return screen.filter(({ verdict }) => verdicts.includes(verdict));
}

/** The rows as they come, until the signal is aborted. */
export async function* watched<T>(
  { signal }: Pick<RowWork, 'signal'>,
  rows: Iterable<T> | AsyncIterable<T>,
): AsyncGenerator<T> {
  for await (const row of rows) {
    signal?.throwIfAborted();
    yield row;
  }
}

/** A table's files of some days. */
export function filesOfDays(state: LakeState, table: string, days: ReadonlySet<Day>): LoggedFile[] {
  return [...state.files.values()].filter((file) => file.table === table && days.has(partitionDay(file)));
}

function rowsOn(
  work: RowWork,
  state: LakeState,
  table: TableSpec,
  days: ReadonlySet<Day>,
  columns: readonly string[],
): AsyncGenerator<Row> {
  const reader = { store: work.tools.store, schemas: state.schemas };
  return watched(work, rowsOfFiles(reader, table, filesOfDays(state, table.name, days), columns));
}

/** See `CommitEngine.findKnown`. */
export async function findKnown(work: RowWork, index: readonly string[]): Promise<ReadonlySet<Day>> {
  const wanted = new Set((work.batch?.identities ?? []).map(({ idHash }) => idHash));
  work.known = [];
  if (wanted.size > 0) {
    for await (const entry of watched(work, entriesIn(index))) if (wanted.has(entry.idHash)) work.known.push(entry);
  }
  return new Set(work.known.map(({ day }) => dayNamed(day)));
}

/** See `CommitEngine.classify`. */
export async function classify(work: RowWork, state: LakeState): Promise<Classification> {
  const newest = new Map<bigint, IndexEntry>();
  for (const entry of work.known) {
    const before = newest.get(entry.idHash);
    if (before === undefined || before.version < entry.version) newest.set(entry.idHash, entry);
  }
  work.screen = (work.batch?.identities ?? []).map((identity) => ({
    identity,
    verdict: verdictOf(identity, newest.get(identity.idHash)),
    stored: null,
  }));
  if (having(work, 'candidate').length > 0) {
    await findStored(work, state);
    if (having(work, 'changed').length > 0) await compareRows(work, state);
  }
  work.gone = new Map();
  for (const { identity, stored } of having(work, 'changed')) markGone(work, identity.eventId ?? '', stored?.day ?? 0);
  return { ...summaryOf(work), arrivals: arrivalsOf(work, state) };
}

/** The hash of a reject covers its whole record: a known hash is the same record again, unless its file is lost. */
function verdictOf({ eventId, contentHash }: RowIdentity, entry: IndexEntry | undefined): Screened['verdict'] {
  if (entry === undefined) return 'new';
  if (eventId === null) return entry.contentHash === null ? 'new' : 'unchanged';
  return entry.contentHash === contentHash ? 'unchanged' : 'candidate';
}

/** Looks candidates up by their exact ids, on the days that the index names for their hashes. */
async function findStored(work: RowWork, state: LakeState): Promise<void> {
  const candidates = new Map(having(work, 'candidate').map((one) => [one.identity.eventId, one]));
  const hashes = new Set([...candidates.values()].map(({ identity }) => identity.idHash));
  const days = new Set(work.known.filter(({ idHash }) => hashes.has(idHash)).map(({ day }) => dayNamed(day)));
  const delivered = deliveredVersions(work);
  for await (const row of rowsOn(work, state, tableNamed(work.tools.tables, EVENTS), days, VERSION_COLUMNS)) {
    const one = candidates.get(String(row[0]));
    const version = one && delivered.get(one.identity.idHash);
    if (one === undefined || version === undefined) continue;
    one.stored = versionOf(row);
    one.verdict = betterVersionFirst(one.stored, version) < 0 ? 'dropped' : 'changed';
  }
  // One that is not found shares its hash with another event, or was deleted.
  for (const one of having(work, 'candidate')) one.verdict = 'new';
}

function versionOf([, day, eventMs, processedMs, eventType, agentId]: Row): StoredVersion {
  return {
    day: Number(day),
    eventMs: Number(eventMs),
    processedMs: (processedMs ?? null) as number | null,
    eventType: (eventType ?? null) as string | null,
    agentId: (agentId ?? null) as string | null,
  };
}

/** The delivered events, by the hash of their id. */
function deliveredVersions({ tools, batch }: RowWork): Map<bigint, StoredVersion> {
  const { columns } = tableNamed(tools.tables, EVENTS);
  const at = VERSION_COLUMNS.map((column) => columns.findIndex(({ name }) => name === column));
  const pick = (row: Row) => at.map((index) => row[index] ?? null);
  return new Map((batch?.rows[EVENTS] ?? []).map(({ idHash, row }) => [idHash, versionOf(pick(row))]));
}

/** An event is unchanged when its rows are equal in every table, even if the text of its record differs. */
async function compareRows(work: RowWork, state: LakeState): Promise<void> {
  const changed = new Map(having(work, 'changed').map((one) => [one.identity.eventId, one]));
  const byHash = new Map([...changed.values()].map((one) => [one.identity.idHash, one.identity.eventId]));
  const days = new Set([...changed.values()].map(({ stored }) => dayNamed(stored?.day ?? 0)));
  const differing = new Set<string | null>();
  for (const table of work.tools.tables.filter(isEventTable)) {
    // Rows on one side count up, on the other down: equal sides leave nothing.
    const balance = new Map<string | null, Map<string, number>>();
    const count = (eventId: string | null, row: Row, by: 1 | -1) => {
      const ofEvent = balance.get(eventId) ?? new Map<string, number>();
      const key = rowKey(row);
      balance.set(eventId, ofEvent.set(key, (ofEvent.get(key) ?? 0) + by));
    };
    for (const { idHash, row } of work.batch?.rows[table.name] ?? []) {
      const eventId = byHash.get(idHash);
      if (eventId !== undefined) count(eventId, row, 1);
    }
    const columns = table.columns.map(({ name }) => name);
    const idAt = columns.indexOf('event_id');
    for await (const row of rowsOn(work, state, table, days, columns)) {
      const eventId = String(row[idAt]);
      if (changed.has(eventId)) count(eventId, row, -1);
    }
    for (const [eventId, rows] of balance) {
      if ([...rows.values()].some((left) => left !== 0)) differing.add(eventId);
    }
  }
  for (const [eventId, one] of changed) if (!differing.has(eventId)) one.verdict = 'unchanged';
}

function rowKey(row: Row): string {
  return JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));
}

/** An event that was lost has an entry for its day, which says that it is gone. */
function arrivalsOf(work: RowWork, { losses }: LakeState): Arrivals[] {
  if (losses.size === 0) return [];
  const named = new Set(work.known.map(({ idHash, day }) => `${idHash}:${day}`));
  const counts = new Map<Day, number>();
  for (const { identity, verdict, stored } of having(work, 'new', 'changed')) {
    const { eventId, idHash, day } = identity;
    const isThere = verdict === 'new' ? named.has(`${idHash}:${day}`) : stored?.day === day;
    if (eventId === null || isThere || !losses.has(dayNamed(day))) continue;
    counts.set(dayNamed(day), (counts.get(dayNamed(day)) ?? 0) + 1);
  }
  return [...counts].map(([day, rowCount]) => ({ day, rowCount }));
}

function summaryOf(work: RowWork): Omit<Classification, 'arrivals'> {
  const events = work.screen.filter(({ identity }) => identity.eventId !== null);
  const newEvents = events.filter(({ verdict }) => verdict === 'new').length;
  const changedEvents = having(work, 'changed').length;
  const newRejects = having(work, 'new').length - newEvents;
  const mixed = having(work, 'new', 'changed').reduce((sum, { identity }) => sum ^ identity.idHash, 0n);
  return {
    newEvents,
    changedEvents,
    unchangedEvents: events.length - newEvents - changedEvents,
    newRejects,
    fingerprint: `${newEvents + changedEvents}:${newRejects}:${mixed}`,
  };
}

/** See `CommitEngine.metVersions`. */
export function metVersions(work: RowWork): readonly MetVersion[] {
  const delivered = deliveredVersions(work);
  const met = having(work, 'dropped', 'changed').flatMap(({ stored, identity, verdict }): MetVersion[] => {
    const version = delivered.get(identity.idHash);
    if (stored === null || version === undefined || version.eventMs === stored.eventMs) return [];
    const isListed = verdict === 'dropped';
    const [other, kept] = isListed ? [version, stored] : [stored, version];
    const { day: _, ...shown } = other;
    const storedTimes = { eventMs: kept.eventMs, processedMs: kept.processedMs };
    return [{ isListed, version: { eventId: identity.eventId ?? '', ...shown, stored: storedTimes } }];
  });
  return met.sort((a, b) => (a.version.eventId < b.version.eventId ? -1 : 1)).slice(0, MAX_OTHER_VERSIONS);
}
