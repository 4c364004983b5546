import {
  type Day,
  dayOf,
  daysOf,
  MS_PER_DAY,
  NO_FILTER,
  rangeOfDays,
  SETTLE_LAG_MS,
  type TimeRange,
} from '@edrlake/core';
import { isRefuting, type Lake, type LoggedRecount, provenDaysOf, type Snapshot, scopeText } from '@edrlake/lake';

/** How long after a day was proven it is counted again, in days. */
export const RECOUNT_AFTER_DAYS: readonly number[] = [1, 3, 7, 30, 90];

/** A day to count again. */
export interface DueDay {
  readonly day: Day;
  /** The recount that refutes it; null for a proven day. */
  readonly refutedBy: LoggedRecount | null;
}

/** The days of a lake that stand in the schedule of recounts. */
export interface RecountSchedule {
  /** Proven days, those that a recount refutes not among them. */
  readonly sealed: number;
  /** The most urgent first: refuted ones, then those that wait longest, as a share of the interval that is over. */
  readonly due: readonly DueDay[];
  /** When the next one is due that is not yet; null where none will be. */
  readonly nextDueAtMs: number | null;
}

/**
 * Which days are to be counted again. A proven day is due once for each interval that has passed since it was proven;
 * intervals that passed together cost one recount. A day that a recount refutes is due until it is complete again.
 * @param within only days of this range; null: all
 * @param doubted proven days that are due in any case
 */
export async function recountSchedule(
  lake: Lake,
  nowMs: number,
  within: TimeRange | null = null,
  doubted: ReadonlySet<Day> = new Set(),
): Promise<RecountSchedule> {
  const snapshot = await lake.snapshot();
  const lines = (await lake.coverage(within ?? undefined)).filter(({ scope }) => scope === scopeText(NO_FILTER));
  const followed = await lake.provenRanges('processed', NO_FILTER, SETTLE_LAG_MS);
  const [firstDay, lastDay] = within === null ? ['', '9999-12-31'] : [dayOf(within.startMs), dayOf(within.endMs - 1)];
  const isAsked = (day: Day) => firstDay <= day && day <= lastDay;
  const byLine = new Map(lines.map((line) => [line.day, line]));
  const followedAt = followedSince(snapshot);
  const recounts = new Map(snapshot.recounts.map((recount) => [recount.day, recount]));
  const refuted = snapshot.recounts.filter((recount) => isRefuting(recount) && isAsked(recount.day));
  const due: { readonly day: Day; readonly waits: number }[] = [];
  let sealed = 0;
  let nextDueAtMs: number | null = null;
  for (const day of provenDaysOf(lines, followed, nowMs).flatMap(daysOf).filter(isAsked)) {
    sealed += 1;
    const line = byLine.get(day);
    const { endMs } = rangeOfDays(day);
    const ownMs = line?.verdict === 'complete' ? line.lastVerifiedAtMs : null;
    const sealedAtMs = ownMs ?? Math.max(followedAt(endMs), endMs + SETTLE_LAG_MS);
    const { waits, nextMs } = waitOf(sealedAtMs, recounts.get(day) ?? null, nowMs);
    if (waits !== null || doubted.has(day)) due.push({ day, waits: waits ?? 0 });
    if (nextMs !== null) nextDueAtMs = Math.min(nextDueAtMs ?? nextMs, nextMs);
  }
  due.sort((a, b) => b.waits - a.waits || (a.day < b.day ? 1 : -1));
  return {
    sealed,
    due: [
      ...refuted.map((recount) => ({ day: recount.day, refutedBy: recount })),
      ...due.map(({ day }) => ({ day, refutedBy: null })),
    ],
    nextDueAtMs,
  };
}

/**
 * When a day is due: how long it has waited for its recount, as a share of the interval that is over, and when the next
 * interval is.
 */
function waitOf(
  sealedAtMs: number,
  recount: LoggedRecount | null,
  nowMs: number,
): { readonly waits: number | null; readonly nextMs: number | null } {
  const next = RECOUNT_AFTER_DAYS.find((days) => sealedAtMs + days * MS_PER_DAY > nowMs);
  const nextMs = next === undefined ? null : sealedAtMs + next * MS_PER_DAY;
  const over = RECOUNT_AFTER_DAYS.findLast((days) => sealedAtMs + days * MS_PER_DAY <= nowMs);
  if (over === undefined) return { waits: null, nextMs };
  const dueAtMs = sealedAtMs + over * MS_PER_DAY;
  // A recount that is dated ahead of now was made by a clock that was wrong: it does not count.
  const isDone = recount !== null && recount.countedAtMs >= dueAtMs && recount.countedAtMs <= nowMs;
  return { waits: isDone ? null : (nowMs - dueAtMs) / (over * MS_PER_DAY), nextMs };
}

/**
 * When the end of a day was first followed by processing time: the earliest date of the proofs that reach over it.
 * Proofs are many, days are asked for in order of time: one sorted list, and a search in it.
 */
function followedSince({ proofs }: Snapshot): (endMs: number) => number {
  const byDay = new Map<Day, number>();
  for (const { window, verdict, verifiedAtMs } of proofs) {
    const { axis, range, scope } = window;
    if (axis !== 'processed' || verdict !== 'proven' || scopeText(scope) !== scopeText(NO_FILTER)) continue;
    const firstMs = Math.ceil((range.startMs + 1) / MS_PER_DAY) * MS_PER_DAY;
    for (let ms = firstMs; ms <= range.endMs; ms += MS_PER_DAY) {
      const day = dayOf(ms - MS_PER_DAY);
      byDay.set(day, Math.min(byDay.get(day) ?? verifiedAtMs, verifiedAtMs));
    }
  }
  return (endMs) => byDay.get(dayOf(endMs - MS_PER_DAY)) ?? 0;
}
