import { readFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import {
  betterVersionFirst,
  type Dataset,
  type Day,
  EdrlakeError,
  type FetchedWindow,
  FOREIGN_CUSTOMER,
  foreignRecord,
  idHash,
  isSameCustomer,
  MAX_OTHER_VERSIONS,
  MS_PER_DAY,
  type OtherVersion,
  type OwnedRow,
  type RowBatch,
  type RowIdentity,
} from '@edrlake/core';
import { type RecordSpec, recordSpecOf } from '../spec/record-spec.ts';
import { rejectRow } from './flatten-record.ts';
import { rejectReasonsOf, type StagedRecord, stagedWindowsOf } from './record-findings.ts';
import { readSpooled, type SpooledRecord } from './spooled-record.ts';
import { unknownFieldsIn } from './unknown-fields.ts';

/** What a batch of rows is made for. */
export interface StageRowsOptions {
  readonly dataset: Dataset;
  /** UTC day that becomes the rejects' partition. */
  readonly ingestDay: Day;
  /** Whose events these are, where that is known: those of other customers become rejects. */
  readonly customerId?: string | null;
  /** Aborting it ends the work within moments. */
  readonly signal: AbortSignal;
}

/** Lines between two turns of the event loop: some milliseconds of work, so that leases, pages and Ctrl-C go on. */
const LINES_PER_TURN = 100;

/**
 * Flattens the spooled pages of some windows in this process, as `stageBatch` does in DuckDB: one row for each event
 * id, of several records with one id the best version. Memory: the pages of one window at a time, and about five times
 * the bytes of all of them as rows.
 * @throws {EdrlakeError} `BODY_BROKEN` (`retry`) when a page cannot be read or holds another number of records; the
 * reason of the signal
 */
export async function stageRows(windows: readonly FetchedWindow[], options: StageRowsOptions): Promise<RowBatch> {
  const { dataset, ingestDay, customerId = null, signal } = options;
  const spec = recordSpecOf(dataset);
  const delivered = await readRecords(spec, windows, signal);
  const { customer } = dataset;
  const records =
    customer === undefined || customerId === null
      ? delivered
      : delivered.map((record) => withoutForeign(record, customer, customerId));
  const events = records.filter(({ reject }) => reject === null);
  const rejects = records.filter(({ reject }) => reject !== null);
  const { kept, otherVersions } = bestVersions(events);
  const rows: Record<string, OwnedRow[]> = Object.fromEntries(dataset.tables.map(({ name }) => [name, []]));
  const identities: RowIdentity[] = [];
  for (const { idHash: hash, day, processedMs, contentHash, eventId, rows: ofRecord } of kept) {
    identities.push({ eventId, day, processedMs, idHash: hash, contentHash });
    for (const [table, added] of ofRecord) for (const row of added) rows[table]?.push({ idHash: hash, row });
  }
  for (const { identity, owned } of rejectRows(rejects, windows, ingestDay)) {
    identities.push(identity);
    rows.rejects?.push(owned);
  }
  return {
    identities,
    rows,
    windows: stagedWindowsOf(records, windows),
    otherVersions,
    unknownFields: unknownFieldsIn(spec, rows),
    rejectReasons: rejectReasonsOf(rejects),
  };
}

async function readRecords(
  spec: RecordSpec,
  windows: readonly FetchedWindow[],
  signal: AbortSignal,
): Promise<StagedRecord[]> {
  const records: StagedRecord[] = [];
  for (const [windowNo, { pages }] of windows.entries()) {
    for (const { path } of pages.filter(({ recordCount }) => recordCount > 0)) {
      try {
        for (const line of (await readFile(path, 'utf8')).split('\n')) {
          if (line === '') continue;
          if (records.length % LINES_PER_TURN === 0) await setImmediate(undefined, { signal });
          records.push(stagedRecord(readSpooled(spec, line), windowNo, records.length));
        }
      } catch (thrown) {
        signal.throwIfAborted();
        throw unreadable(thrown);
      }
    }
  }
  return records;
}

/** A record of another customer is a reject, of which only the ids are kept. */
function withoutForeign(record: StagedRecord, column: string, own: string): StagedRecord {
  const customer = record.event.get(column);
  if (typeof customer !== 'string' || isSameCustomer(customer, own)) return record;
  const kept = foreignRecord(record.eventId, customer);
  return { ...record, reject: { reason: FOREIGN_CUSTOMER, path: null }, rows: new Map(), kept, idHash: 0n };
}

function unreadable(cause: unknown): EdrlakeError {
  return new EdrlakeError('BODY_BROKEN', `a spooled page cannot be read: ${String(cause)}`, {
    disposition: 'retry',
    cause,
    hint: 'Fetch the windows of this batch again.',
  });
}

function stagedRecord(read: SpooledRecord, windowNo: number, place: number): StagedRecord {
  const text = (name: string) => (read.event.get(name) ?? null) as string | null;
  const number = (name: string) => (read.event.get(name) ?? null) as number | null;
  const eventMs = number('event_time');
  const eventId = text('event_id');
  return {
    ...read,
    windowNo,
    place,
    eventId,
    idHash: read.reject === null ? idHash(eventId ?? '') : 0n,
    eventMs: eventMs ?? 0,
    day: Math.floor((eventMs ?? 0) / MS_PER_DAY),
    isDated: eventMs !== null,
    processedMs: number('processed_time'),
    eventType: text('event_type'),
    agentId: text('agent_id'),
  };
}

/**
 * Leaves the best version of each event, in the order of arrival.
 * @returns also the best versions of other windows than that of the one that stays, where their event times differ
 */
function bestVersions(events: readonly StagedRecord[]): {
  readonly kept: readonly StagedRecord[];
  readonly otherVersions: readonly OtherVersion[];
} {
  const byHash = new Map<bigint, StagedRecord[]>();
  for (const event of events) {
    const same = byHash.get(event.idHash);
    if (same === undefined) byHash.set(event.idHash, [event]);
    else same.push(event);
  }
  if (byHash.size === events.length) return { kept: events, otherVersions: [] };
  const dropped = new Set<StagedRecord>();
  const otherVersions: OtherVersion[] = [];
  for (const [best, ...others] of [...byHash.values()].map((versions) => versions.sort(bestFirst))) {
    const seen = new Set<number>();
    for (const other of others) {
      if (other.eventId !== best?.eventId) throw sharedHash();
      dropped.add(other);
      if (best === undefined || seen.has(other.windowNo) || other.windowNo === best.windowNo) continue;
      seen.add(other.windowNo);
      if (other.eventMs !== best.eventMs) otherVersions.push(otherVersionOf(other, best));
    }
  }
  return {
    kept: events.filter((event) => !dropped.has(event)),
    otherVersions: otherVersions.sort((a, b) => (a.eventId < b.eventId ? -1 : 1)).slice(0, MAX_OTHER_VERSIONS),
  };
}

/** Of equals the one delivered last. */
function bestFirst(a: StagedRecord, b: StagedRecord): number {
  return betterVersionFirst(a, b) || b.place - a.place;
}

function sharedHash(): EdrlakeError {
  return new EdrlakeError('BUG', 'two event ids of one batch share a 64-bit identity', {
    hint: 'Export a smaller range, and report the two ids.',
  });
}

function otherVersionOf(
  { eventId, eventType, agentId, eventMs, processedMs }: StagedRecord,
  best: StagedRecord,
): OtherVersion {
  const stored = { eventMs: best.eventMs, processedMs: best.processedMs };
  return { eventId: eventId ?? '', eventType, agentId, eventMs, processedMs, stored };
}

/**
 * Two identical records in one window are two rejects, and the same window delivered again yields the same two: the
 * identity is the record's text and its number among equal ones of its window.
 */
function rejectRows(
  rejects: readonly StagedRecord[],
  windows: readonly FetchedWindow[],
  ingestDay: Day,
): readonly { readonly identity: RowIdentity; readonly owned: OwnedRow }[] {
  const copies = new Map<string, number>();
  const found = new Map<bigint, { identity: RowIdentity; owned: OwnedRow }>();
  for (const { reject, kept, event, windowNo, contentHash } of rejects) {
    const copy = (copies.get(`${windowNo}:${kept}`) ?? 0) + 1;
    copies.set(`${windowNo}:${kept}`, copy);
    const hash = idHash(`${kept}#${copy}`);
    if (reject === null || found.has(hash)) continue;
    const windowId = windows[windowNo]?.window.id ?? '';
    const row = rejectRow({ ...reject, record: kept }, event, { windowId, ingestDay });
    const identity = { eventId: null, day: Number(row[0]), processedMs: null, idHash: hash, contentHash };
    found.set(hash, { identity, owned: { idHash: hash, row } });
  }
  return [...found.values()];
}
