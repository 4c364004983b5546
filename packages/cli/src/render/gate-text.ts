import {
  type Day,
  dayOf,
  isoInstant,
  MS_PER_DAY,
  type QueryScope,
  SETTLE_LAG_MS,
  startOfDayMs,
  type TimeRange,
} from '@edrlake/core';
import { type DayCoverage, type Lake, provenDaysOf, scopeText } from '@edrlake/lake';
import { type LastReconciliation, lastReconciliations, readWatermark, watermarkOf } from '@edrlake/runner/history';
import { countText, instantText, nounText, rangeFlagsText } from '../text/format-numbers.ts';
import type { DayState } from './day-states.ts';
import { stalenessOf } from './status-text.ts';

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
  /** ` --lake DIR --dataset NAME` as far as typed, for commands to paste; empty where settings name the lake. */
  readonly lakeFlags: string;
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
  /** What is wrong with the age of the lake, in words; null where nothing is. */
  readonly stale: string | null;
}

/** As for the commands that fetch: what is not there yet, what disagrees, what was rejected. */
const EXIT_CODES = { passes: 0, unfinished: 3, disagrees: 4, rejected: 6 } as const;

/** States in which the lake and the API are known to differ. */
const DIFFERENT: ReadonlySet<DayState> = new Set(['mismatched', 'missing', 'late']);

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
  const lost = new Set(isAnyWrong ? (await lake.lostFiles(range)).map(dayOfPath) : []);
  const refused = refusedDays(asked, { proven: provenIn(lines), lines, comparisons, lost, nowMs });
  const lastProvenMs = async () => provenIn(await linesIn()).at(-1)?.endMs ?? null;
  return {
    question,
    version: (await lake.snapshot()).version,
    days: (asked.endMs - asked.startMs) / MS_PER_DAY,
    refused,
    followedFromMs: await readWatermark(lake, 'processed', scope),
    stale: question.maxAgeMs === null ? null : await staleText(lake, question, question.maxAgeMs, lastProvenMs),
  };
}

/** As `edrlake status --max-age`. */
async function staleText(
  lake: Lake,
  { scope, nowMs }: GateQuestion,
  maxAgeMs: number,
  lastProvenMs: () => Promise<number | null>,
): Promise<string | null> {
  const freshUntilMs =
    (await watermarkOf(lake, 'processed', scope, nowMs)) ??
    (await watermarkOf(lake, 'event', scope, nowMs)) ??
    (await lastProvenMs());
  return stalenessOf({ freshUntilMs }, maxAgeMs, nowMs);
}

/** What the lake says about the days of a range, for one scope. */
export interface KnownDays {
  /** Whole days, oldest first, apart from each other. */
  readonly proven: readonly TimeRange[];
  /** Oldest first. */
  readonly lines: readonly DayCoverage[];
  readonly comparisons: ReadonlyMap<Day, Pick<LastReconciliation, 'verdict' | 'atMs'>>;
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
  for (const range of [...proven, ...lines.map(daysOfLine), ...[...comparisons.keys(), ...lost].map(rangeOfDay)]) {
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
    const line = lines[nextLine];
    const about = {
      isProven: (proven[nextProven]?.startMs ?? Number.POSITIVE_INFINITY) <= startMs,
      line: line !== undefined && startOfDayMs(line.day) <= startMs ? line : null,
      compared: comparisons.get(dayOf(startMs)) ?? null,
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
  compared,
  filesGone,
  isOver,
}: {
  readonly isProven: boolean;
  readonly line: DayCoverage | null;
  readonly compared: Pick<LastReconciliation, 'verdict' | 'atMs'> | null;
  readonly filesGone: boolean;
  readonly isOver: boolean;
}): Omit<RefusedDays, 'startMs' | 'endMs'> | null {
  const sinceMs = line?.lastVerifiedAtMs ?? null;
  if (isProven) {
    const state = compared !== null && compared.atMs >= (sinceMs ?? 0) ? COMPARED_STATES[compared.verdict] : undefined;
    return state === undefined ? null : { state, filesGone: false, sinceMs: compared?.atMs ?? null };
  }
  if (filesGone) return { state: 'mismatched', filesGone, sinceMs: null };
  if (line?.verdict === 'mismatched' || line?.verdict === 'rejected')
    return { state: line.verdict, filesGone, sinceMs };
  if (!isOver) return { state: 'open', filesGone, sinceMs: null };
  if (line === null || line.lastVerifiedAtMs === null) return { state: 'unplanned', filesGone, sinceMs: null };
  return { state: line.verdict === 'unverified' ? 'unverified' : 'partial', filesGone, sinceMs };
}

/** What a comparison says against a proven day. */
const COMPARED_STATES: Partial<Record<LastReconciliation['verdict'], 'late' | 'missing' | 'mismatched'>> = {
  late: 'late',
  missing: 'missing',
  duplicate: 'mismatched',
};

/** The worst of all causes: 0 exactly where every day passes. */
export function gateExitCode({ refused, stale }: GateResult): number {
  if (stale !== null || refused.some(({ state }) => DIFFERENT.has(state))) return EXIT_CODES.disagrees;
  if (refused.some(({ state }) => state === 'rejected')) return EXIT_CODES.rejected;
  return refused.length > 0 ? EXIT_CODES.unfinished : EXIT_CODES.passes;
}

/** Days shown one by one; `--json` has all of them. */
const SHOWN_DAYS = 400;

/** One line for each day that does not pass, and a sentence. @param width null: lines may have any length */
export function gateText(result: GateResult, width: number | null): string {
  const { refused, days, question, stale } = result;
  const lines: string[] = [];
  let count = 0;
  for (const span of refused) {
    for (let startMs = span.startMs; startMs < span.endMs; startMs += MS_PER_DAY) {
      count += 1;
      if (count > SHOWN_DAYS) {
        count += (span.endMs - startMs) / MS_PER_DAY - 1;
        break;
      }
      lines.push(...dayLines({ ...span, startMs, endMs: startMs + MS_PER_DAY }, result, width));
    }
  }
  if (count > SHOWN_DAYS) lines.push(`… and ${nounText(count - SHOWN_DAYS, 'more day')}; --json lists all of them`);
  const word = question.require;
  lines.push(
    count === 0
      ? `${nounText(days, 'day')}, all ${word}.`
      : `${nounText(count, 'day')} of ${countText(days)} not ${word}.`,
  );
  if (stale !== null) lines.push(stale);
  return `${lines.join('\n')}\n`;
}

function dayLines(span: RefusedDays, result: GateResult, width: number | null): string[] {
  const about = [dayOf(span.startMs), span.filesGone ? 'files gone' : span.state, sinceText(span)];
  const text = about.filter((part) => part !== '').join('  ');
  const command = commandFor(span, result);
  const line = `${text}  ${command}`;
  return width === null || line.length <= width ? [line] : [text, `  ${command}`];
}

function sinceText({ state, sinceMs, endMs }: RefusedDays): string {
  if (state === 'open') return `until ${instantText(endMs + SETTLE_LAG_MS)}`;
  return sinceMs === null ? '' : `since ${instantText(Math.floor(sinceMs / 1_000) * 1_000)}`;
}

/** The command that puts the days right. */
function commandFor({ state, startMs, endMs }: RefusedDays, { question, followedFromMs }: GateResult): string {
  const days = rangeFlagsText({ startMs, endMs });
  const { filter, state: onlyState } = question.scope;
  const isAll = filter === null && onlyState === null;
  const [filterFlag, stateFlag] = [
    filter === null ? '' : ` --filter ${shellText(filter)}`,
    onlyState === null ? '' : ` --state ${onlyState}`,
  ];
  const rest = `${filterFlag}${stateFlag}${question.lakeFlags}`;
  if (DIFFERENT.has(state) && isAll) return `edrlake reconcile --repair ${days}${rest}`;
  if (state === 'rejected') return `edrlake backfill --only rejected ${days}${rest}`;
  const isFollowed = followedFromMs !== null && followedFromMs <= startMs;
  if (isFollowed && state !== 'unverified') return `edrlake sync${rest}`;
  return `edrlake backfill ${DIFFERENT.has(state) ? '--force ' : ''}${days}${rest}`;
}

/** A word as a POSIX shell takes it. */
export function shellText(text: string): string {
  return /^[\w./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The result as plain data. `notProven` has an entry for consecutive days of one cause. */
export function gateDocument(result: GateResult) {
  const { question, version, days, refused, stale } = result;
  return {
    passes: gateExitCode(result) === 0,
    require: question.require,
    ...fromTo(wholeDaysOf(question.range)),
    days,
    version,
    stale,
    notProven: refused.map((span) => ({
      ...fromTo(span),
      days: (span.endMs - span.startMs) / MS_PER_DAY,
      state: span.state,
      filesGone: span.filesGone,
      since: span.sinceMs === null ? null : isoInstant(span.sinceMs),
      command: commandFor(span, result),
    })),
  };
}

function fromTo({ startMs, endMs }: TimeRange): { readonly from: Day; readonly to: Day } {
  return { from: dayOf(startMs), to: dayOf(endMs - 1) };
}

function wholeDaysOf({ startMs, endMs }: TimeRange): TimeRange {
  return { startMs: startOfDayMs(dayOf(startMs)), endMs: startOfDayMs(dayOf(endMs - 1)) + MS_PER_DAY };
}

function daysOfLine({ day, lastDay }: DayCoverage): TimeRange {
  return { startMs: startOfDayMs(day), endMs: startOfDayMs(lastDay) + MS_PER_DAY };
}

function rangeOfDay(day: Day): TimeRange {
  return { startMs: startOfDayMs(day), endMs: startOfDayMs(day) + MS_PER_DAY };
}

/** The day of `events/event_date=2020-08-17/….parquet`; empty for rejects, which are filed by the day of fetching. */
function dayOfPath(path: string): Day {
  return /\/event_date=([^/]+)\//.exec(path)?.[1] ?? '';
}
