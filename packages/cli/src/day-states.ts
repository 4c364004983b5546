import { type Day, dayOf, MS_PER_DAY, startOfDayMs, type TimeRange } from '@edrlake/core';
import type { DayCoverage } from '@edrlake/lake';

/**
 * How a day stands, worst first. `mismatched`: what was fetched is not what the API counted, or ids are stored twice.
 * `missing`: the lake has lost events it held. `late`: the API has gained events since. `partial`: some of the day was
 * never proven. `unplanned`: nothing of it was ever fetched. `complete`: the lake holds all of it.
 */
export const DAY_STATES = ['mismatched', 'missing', 'late', 'partial', 'unplanned', 'complete'] as const;
/** One of the states. */
export type DayState = (typeof DAY_STATES)[number];

/** What the last comparison with the API said about a day. */
export interface DayComparison {
  readonly verdict: 'match' | 'late' | 'missing' | 'duplicate' | 'unverified';
  readonly atMs: number;
}

/** The days of a lake, one scope of them. */
export interface Calendar {
  /** `all`, or the filter most days were fetched under. */
  readonly scope: string;
  /** Every day from the first to the last that the lake knows, without a gap; empty in an empty lake. */
  readonly days: readonly { readonly day: Day; readonly state: DayState }[];
  readonly counts: Readonly<Record<DayState, number>>;
}

/**
 * Puts together what proofs and comparisons say; whichever is younger counts.
 * @param lines oldest first
 * @param followed the processing time that was synced without a gap. Nothing is processed before it happens, so a day that
 * lies inside is as complete as one that was fetched by its own time.
 */
export function calendarOf(
  lines: readonly DayCoverage[],
  comparisons: ReadonlyMap<Day, DayComparison>,
  followed: TimeRange | null,
): Calendar {
  const scope = mainScope(lines);
  const ofScope = new Map(lines.filter((line) => line.scope === scope).map((line) => [line.day, line]));
  const days: { day: Day; state: DayState }[] = [];
  const counts = Object.fromEntries(DAY_STATES.map((state) => [state, 0])) as Record<DayState, number>;
  const known = [...ofScope.keys(), ...(scope === 'all' ? comparisons.keys() : [])].sort();
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined) return { scope, days, counts };
  const endMs = Math.max(startOfDayMs(last) + MS_PER_DAY, scope === 'all' ? (followed?.endMs ?? 0) : 0);
  for (let ms = startOfDayMs(first); ms < endMs; ms += MS_PER_DAY) {
    const day = dayOf(ms);
    const fetched = stateOf(ofScope.get(day), scope === 'all' ? comparisons.get(day) : undefined);
    const state = scope === 'all' ? withFollowed(fetched, ms, followed) : fetched;
    days.push({ day, state });
    counts[state] += 1;
  }
  return { scope, days, counts };
}

/** How one day stands. */
function stateOf(line: DayCoverage | undefined, compared: DayComparison | undefined): DayState {
  if (compared !== undefined && compared.atMs >= (line?.lastVerifiedAtMs ?? 0)) {
    if (compared.verdict === 'match') return 'complete';
    if (compared.verdict === 'duplicate') return 'mismatched';
    if (compared.verdict !== 'unverified') return compared.verdict;
  }
  return line?.verdict ?? 'unplanned';
}

/** What following adds to a day that was not, or not wholly, fetched by its own time. */
function withFollowed(state: DayState, startMs: number, followed: TimeRange | null): DayState {
  if (followed === null || (state !== 'partial' && state !== 'unplanned')) return state;
  if (startMs >= followed.endMs || startMs + MS_PER_DAY <= followed.startMs) return state;
  return followed.startMs <= startMs && startMs + MS_PER_DAY <= followed.endMs ? 'complete' : 'partial';
}

/** The state that stands for several days; of complete and unplanned ones together: partial. null for no day. */
export function worstOf(states: readonly DayState[]): DayState | null {
  const worst = DAY_STATES.find((state) => states.includes(state)) ?? null;
  return worst === 'unplanned' && states.includes('complete') ? 'partial' : worst;
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
