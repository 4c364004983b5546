import {
  type EventQuery,
  gapsIn,
  intersect,
  MS_PER_DAY,
  MS_PER_HOUR,
  MS_PER_MINUTE,
  NO_FILTER,
  sum,
  type TimeRange,
  type WindowProof,
  windowOf,
} from '@edrlake/core';
import { brokenAnswer } from '@edrlake/pager';
import {
  besideStored,
  type CountedRange,
  cheapestGroups,
  countByHistogram,
  type DifferingRange,
  MAX_BUCKETS,
  narrowDown,
  outsideOf,
} from '../reconcile/diff-ranges.ts';
import { knownClocks } from '../run/read-clocks.ts';
import type { ExportEndpoints, Services, WantedRange } from '../run/types.ts';

/** What of a range of processing time the lake holds already. */
export interface HeldEvents {
  /** Of the stretches that are equal on both sides; to be committed. */
  readonly proofs: readonly WindowProof[];
  /** Their events. */
  readonly events: number;
  /** The rest of the range, with known counts, oldest first. */
  readonly rest: readonly WantedRange[];
}

/** Buckets of one histogram, from coarse to fine. */
const BUCKETS_MS = [MS_PER_DAY, MS_PER_HOUR, 10 * MS_PER_MINUTE];

/** Histograms that the comparison may cost; the finest buckets that need no more are used. */
const MAX_HISTOGRAMS = 3;

/**
 * Compares a range of processing time with what the lake holds of it, before anything is fetched: after a backfill by
 * event time, a first sync would fetch every event again. A stretch is proven where the API counts in every bucket as
 * many events as the lake has rows. A single wrong number cannot prove one: the buckets of the histogram must add up to
 * a separate count of the whole range.
 *
 * Equal counts are equal events, because an event that changes gets a later processing time: it leaves one bucket and
 * enters another. Only a bucket in which events were fetched can hold both times, so those are fetched again. So is
 * what comes before the first event and after the last one: their zeros are confirmed by a page, as always.
 * @returns null where all of it is to be fetched: comparing would cost more requests than the pages of what the lake
 * can hold, the API has no histograms, or its numbers do not add up
 */
export async function heldEvents(
  { source, lake }: ExportEndpoints,
  range: TimeRange,
  services: Pick<Services, 'clock' | 'signal'>,
): Promise<HeldEvents | null> {
  const { proofs } = await lake.snapshot();
  // An event is processed before it is fetched: the lake holds at most what was fetched since, by event time.
  const mayHold = sum(proofs, ({ window, fetched, verifiedAtMs }) =>
    window.axis === 'event' && verifiedAtMs >= range.startMs ? fetched : 0,
  );
  const isWorthIt = mayHold > (MAX_HISTOGRAMS + 1) * source.pageSize;
  if (!isWorthIt || source.histogram === null) return null;
  const query: EventQuery = { axis: 'processed', range, cuts: [], scope: NO_FILTER };
  const clocks = knownClocks(source, services);
  const aheadMs = clocks.latestMs - clocks.nowMs;
  const quiet = gapsIn(
    range,
    proofs.filter(({ fetched }) => fetched > 0).map((proof) => fetchedDuring(proof, aheadMs)),
  );
  try {
    const inApi = await source.count(query, services.signal);
    const counted = inApi === 0 ? null : await countParts(source, query, services.signal);
    if (counted === null || sum(counted, ({ count }) => count) !== inApi) return null;
    const parts = await besideStored(lake, 'processed', counted);
    const filled = spanOfEvents(parts);
    if (filled === null) return null;
    const isDiffering = (part: DifferingRange) =>
      part.inApi !== part.inLake ||
      intersect(part.range, filled) === null ||
      !quiet.some((gap) => gap.startMs <= part.range.startMs && part.range.endMs <= gap.endMs);
    const groups = cheapestGroups(parts, source.pageSize, isDiffering);
    const together = groups.filter(({ isOnePart }) => !isOnePart).map(({ differing }) => differing);
    const alone = groups.filter(({ isOnePart }) => isOnePart).map(({ differing }) => differing);
    const narrowed = await narrowDown(source, lake, query, alone, services.signal, isDiffering);
    const differing = [...together, ...narrowed.differing].sort((a, b) => a.range.startMs - b.range.startMs);
    const equal = joined([...outsideOf(groups, parts), ...narrowed.equal]);
    const dates = { verifiedAtMs: knownClocks(source, services).nowMs, countedAtMs: clocks.nowMs };
    return {
      proofs: equal.map((stretch) => proofByCounts(stretch, dates)),
      events: sum(equal, ({ count }) => count),
      rest: differing.map(({ range: part, inApi: knownCount }) => ({ range: part, knownCount })),
    };
  } catch (thrown) {
    // What cannot be compared is fetched, or its windows fail by themselves.
    brokenAnswer(thrown);
    return null;
  }
}

/**
 * When the events of a proof were fetched. Proofs are dated by the earlier of both clocks, processing times by that of
 * the gateway.
 * @param aheadMs how far the later clock is ahead now, as it may have been then
 */
function fetchedDuring({ countedAtMs, verifiedAtMs }: WindowProof, aheadMs: number): TimeRange {
  return { startMs: Math.min(countedAtMs ?? verifiedAtMs, verifiedAtMs), endMs: verifiedAtMs + aheadMs + 1 };
}

/** Every bucket of the range, empty ones included; null where the source gives no histogram after all. */
async function countParts(
  source: ExportEndpoints['source'],
  query: EventQuery,
  signal: AbortSignal,
): Promise<CountedRange[] | null> {
  const parts: CountedRange[] = [];
  for (const piece of piecesOf(query.range)) {
    const buckets = await countByHistogram(source, query, piece, signal);
    if (buckets === null) return null;
    parts.push(...buckets);
  }
  return parts;
}

/** Pieces of a range, each with few enough buckets for one histogram. */
function piecesOf({ startMs, endMs }: TimeRange): TimeRange[] {
  const bucketMs = BUCKETS_MS.findLast((ms) => (endMs - startMs) / (ms * MAX_BUCKETS) <= MAX_HISTOGRAMS) ?? MS_PER_DAY;
  const pieces: TimeRange[] = [];
  for (let atMs = startMs; atMs < endMs; ) {
    const lastMs = (Math.floor(atMs / bucketMs) + MAX_BUCKETS) * bucketMs;
    // A rest of moments would be too short for any bucket.
    const nextMs = endMs - lastMs < MS_PER_MINUTE ? endMs : lastMs;
    pieces.push({ startMs: atMs, endMs: nextMs });
    atMs = nextMs;
  }
  return pieces;
}

/** From the first part with events on either side to the last; null without any. */
function spanOfEvents(parts: readonly DifferingRange[]): TimeRange | null {
  const isFilled = ({ inApi, inLake }: DifferingRange) => inApi > 0 || inLake > 0;
  const [first, last] = [parts.find(isFilled), parts.findLast(isFilled)];
  return first === undefined || last === undefined ? null : { startMs: first.range.startMs, endMs: last.range.endMs };
}

/** Equal parts that touch each other as one stretch, with what the API counts in it. */
function joined(parts: readonly DifferingRange[]): CountedRange[] {
  const stretches: CountedRange[] = [];
  for (const { range, inApi } of parts.toSorted((a, b) => a.range.startMs - b.range.startMs)) {
    const last = stretches.at(-1);
    if (last === undefined || last.range.endMs < range.startMs) stretches.push({ range, count: inApi });
    else
      stretches.splice(-1, 1, {
        range: { startMs: last.range.startMs, endMs: range.endMs },
        count: last.count + inApi,
      });
  }
  return stretches;
}

function proofByCounts(
  { range, count: counted }: CountedRange,
  dates: Required<Pick<WindowProof, 'verifiedAtMs' | 'countedAtMs'>>,
): WindowProof {
  const window = windowOf({ axis: 'processed', range, cuts: [], scope: NO_FILTER });
  const nothing = { fetched: 0, distinct: 0, rejected: 0, perDay: {}, rejectedPerDay: {} };
  return { window, counted, ...nothing, verdict: 'proven', comparedOnly: true, ...dates };
}
