import {
  EdrlakeError,
  type FetchedWindow,
  type QueryScope,
  type StagedWindow,
  type TimeRange,
  type WindowProof,
} from '@edrlake/core';
import { hasTooManyRejects } from '../run/reject-share.ts';

/**
 * The proof of a window, from numbers of three independent origins: what the API counted, what the scanner found in the
 * pages, and what DuckDB read from them. In a window that the fetcher calls complete, the count equals the number of
 * records or of distinct ids, or the difference is the number of duplicates that the API listed.
 */
export function proofOf(
  fetched: FetchedWindow,
  staged: StagedWindow,
  dates: Pick<WindowProof, 'verifiedAtMs' | 'countedAtMs'>,
  maxRejectShare: number,
): WindowProof {
  const { duplicates = 0 } = fetched;
  const isShared = hasSharedIds(staged, maxRejectShare);
  const addsUp =
    fetched.verdict === 'complete' &&
    staged.recordCount === fetched.recordCount &&
    staged.distinctIds + staged.rejectedCount === fetched.recordCount - duplicates &&
    // An answer that holds what is not this customer's cannot be relied on for the rest of it either.
    (staged.foreignCount ?? 0) === 0 &&
    // A gateway may ignore a filter that it does not understand, or read it in another time zone.
    staged.outside === undefined &&
    !isShared;
  const rejects = { fetched: staged.recordCount, rejected: staged.rejectedCount };
  const isRejected = hasTooManyRejects(rejects, maxRejectShare);
  return {
    window: fetched.window,
    counted: fetched.count,
    fetched: staged.recordCount,
    distinct: staged.distinctIds,
    rejected: staged.rejectedCount,
    // What shares an id without being the same event is no duplicate.
    ...(duplicates > 0 && !isShared && { duplicates, duplicatesPerDay: staged.duplicatesPerDay ?? {} }),
    perDay: staged.perDay,
    rejectedPerDay: staged.rejectedPerDay,
    verdict: !addsUp ? 'mismatch' : isRejected ? 'rejected' : 'proven',
    ...dates,
  };
}

/** Event times of one id up to which its records may be versions of one event. */
const MOST_VERSIONS = 10;

/**
 * Whether ids do not tell events apart: records of many times have one id, or too many records one with another time.
 * Only one record of an id is stored, so the others would be lost.
 */
export function hasSharedIds({ recordCount, sharedIds }: StagedWindow, maxRejectShare: number): boolean {
  if (sharedIds === undefined) return false;
  const lost = { fetched: recordCount, rejected: sharedIds.others };
  return sharedIds.mostTimes > MOST_VERSIONS || hasTooManyRejects(lost, maxRejectShare);
}

/** What the lake holds as proven, by time. */
export interface ProvenRanges {
  /** How many events were proven by windows of the scope that are inside the range, on the event axis. */
  eventsIn(range: TimeRange, scope: QueryScope): number;
}

/**
 * Sorts the proofs by time when the first range is asked for: a lake of years has thousands of them, and a first export
 * of years as many windows without events.
 */
export function provenRanges(proofs: readonly WindowProof[]): ProvenRanges {
  let byScope: ReadonlyMap<string, readonly WindowProof[]> | null = null;
  return {
    eventsIn({ startMs, endMs }, scope) {
      byScope ??= provenByScope(proofs);
      const sorted = byScope.get(JSON.stringify(scope)) ?? [];
      let [first, end] = [0, sorted.length];
      while (first < end) {
        const middle = (first + end) >> 1;
        if (startOf(sorted[middle]) < startMs) first = middle + 1;
        else end = middle;
      }
      let events = 0;
      for (let place = first; startOf(sorted[place]) < endMs; place += 1) {
        const proof = sorted[place];
        if (proof !== undefined && proof.window.range.endMs <= endMs) events += proof.distinct;
      }
      return events;
    },
  };
}

function provenByScope(proofs: readonly WindowProof[]): ReadonlyMap<string, readonly WindowProof[]> {
  const byScope = new Map<string, WindowProof[]>();
  for (const proof of proofs) {
    if (proof.verdict !== 'proven' || proof.window.axis !== 'event') continue;
    const scope = JSON.stringify(proof.window.scope);
    const others = byScope.get(scope);
    if (others === undefined) byScope.set(scope, [proof]);
    else others.push(proof);
  }
  for (const some of byScope.values()) some.sort((a, b) => startOf(a) - startOf(b));
  return byScope;
}

/** Infinity behind the last one. */
function startOf(proof: WindowProof | undefined): number {
  return proof === undefined ? Number.POSITIVE_INFINITY : proof.window.range.startMs;
}

/**
 * Why a window without events proves nothing: the lake holds events that were proven in its range. Events keep their
 * time, so the API has deleted them, or a gateway that has lost its data for a while gives count and page. null where
 * nothing contradicts.
 * @param proven what the lake holds
 */
export function contradictionOf(fetched: FetchedWindow, proven: ProvenRanges): EdrlakeError | null {
  const { window, count, recordCount } = fetched;
  if (count > 0 || recordCount > 0 || window.axis !== 'event' || window.cuts.length > 0) return null;
  const held = proven.eventsIn(window.range, window.scope);
  if (held === 0) return null;
  return new EdrlakeError(
    'RESPONSE_UNEXPECTED',
    `the API shows no event, but the lake holds ${held} proven ${held === 1 ? 'event' : 'events'} of this range`,
    {
      context: { held, windowId: window.id },
      hint: 'Run it again; what was proven before stays proven. If the API has deleted them: --replace',
    },
  );
}
