import {
  type Day,
  type EventQuery,
  type EventSource,
  MS_PER_DAY,
  NO_FILTER,
  rangeOfDays,
  sum,
  type TimeRange,
} from '@edrlake/core';
import { isRefuting, type Recount, scopeText } from '@edrlake/lake';
import { brokenAnswer } from '@edrlake/pager';
import { readClocks } from '../run/read-clocks.ts';
import type { ExportEndpoints, RunServices } from '../run/types.ts';
import { countsByDay, MOST_DAYS_AT_ONCE } from './count-days.ts';
import { comparedCommitOf, rememberReconciliation } from './last-results.ts';
import type { ReconciledDay } from './reconcile.ts';
import { type DueDay, type RecountSchedule, recountSchedule } from './sealed-days.ts';

/** Days of one run: what they found is one entry of the log. */
const MOST_DAYS = 1_000;

/** Requests of one run unless a number is given. */
export const RECOUNT_REQUESTS = 20;

/** What to count again, and for how many requests. */
export interface RecountRequest {
  /** Only days of this range; null: all. */
  readonly within: TimeRange | null;
  readonly maxRequests: number;
  /** Only days that an earlier recount refutes. */
  readonly onlyRefuted?: boolean;
  /** Only these days, whether they are due or not. */
  readonly doubted?: ReadonlySet<Day>;
}

/** A day of which the API has more than the lake. */
export interface LateDay {
  readonly day: Day;
  readonly inApi: number;
  readonly inLake: number;
}

/** What a recount found. */
export interface RecountReport {
  /** Proven days of the lake. */
  readonly sealed: number;
  /** Days that were due when it began. */
  readonly due: number;
  /** Days with a result, those that differ among them. */
  readonly counted: number;
  /** Oldest first. They are not complete any more. */
  readonly late: readonly LateDay[];
  /** Days that are complete again, after an earlier recount had refuted them. */
  readonly settled: readonly Day[];
  /** Days on which answers contradict each other, or that differ while another writer commits; they stay due. */
  readonly unconfirmed: readonly Day[];
  /** Days for which the allowance was too small; they stay due. */
  readonly left: number;
  /** When the next day is due that was not yet; null where none will be. */
  readonly nextDueAtMs: number | null;
  readonly requests: number;
}

/**
 * Counts proven days again that are due by the schedule of `recountSchedule`, and records what each count found in the
 * log. A day of which the API has more than the lake loses its completeness; a day that agrees is not due before the
 * next interval.
 *
 * No single answer of the API changes anything. The buckets of the histogram must add up to a separate count of the
 * whole span, or nothing is recorded. A day that differs, or that was refuted and agrees, is counted by itself as well.
 * Two requests for any number of days that agree, and one for each that does not. Without histograms each day takes a
 * count, and two more of its halves where that is not what the lake holds.
 */
export async function recountSealedDays(
  ends: ExportEndpoints,
  request: RecountRequest,
  services: RunServices,
): Promise<RecountReport> {
  const { source, lake } = ends;
  const atFirst = ends.requestsMade();
  const { sealed, due, nextDueAtMs } = await dueNow(ends, request, services);
  const { onlyRefuted = false, doubted } = request;
  const isAsked = ({ day, refutedBy }: DueDay) => (onlyRefuted ? refutedBy !== null : doubted?.has(day) !== false);
  const asked = due.filter(isAsked);
  const chosen = chooseDays(asked);
  const nothing = { counted: 0, late: [], settled: [], unconfirmed: [] };
  if (chosen.length === 0) return { sealed, due: 0, ...nothing, left: 0, nextDueAtMs, requests: 0 };
  const over = await comparedCommitOf(lake);
  const held = await heldOn(lake, chosen);
  const countedAtMs = (await readClocks(source, services)).nowMs;
  // A login, which any request may need, is no part of the allowance.
  const before = ends.requestsMade();
  const allowance = {
    isLeft: (requests: number) => ends.requestsMade() - before + requests <= request.maxRequests,
  };
  const answers = await askApi(source, chosen, held, allowance, services.signal);
  const found = chosen.flatMap(({ day }): Recount[] => {
    const counted = answers.counted.get(day);
    return counted === undefined ? [] : [{ day, counted, held: held.get(day) ?? 0, countedAtMs }];
  });
  const recounts = found.length === 0 ? [] : await lake.recordRecounts(services.newRunId, found, over.version);
  const recorded = new Set(recounts.map(({ day }) => day));
  const overtaken = found.map(({ day }) => day).filter((day) => !recorded.has(day));
  const unconfirmed = [...answers.unconfirmed, ...overtaken].sort();
  if (recounts.length > 0) {
    await rememberReconciliation(lake, recounts.map(comparedDay), { over, atMs: countedAtMs }, services.newRunId);
  }
  const late = recounts.filter(isRefuting);
  const wasRefuted = new Set(chosen.filter(({ refutedBy }) => refutedBy !== null).map(({ day }) => day));
  return {
    sealed,
    due: asked.length,
    counted: recounts.length,
    late: late
      .map(({ day, counted, held: inLake }) => ({ day, inApi: counted, inLake }))
      .sort((a, b) => (a.day < b.day ? -1 : 1)),
    settled: recounts
      .filter((recount) => !isRefuting(recount) && wasRefuted.has(recount.day))
      .map(({ day }) => day)
      .sort(),
    unconfirmed,
    left: asked.length - recounts.length - unconfirmed.length,
    nextDueAtMs,
    requests: ends.requestsMade() - atFirst,
  };
}

/** By the earlier of both clocks. That of the gateway costs a login, so it is read only where something may be due. */
async function dueNow(
  { source, lake }: ExportEndpoints,
  { within, doubted }: RecountRequest,
  services: RunServices,
): Promise<RecountSchedule> {
  const ownMs = services.clock.nowMs();
  const byOwn = await recountSchedule(lake, ownMs, within, doubted);
  if (byOwn.due.length === 0) return byOwn;
  const { nowMs } = await readClocks(source, services);
  return nowMs >= ownMs ? byOwn : recountSchedule(lake, nowMs, within, doubted);
}

/** The most urgent days that one histogram can hold. */
function chooseDays(due: readonly DueDay[]): readonly DueDay[] {
  const chosen: DueDay[] = [];
  let span: TimeRange | null = null;
  for (const one of due) {
    const { startMs, endMs } = rangeOfDays(one.day);
    const next: TimeRange = {
      startMs: Math.min(span?.startMs ?? startMs, startMs),
      endMs: Math.max(span?.endMs ?? endMs, endMs),
    };
    if (next.endMs - next.startMs > MOST_DAYS_AT_ONCE * MS_PER_DAY) continue;
    if (chosen.push(one) === MOST_DAYS) break;
    span = next;
  }
  return chosen;
}

/** What the data files hold of each day, and rejects without a time, which only proofs count. */
async function heldOn(lake: ExportEndpoints['lake'], due: readonly DueDay[]): Promise<ReadonlyMap<Day, number>> {
  const stored = await lake.countStored(
    due.map(({ day }) => rangeOfDays(day)),
    'event',
  );
  const lines = (await lake.coverage()).filter(({ scope }) => scope === scopeText(NO_FILTER));
  const undated = new Map(lines.map((line) => [line.day, line.undated]));
  return new Map(due.map(({ day }, position) => [day, (stored[position] ?? 0) + (undated.get(day) ?? 0)]));
}

interface Allowance {
  /** Whether this number of further requests may be made. */
  isLeft(requests: number): boolean;
}

/** Counts that two answers of different kinds confirm. */
interface ConfirmedCounts {
  readonly counted: ReadonlyMap<Day, number>;
  readonly unconfirmed: readonly Day[];
}

async function askApi(
  source: EventSource,
  due: readonly DueDay[],
  held: ReadonlyMap<Day, number>,
  allowance: Allowance,
  signal: AbortSignal,
): Promise<ConfirmedCounts> {
  const days = due.map(({ day }) => day);
  const counted = new Map<Day, number>();
  const histogram = await addedUp(source, days, allowance, signal);
  if (histogram.answer === 'left') return { counted, unconfirmed: [] };
  if (histogram.answer === 'contradictory') return { counted, unconfirmed: days };
  const unconfirmed: Day[] = [];
  for (const { day, refutedBy } of due) {
    const inLake = held.get(day) ?? 0;
    const first = histogram.answer === 'counts' ? (histogram.counts.get(day) ?? 0) : null;
    if (first !== null && first <= inLake && refutedBy === null) {
      counted.set(day, first);
      continue;
    }
    if (!allowance.isLeft(first === null ? 3 : 1)) continue;
    const range = rangeOfDays(day);
    const [one, other] =
      first === null ? await countTwice(source, range, inLake, signal) : [first, await countOn(source, range, signal)];
    // Both say that something is missing, or both say that nothing is. More may have come between the two.
    const isMissing = one > inLake;
    // A gateway that has lost its data for a while counts too little, again and again: of what was missing before, the
    // lake must hold as much by now, or the API must count exactly what the lake holds.
    const isSettled = refutedBy === null || inLake >= refutedBy.counted || (one === inLake && other === inLake);
    if (isMissing === other > inLake && (isMissing || isSettled)) counted.set(day, Math.min(one, other));
    else unconfirmed.push(day);
  }
  return { counted, unconfirmed };
}

type Histogram =
  | { readonly answer: 'counts'; readonly counts: ReadonlyMap<Day, number> }
  | { readonly answer: 'none' | 'contradictory' | 'left' };

/**
 * The histogram of the days from the first to the last, if its buckets add up to a count of the same span. Asked twice
 * at most, because events may arrive between the two requests. `left`: the allowance is too small for both.
 */
async function addedUp(
  source: EventSource,
  days: readonly Day[],
  allowance: Allowance,
  signal: AbortSignal,
): Promise<Histogram> {
  const sorted = [...days].sort();
  const range = rangeOfDays(sorted[0] ?? '', sorted.at(-1) ?? '');
  for (let attempt = 0; attempt < 2; attempt += 1) {
    if (source.histogram === null) return { answer: 'none' };
    if (!allowance.isLeft(2)) return { answer: attempt === 0 ? 'left' : 'contradictory' };
    try {
      const buckets = await source.histogram(queryOf(range), MS_PER_DAY, signal);
      const total = await countOn(source, range, signal);
      if (sum(buckets, ({ count }) => count) !== total) continue;
      return { answer: 'counts', counts: countsByDay(buckets) };
    } catch (thrown) {
      // A platform without histograms refuses the first request; from then on the source reports that it has none.
      if (source.histogram !== null) brokenAnswer(thrown);
    }
  }
  return { answer: source.histogram === null ? 'none' : 'contradictory' };
}

/** A count of a day, and where it is not what the lake holds, the sum of the counts of its halves. */
async function countTwice(
  source: EventSource,
  range: TimeRange,
  inLake: number,
  signal: AbortSignal,
): Promise<readonly [number, number]> {
  const whole = await countOn(source, range, signal);
  if (whole === inLake) return [whole, whole];
  const middleMs = range.startMs + MS_PER_DAY / 2;
  const first = await countOn(source, { ...range, endMs: middleMs }, signal);
  return [whole, first + (await countOn(source, { ...range, startMs: middleMs }, signal))];
}

function countOn(source: EventSource, range: TimeRange, signal: AbortSignal): Promise<number> {
  return source.count(queryOf(range), signal);
}

function queryOf(range: TimeRange): EventQuery {
  return { axis: 'event', range, cuts: [], scope: NO_FILTER };
}

/** As a comparison leaves it for the calendar. */
function comparedDay({
  day,
  counted,
  held,
}: Recount): Pick<ReconciledDay, 'day' | 'eventType' | 'verdict' | 'inApi' | 'difference'> {
  const verdict = counted > held ? 'late' : 'match';
  return { day, eventType: null, verdict, inApi: counted, difference: held - counted };
}
