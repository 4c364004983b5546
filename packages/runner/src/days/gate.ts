import {
  type Day,
  dayOf,
  isAhead,
  MS_PER_DAY,
  type QueryScope,
  rangeOfDays,
  SETTLE_LAG_MS,
  startOfDayMs,
  type TimeRange,
  wholeDaysOf,
} from '@edrlake/core';
import { type DayCoverage, type Lake, provenDaysOf, scopeText } from '@edrlake/lake';
import { lastReconciliations } from '../reconcile/last-results.ts';
import { followedUpTo, readWatermark, syncedRange } from '../sync/watermark.ts';
import { type DayComparison, standingDifference } from './compared-days.ts';
import type { DayState } from './day-states.ts';

/** `proven`: the log proves the day. `complete`: and no later comparison with the API found a difference. */
export type GateRequirement = 'proven' | 'complete';

/** What is asked of the lake. */
export interface GateQuestion {
  readonly range: TimeRange;
  readonly scope: QueryScope;
  readonly require: GateRequirement;
  /** How long ago everything may be proven up to; null: it does not matter. */
  readonly maxAgeMs: number | null;
  readonly nowMs: number;
}

/** Days that follow each other and are refused for the same cause. */
export interface RefusedDays extends TimeRange {
  readonly state: Exclude<DayState, 'complete'>;
  /** Files of these days are gone or cut. */
  readonly filesGone: boolean;
  /** When that was counted or compared; null where nothing was ever fetched, or the time is not known. */
  readonly sinceMs: number | null;
}

/** Whether a range may be used, and what is against it. */
export interface GateResult {
  readonly question: GateQuestion;
  readonly version: number;
  /** Days that the range touches. */
  readonly days: number;
  /** Oldest first. */
  readonly refused: readonly RefusedDays[];
  /** Where a sync began, whose next one brings what is missing behind it; null before the first. */
  readonly followedFromMs: number | null;
  /** Up to when the lake is proven, in UTC epoch milliseconds; null: nothing is proven, or no `maxAgeMs` was given. */
  readonly freshUntilMs: number | null;
  /** Whether that is longer ago than `maxAgeMs`, or has not come yet, which says nothing. */
  readonly isStale: boolean;
}

/**
 * Asks for each day of a range whether it is proven. Reads the log, the names and sizes of the files and, for
 * `complete`, the last comparisons; rows only of days where the log does not say how many of them are rejects.
 */
export async function readGate(lake: Lake, question: GateQuestion): Promise<GateResult> {
  const { range, scope, require, nowMs } = question;
  const asked = wholeDaysOf(range);
  const isAll = scope.filter === null && scope.state === null;
  const followed = await lake.provenRanges('processed', scope, SETTLE_LAG_MS);
  const provenIn = (all: readonly DayCoverage[]) => provenDaysOf(all, followed, nowMs);
  const linesIn = async (part?: TimeRange) =>
    (await lake.coverage(part)).filter((line) => line.scope === scopeText(scope));
  const lines = await linesIn(range);
  const comparisons = isAll && require === 'complete' ? await lastReconciliations(lake) : new Map();
  const isAnyWrong = lines.some(({ verdict }) => verdict === 'mismatched');
  const lost = lostDays(isAnyWrong ? await lake.lostFiles(range) : []);
  const refused = refusedDays(asked, { proven: provenIn(lines), lines, comparisons, lost, nowMs });
  const lastProvenMs = async () => provenIn(await linesIn()).at(-1)?.endMs ?? null;
  return {
    question,
    version: (await lake.snapshot()).version,
    days: (asked.endMs - asked.startMs) / MS_PER_DAY,
    refused,
    followedFromMs: await readWatermark(lake, 'processed', scope),
    ...(await freshnessOf(lake, question, lastProvenMs)),
  };
}

async function freshnessOf(
  lake: Lake,
  { scope, nowMs, maxAgeMs }: GateQuestion,
  lastProvenMs: () => Promise<number | null>,
): Promise<Pick<GateResult, 'freshUntilMs' | 'isStale'>> {
  if (maxAgeMs === null) return { freshUntilMs: null, isStale: false };
  const freshUntilMs =
    followedUpTo(await syncedRange(lake, 'processed', scope, nowMs)) ??
    followedUpTo(await syncedRange(lake, 'event', scope, nowMs)) ??
    (await lastProvenMs());
  return { freshUntilMs, isStale: isOlderThan(freshUntilMs, maxAgeMs, nowMs) };
}

/** Whether what is proven up to an instant is too old; also where nothing is, or the instant has not come yet. */
export function isOlderThan(freshUntilMs: number | null, maxAgeMs: number, nowMs: number): boolean {
  return freshUntilMs === null || isAhead(freshUntilMs, nowMs) || nowMs - freshUntilMs > maxAgeMs;
}

/** What the lake says about the days of a range, for one scope. */
export interface KnownDays {
  /** Whole days, oldest first, apart from each other. */
  readonly proven: readonly TimeRange[];
  /** Oldest first. */
  readonly lines: readonly DayCoverage[];
  readonly comparisons: ReadonlyMap<Day, DayComparison>;
  /** Days with files that are gone or cut. */
  readonly lost: ReadonlySet<Day>;
  readonly nowMs: number;
}

/**
 * The days of a range that do not pass, oldest first, neighbours of one cause together. The work grows with what is
 * known of the range, not with its length.
 * @param asked whole days
 */
export function refusedDays(asked: TimeRange, known: KnownDays): RefusedDays[] {
  const { proven, lines, comparisons, lost, nowMs } = known;
  const instants = new Set([asked.startMs, asked.endMs]);
  const divide = (ms: number) => {
    if (ms > asked.startMs && ms < asked.endMs) instants.add(ms);
  };
  for (const range of [
    ...proven,
    ...lines.map(({ day, lastDay }) => rangeOfDays(day, lastDay)),
    ...[...comparisons.keys(), ...lost].map((day) => rangeOfDays(day)),
  ]) {
    divide(range.startMs);
    divide(range.endMs);
  }
  divide(startOfDayMs(dayOf(nowMs - SETTLE_LAG_MS)));
  const sorted = [...instants].sort((a, b) => a - b);
  const refused: RefusedDays[] = [];
  let [nextLine, nextProven] = [0, 0];
  for (const [position, startMs] of sorted.entries()) {
    const endMs = sorted[position + 1];
    if (endMs === undefined) break;
    while (nextLine < lines.length && startOfDayMs(lines[nextLine]?.lastDay ?? '') < startMs) nextLine += 1;
    while (nextProven < proven.length && (proven[nextProven]?.endMs ?? 0) <= startMs) nextProven += 1;
    const found = lines[nextLine];
    const line = found !== undefined && startOfDayMs(found.day) <= startMs ? found : null;
    const compared = comparisons.get(dayOf(startMs)) ?? null;
    const about = {
      isProven: (proven[nextProven]?.startMs ?? Number.POSITIVE_INFINITY) <= startMs,
      line,
      difference: standingDifference(compared, line, nowMs),
      comparedAtMs: compared?.atMs ?? null,
      filesGone: lost.has(dayOf(startMs)),
      isOver: startMs + MS_PER_DAY + SETTLE_LAG_MS <= nowMs,
    };
    const cause = causeOf(about);
    if (cause === null) continue;
    const previous = refused.at(-1);
    const isSame =
      previous?.endMs === startMs &&
      previous.state === cause.state &&
      previous.sinceMs === cause.sinceMs &&
      previous.filesGone === cause.filesGone;
    if (isSame) refused[refused.length - 1] = { ...previous, endMs };
    else refused.push({ startMs, endMs, ...cause });
  }
  return refused;
}

/** Why a day does not pass; null where it does. */
function causeOf({
  isProven,
  line,
  difference,
  comparedAtMs,
  filesGone,
  isOver,
}: {
  readonly isProven: boolean;
  readonly line: DayCoverage | null;
  readonly difference: ReturnType<typeof standingDifference>;
  readonly comparedAtMs: number | null;
  readonly filesGone: boolean;
  readonly isOver: boolean;
}): Omit<RefusedDays, 'startMs' | 'endMs'> | null {
  const sinceMs = line?.lastVerifiedAtMs ?? null;
  if (isProven) {
    return difference === null ? null : { state: difference, filesGone: false, sinceMs: comparedAtMs };
  }
  if (filesGone) return { state: 'mismatched', filesGone, sinceMs: null };
  if (line?.recount !== undefined) return { state: 'late', filesGone, sinceMs: line.recount.countedAtMs };
  if (line?.verdict === 'mismatched' || line?.verdict === 'rejected')
    return { state: line.verdict, filesGone, sinceMs };
  if (!isOver) return { state: 'open', filesGone, sinceMs: null };
  if (line === null || line.lastVerifiedAtMs === null) return { state: 'unplanned', filesGone, sinceMs: null };
  return { state: line.verdict === 'unverified' ? 'unverified' : 'partial', filesGone, sinceMs };
}

/** Days of which files are gone or cut. */
export function lostDays(lostFiles: readonly string[]): ReadonlySet<Day> {
  return new Set(lostFiles.map(dayOfPath).filter((day) => day !== ''));
}

/** The day of `events/event_date=2020-08-17/….parquet`; empty for rejects, which are filed by the day of fetching. */
function dayOfPath(path: string): Day {
  return /\/event_date=([^/]+)\//.exec(path)?.[1] ?? '';
}
