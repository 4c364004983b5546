import { type Day, dayOf, isAhead, MS_PER_DAY, SETTLE_LAG_MS, startOfDayMs, type TimeRange } from '@edrlake/core';
import type { DayCoverage } from '@edrlake/lake';
import { type DayComparison, isFoundEqual, standingDifference } from './compared-days.ts';
import { DAY_STATES, type DayState } from './day-states.ts';

/** Days that follow each other and stand the same, from midnight to midnight. */
export interface DaySpan extends TimeRange {
  readonly state: DayState;
}

/** The days of a lake, one scope of them. */
export interface Calendar {
  /** `all`, or the filter most days were fetched under. */
  readonly scope: string;
  /**
   * From the first day the lake knows to the last one, or to today where that is earlier, without a gap; empty in an
   * empty lake.
   */
  readonly spans: readonly DaySpan[];
  /** Days in each state. */
  readonly counts: Readonly<Record<DayState, number>>;
}

/** What is known of the days of a lake. */
export interface DayKnowledge {
  /** Oldest first. */
  readonly lines: readonly DayCoverage[];
  readonly comparisons: ReadonlyMap<Day, DayComparison>;
  /** Days with files that are gone or cut. */
  readonly lost: ReadonlySet<Day>;
  /**
   * The processing time that was synced without a gap and had settled then. Nothing is processed before it happens, so
   * a day that is inside is as complete as one that was fetched by its own time.
   */
  readonly followed: TimeRange | null;
  readonly nowMs: number;
}

/**
 * Combines proofs and comparisons; the newer counts. The time grows with what is known, not with the number of days.
 */
export function calendarOf({ lines, comparisons, lost, followed, nowMs }: DayKnowledge): Calendar {
  const scope = mainScope(lines);
  const isAll = scope === 'all';
  const ofScope = lines.filter((line) => line.scope === scope);
  const known = new Set<number>();
  for (const { day, lastDay } of ofScope) known.add(startOfDayMs(day)).add(startOfDayMs(lastDay) + MS_PER_DAY);
  for (const day of isAll ? [...comparisons.keys(), ...lost] : []) {
    known.add(startOfDayMs(day)).add(startOfDayMs(day) + MS_PER_DAY);
  }
  const counts = Object.fromEntries(DAY_STATES.map((state) => [state, 0])) as Record<DayState, number>;
  if (known.size === 0) return { scope, spans: [], counts };
  const firstMs = smallest(known);
  const followedUntilMs = isAll && followed !== null ? followed.endMs : 0;
  const tomorrowMs = midnightBefore(nowMs) + MS_PER_DAY;
  const endMs = Math.min(Math.max(largest(known), midnightAfter(followedUntilMs)), tomorrowMs);
  // What is followed, and what has settled, begins and ends inside days: these stand alone.
  for (const instantMs of [followed?.startMs, followed?.endMs, nowMs - SETTLE_LAG_MS]) {
    if (instantMs !== undefined) known.add(midnightBefore(instantMs)).add(midnightBefore(instantMs) + MS_PER_DAY);
  }
  const starts = [...known].filter((ms) => ms >= firstMs && ms < endMs).sort((a, b) => a - b);
  const spans: DaySpan[] = [];
  let next = 0;
  for (const [position, startMs] of starts.entries()) {
    const range = { startMs, endMs: starts[position + 1] ?? endMs };
    while (next < ofScope.length && startOfDayMs(ofScope[next]?.lastDay ?? '') < startMs) next += 1;
    const line = ofScope[next];
    const covering = line !== undefined && startOfDayMs(line.day) <= startMs ? line : undefined;
    const compared = isAll ? comparisons.get(dayOf(startMs)) : undefined;
    const isLost = lost.has(dayOf(startMs));
    const fetched = stateOf({ line: covering, compared, isLost }, range, nowMs);
    const state = asOfNow(isAll ? withFollowed(fetched, range, followed) : fetched, range, nowMs);
    counts[state] += (range.endMs - range.startMs) / MS_PER_DAY;
    const previous = spans.at(-1);
    if (previous?.state === state) spans[spans.length - 1] = { ...previous, endMs: range.endMs };
    else spans.push({ ...range, state });
  }
  return { scope, spans, counts };
}

/** How days stand that are known alike. */
function stateOf(
  {
    line,
    compared,
    isLost,
  }: {
    readonly line: DayCoverage | undefined;
    readonly compared: DayComparison | undefined;
    readonly isLost: boolean;
  },
  { endMs }: TimeRange,
  nowMs: number,
): DayState {
  // Equal numbers of one histogram do not settle what a count of the day has found; the next recount does.
  const isOverruled = line?.recount !== undefined && (compared === undefined || compared.verdict === 'match');
  if (isOverruled && !isLost) return 'late';
  if (compared !== undefined) {
    const difference = standingDifference(compared, line ?? null, nowMs);
    if (difference !== null) return difference;
    // Equal numbers say something about a whole day only after it has settled, and only by a clock that can be
    // believed.
    const isWholeDay = compared.atMs >= endMs + SETTLE_LAG_MS && !isAhead(compared.atMs, nowMs);
    // What was equal then may be gone since.
    if (isFoundEqual(compared, line ?? null) && isWholeDay && !isLost) return 'complete';
  }
  return isLost ? 'mismatched' : (line?.verdict ?? 'unplanned');
}

/** States that more proofs make complete. */
const UNFINISHED_STATES: readonly DayState[] = ['unverified', 'partial', 'open', 'unplanned'];

/** What following adds to days that were not, or not wholly, fetched by their own time. */
function withFollowed(state: DayState, { startMs, endMs }: TimeRange, followed: TimeRange | null): DayState {
  if (followed === null || !UNFINISHED_STATES.includes(state)) return state;
  if (startMs >= followed.endMs || endMs <= followed.startMs) return state;
  if (followed.startMs <= startMs && endMs <= followed.endMs) return 'complete';
  return state === 'unverified' ? state : 'partial';
}

/** A day of which more will come lacks nothing yet. */
function asOfNow(state: DayState, { endMs }: TimeRange, nowMs: number): DayState {
  return state === 'partial' && endMs + SETTLE_LAG_MS > nowMs ? 'open' : state;
}

/** The state of several days; of complete and unplanned ones together: partial. null for no day. */
export function worstOf(states: readonly DayState[]): DayState | null {
  const worst = DAY_STATES.find((state) => states.includes(state)) ?? null;
  return worst === 'unplanned' && (states.includes('complete') || states.includes('open')) ? 'partial' : worst;
}

/** The state of the day; null for a day the calendar does not hold. */
export function stateOn({ spans }: Calendar, day: Day): DayState | null {
  const startMs = startOfDayMs(day);
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((spans[middle]?.endMs ?? 0) <= startMs) low = middle + 1;
    else high = middle;
  }
  const span = spans[low];
  return span !== undefined && span.startMs <= startMs ? span.state : null;
}

/** Everything where anything was fetched under no filter, else the scope of most days. */
function mainScope(lines: readonly DayCoverage[]): string {
  const counts = new Map<string, number>();
  for (const { scope, lastVerifiedAtMs } of lines) {
    if (scope === 'all' && lastVerifiedAtMs !== null) return scope;
    counts.set(scope, (counts.get(scope) ?? 0) + (scope === 'all' ? 0 : 1));
  }
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 'all';
}

function midnightBefore(ms: number): number {
  return Math.floor(ms / MS_PER_DAY) * MS_PER_DAY;
}

function midnightAfter(ms: number): number {
  return Math.ceil(ms / MS_PER_DAY) * MS_PER_DAY;
}

function smallest(values: Iterable<number>): number {
  let found = Number.POSITIVE_INFINITY;
  for (const value of values) found = Math.min(found, value);
  return found;
}

function largest(values: Iterable<number>): number {
  let found = Number.NEGATIVE_INFINITY;
  for (const value of values) found = Math.max(found, value);
  return found;
}
