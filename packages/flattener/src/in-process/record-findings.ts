import {
  betterVersionFirst,
  type Day,
  dayOf,
  EdrlakeError,
  type FetchedWindow,
  FOREIGN_CUSTOMER,
  type RejectReason,
  type StagedWindow,
  sum,
  type Window,
} from '@edrlake/core';
import { acceptedTimes } from '../stage/asked-times.ts';
import { oneLine } from '../stage/stage-batch.ts';
import type { SpooledRecord } from './spooled-record.ts';

/** A record of a batch. */
export interface StagedRecord extends SpooledRecord {
  /** Of its window in the batch, from 0. */
  readonly windowNo: number;
  /** Larger for what was delivered later. */
  readonly place: number;
  readonly eventId: string | null;
  /** Of the event id; 0 for a reject. */
  readonly idHash: bigint;
  readonly eventMs: number;
  /** Days since the epoch. */
  readonly day: number;
  /** Whether the event time could be read. */
  readonly isDated: boolean;
  readonly processedMs: number | null;
  readonly eventType: string | null;
  readonly agentId: string | null;
}

/**
 * What flattening found in each window, in the windows' order, from all records.
 * @throws {EdrlakeError} `BODY_BROKEN` (`retry`) when a window's pages hold another number of records
 */
export function stagedWindowsOf(
  records: readonly StagedRecord[],
  windows: readonly FetchedWindow[],
): readonly StagedWindow[] {
  const byWindow: StagedRecord[][] = windows.map(() => []);
  for (const record of records) byWindow[record.windowNo]?.push(record);
  return windows.map(({ window, pages }, windowNo) => {
    const ofWindow = byWindow[windowNo] ?? [];
    const expected = sum(pages, (page) => page.recordCount);
    if (ofWindow.length !== expected) {
      throw new EdrlakeError(
        'BODY_BROKEN',
        `the pages of window ${window.id} hold ${ofWindow.length} records, expected ${expected}`,
        { disposition: 'retry', context: { windowId: window.id }, hint: 'Fetch the window again.' },
      );
    }
    return {
      windowId: window.id,
      ...numbersOf(ofWindow),
      ...outsideOf(ofWindow, window),
      ...sharedIdsOf(ofWindow),
      ...newestOf(ofWindow),
    };
  });
}

function newestOf(records: readonly StagedRecord[]): Pick<StagedWindow, 'newestProcessedMs'> {
  let newestMs: number | null = null;
  for (const { processedMs } of records)
    if (processedMs !== null && processedMs > (newestMs ?? -1)) newestMs = processedMs;
  return newestMs === null ? {} : { newestProcessedMs: newestMs };
}

function outsideOf(records: readonly StagedRecord[], window: Window): Pick<StagedWindow, 'outside'> {
  const { startMs, endMs } = acceptedTimes(window);
  let [events, firstMs, lastMs] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { eventMs, isDated, processedMs } of records) {
    const atMs = window.axis === 'processed' ? processedMs : isDated ? eventMs : null;
    if (atMs === null || (startMs <= atMs && atMs < endMs)) continue;
    events += 1;
    firstMs = Math.min(firstMs, atMs);
    lastMs = Math.max(lastMs, atMs);
  }
  return events === 0 ? {} : { outside: { events, firstMs, lastMs } };
}

function sharedIdsOf(records: readonly StagedRecord[]): Pick<StagedWindow, 'sharedIds'> {
  const timesOf = new Map<string, Set<number>>();
  for (const { reject, eventId, eventMs } of records) {
    if (reject !== null || eventId === null) continue;
    const times = timesOf.get(eventId);
    if (times === undefined) timesOf.set(eventId, new Set([eventMs]));
    else times.add(eventMs);
  }
  let [others, mostTimes, sample] = [0, 1, ''];
  for (const [id, { size }] of timesOf) {
    others += size - 1;
    if (size > mostTimes || (size === mostTimes && size > 1 && id < sample)) [mostTimes, sample] = [size, id];
  }
  return others === 0 ? {} : { sharedIds: { others, mostTimes, sample } };
}

/** An id that a window repeats counts for one day only, that of the version that is stored. */
function numbersOf(records: readonly StagedRecord[]): Omit<StagedWindow, 'windowId'> {
  const best = new Map<bigint, StagedRecord>();
  for (const record of records) {
    if (record.reject !== null) continue;
    const known = best.get(record.idHash);
    // Of equals the one delivered last.
    if (known === undefined || betterVersionFirst(record, known) <= 0) best.set(record.idHash, record);
  }
  const [perDay, rejectedPerDay]: Record<Day, number>[] = [{}, {}];
  const duplicatesPerDay: Record<Day, Record<string, number>> = {};
  let [rejectedCount, foreignCount] = [0, 0];
  for (const record of records) {
    const day = dayOf(record.eventMs);
    if (record.reject !== null) {
      rejectedCount += 1;
      if (record.reject.reason === FOREIGN_CUSTOMER) foreignCount += 1;
      if (record.isDated) addOne(rejectedPerDay ?? {}, day);
    } else if (best.get(record.idHash) === record) addOne(perDay ?? {}, day);
    else {
      const ofDay = duplicatesPerDay[day] ?? {};
      addOne(ofDay, record.eventType ?? '');
      duplicatesPerDay[day] = ofDay;
    }
  }
  return {
    recordCount: records.length,
    rejectedCount,
    ...(foreignCount > 0 && { foreignCount }),
    distinctIds: best.size,
    perDay: sorted(perDay ?? {}),
    rejectedPerDay: sorted(rejectedPerDay ?? {}),
    ...(Object.keys(duplicatesPerDay).length > 0 && { duplicatesPerDay: sorted(duplicatesPerDay) }),
  };
}

function addOne(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}

/** Oldest day first. */
function sorted<T>(byDay: Readonly<Record<Day, T>>): Record<Day, T> {
  return Object.fromEntries(Object.entries(byDay).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Why records became rejects, the most frequent reason first. */
export function rejectReasonsOf(rejects: readonly StagedRecord[]): readonly RejectReason[] {
  const found = new Map<string, { reason: string; count: number; sample: string }>();
  for (const { reject, kept } of rejects) {
    if (reject === null) continue;
    const known = found.get(reject.reason) ?? { reason: reject.reason, count: 0, sample: kept };
    found.set(reject.reason, {
      ...known,
      count: known.count + 1,
      sample: firstOf(kept, known.sample),
    });
  }
  return [...found.values()]
    .map((one) => ({ ...one, sample: oneLine(one.sample) }))
    .sort((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1));
}

function firstOf(a: string, b: string): string {
  return [a, b].sort()[0] ?? a;
}
