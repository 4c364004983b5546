import {
  countedTwice,
  type Day,
  dayOf,
  gapsIn,
  intersect,
  NO_FILTER,
  type QueryScope,
  rangeOfDays,
  SETTLE_LAG_MS,
  sum,
  type TimeAxis,
  type TimeRange,
  type WindowFilter,
  type WindowProof,
  wholeDaysOf,
} from '@edrlake/core';
import { sameScope } from '../log/lake-state.ts';
import { rowsByDay, type Snapshot } from '../log/snapshot.ts';
import { type DatedProof, datedProofs } from '../proofs/dated-proofs.ts';
import { isCountedApart, type LoggedOtherVersion } from '../proofs/other-versions.ts';
import { isRefuting, type Recount } from '../proofs/recounts.ts';
import { isProven, joinRanges, type Segment, segmentsOf } from '../proofs/segments.ts';
import { holdsAtom } from '../proofs/window-filters.ts';

/**
 * `complete`: proven windows tile the day, all of it had settled when they were counted, and the lake holds at least
 * what the API counted in them. `open`: the day is not over, or has not settled yet: more of it will come. `partial`:
 * some of the day was never fetched and proven, or before it had settled. `unverified`: in some of the day the API
 * counted nothing, and no empty page confirmed it. `rejected`: everything that the API counted was delivered, but too
 * large a share of some window could not become rows. `mismatched`: the newest proof of some of the day says that the
 * API counted something else than it delivered; or the lake holds fewer rows than the proofs say it received, or than
 * it held before files were lost; or the API has more since, as a recount found.
 */
export type CoverageVerdict = 'complete' | 'open' | 'partial' | 'unverified' | 'rejected' | 'mismatched';

/** The coverage of one UTC day, or of consecutive days that hold nothing, for one scope. */
export interface DayCoverage {
  readonly day: Day;
  /** The same day; or the last of several days that hold nothing and were proven together. */
  readonly lastDay: Day;
  /** `all`, or the user's filter and state. */
  readonly scope: string;
  /**
   * Events that the API counted in the parts of the day that were fetched, including records that became rejects; null
   * where nothing was fetched.
   */
  readonly counted: number | null;
  /** Rows of the day in the lake, of any scope and axis. */
  readonly inLake: number;
  /**
   * Records of the day that could not become rows: those with a readable time that are in the lake and whose event has
   * not come since, of any scope and axis; and the undated.
   */
  readonly rejected: number;
  /** Rejects without a readable time, which only the proofs count: on the first day of their window. */
  readonly undated: number;
  readonly verdict: CoverageVerdict;
  /** When the newest effective proof was made; null where there is none. */
  readonly lastVerifiedAtMs: number | null;
  /** Only where a later count of the day refutes it. */
  readonly recount?: Recount;
}

/** The days of a line as a range. */
export function daysOfLine({ day, lastDay }: Pick<DayCoverage, 'day' | 'lastDay'>): TimeRange {
  return rangeOfDays(day, lastDay);
}

/** Whether something is known against the days of a line: a contradiction of proofs or files, or too many rejects. */
export function isRefuted({ verdict }: Pick<DayCoverage, 'verdict'>): boolean {
  return verdict === 'mismatched' || verdict === 'rejected';
}

/** Rows to be counted in the lake: those of a range that pass some filters and belong to no newer window. */
export interface RowQuestion {
  readonly range: TimeRange;
  /** The rows pass all of these filters … */
  readonly cuts: readonly WindowFilter[];
  /** … and not all of any of these lists. */
  readonly without: readonly (readonly WindowFilter[])[];
  /** Only rejects are counted. */
  readonly rejectsOnly?: boolean;
}

/** The rows in the lake that answer a question. */
export interface RowAnswer {
  readonly events: number;
  /** Rejects with a readable event time. */
  readonly rejects: number;
}

/** Answers questions in their order. */
export type CountRows = (questions: readonly RowQuestion[]) => Promise<readonly RowAnswer[]>;

/**
 * The coverage of every day that has rows or was ever fetched on the event axis, oldest first, a line for each scope.
 * Days that hold nothing and were proven together share a line, so the number of lines depends on what is in the lake
 * and how often it was fetched, not on the length of the ranges.
 *
 * `counted` is the sum of what the newest proofs counted. Where a newer window replaced only a part of an older one,
 * the older one's count of the rest is unknown; the rows and rejects of the rest that are now in the lake are counted
 * instead. Rejects with a readable time are counted in the lake: a proof does not know whose event came later in
 * readable form. Those without one have no day of their own and count on the first day of their window. Records that
 * the API is known to count twice count once, where their event is stored.
 * @param nowMs proofs dated ahead of it are not believed
 */
export async function coverageOf(
  snapshot: Snapshot,
  countRows: CountRows,
  nowMs: number,
  range: TimeRange | null = null,
): Promise<DayCoverage[]> {
  const inLake = rowsByDay(snapshot.files.events ?? []);
  const lossDays = new Set(snapshot.lossDays);
  const lines: DayCoverage[] = [];
  const seen = new Set<Day>();
  // A window of other days does not affect these.
  const proofs = datedProofs(snapshot.proofs, nowMs).filter(
    ({ window }) => range === null || overlaps(window.range, range),
  );
  const rejectDays = new Set(daysOfRejects(snapshot.proofs));
  const refuting = new Map(snapshot.recounts.filter(isRefuting).map((recount) => [recount.day, recount]));
  const daysWithData = new Set([...inLake.keys(), ...lossDays, ...rejectDays, ...refuting.keys()]);
  for (const { scope, proofs: ofScope } of byScope(proofs)) {
    const tallies = await tallyDays(ofScope, { daysWithData, rejectDays }, countRows, range);
    if (sameScope(scope, NO_FILTER)) leaveOutOtherVersions(tallies, snapshot);
    for (const tally of tallies) {
      seen.add(tally.day);
      const line = lineOf(tally, scopeText(scope), inLake.get(tally.day) ?? 0, lossDays.has(tally.day), nowMs);
      lines.push(sameScope(scope, NO_FILTER) ? recounted(line, refuting) : line);
    }
  }
  for (const day of new Set([...inLake.keys(), ...lossDays, ...refuting.keys()])) {
    if (seen.has(day) || (range !== null && !touches(range, day))) continue;
    const nothing = { counted: null, rejected: 0, undated: 0, lastVerifiedAtMs: null };
    const verdict = lossDays.has(day) ? 'mismatched' : isSettled(day, nowMs) ? 'partial' : 'open';
    const known = { day, lastDay: day, scope: scopeText(NO_FILTER), inLake: inLake.get(day) ?? 0 };
    lines.push(recounted({ ...known, verdict, ...nothing }, refuting));
  }
  return lines.sort((a, b) => compare(a.day, b.day) || compare(a.scope, b.scope));
}

/** The line of a day of which the API has more since. */
function recounted(line: DayCoverage, refuting: ReadonlyMap<Day, Recount>): DayCoverage {
  const recount = refuting.get(line.day);
  return recount === undefined ? line : { ...line, verdict: 'mismatched', recount };
}

/**
 * The ranges that the newest proofs of an axis and scope cover: everything that had happened when they were made was
 * fetched. Oldest first, without overlap. On the event axis days that lost rows are left out. The processing times of
 * lost events are unknown, so the other axis keeps its ranges: lost events come back by their day.
 * @param settleLagMs how long after an instant it must have been counted to be taken as proven
 */
export function provenRangesOf(
  snapshot: Snapshot,
  { axis, scope }: { readonly axis: TimeAxis; readonly scope: QueryScope },
  nowMs: number,
  settleLagMs: number,
): TimeRange[] {
  // All proofs are dated together: those of other axes and scopes also show which clock was wrong.
  const dated = datedProofs(snapshot.proofs, nowMs, settleLagMs);
  const asked = dated.filter(({ window }) => window.axis === axis && sameScope(window.scope, scope));
  const proven = segmentsOf(asked).filter(isProven);
  const ranges = joinRanges(proven.map((segment) => segment.range));
  const lost = axis === 'event' ? snapshot.lossDays.map((day) => rangeOfDays(day)) : [];
  return lost.length === 0 ? ranges : ranges.flatMap((range) => gapsIn(range, lost));
}

/** Takes versions of events that are stored under another time out of what was counted where they are listed. */
function leaveOutOtherVersions(
  tallies: readonly DayTally[],
  { otherVersions, proofs }: Pick<Snapshot, 'otherVersions' | 'proofs'>,
): void {
  if (otherVersions.length === 0) return;
  const byDay = new Map(tallies.map((tally) => [tally.day, tally]));
  for (const version of otherVersions) {
    const tally = byDay.get(dayOf(version.eventMs));
    if (tally === undefined || !isInCount(tally, version)) continue;
    if (isCountedApart(version, 'event', proofs)) tally.counted -= 1;
  }
}

/** Whether the number of a window that counted it is in the sum; for other windows the rows of the lake are. */
function isInCount({ segments, windows }: DayTally, version: LoggedOtherVersion): boolean {
  const { eventMs, eventType: type, agentId: agent } = version;
  const segment = segments.find(({ range }) => range.startMs <= eventMs && eventMs < range.endMs);
  const decides = segment?.deciding.find(({ proof }) => holdsAtom(proof.window.cuts, { type, agent }));
  return decides !== undefined && windows.get(decides.proof) === true;
}

/** `all`, or the filter and the state that the user gave. */
export function scopeText({ filter, state }: QueryScope): string {
  if (filter === null && state === null) return 'all';
  return [filter, state === null ? null : `state=${state}`].filter((part) => part !== null).join(' ');
}

interface DayTally {
  readonly day: Day;
  readonly lastDay: Day;
  /** Proven, and settled when it was counted. */
  coveredMs: number;
  isMismatched: boolean;
  isUnverified: boolean;
  isRejected: boolean;
  counted: number;
  datedRejects: number;
  undated: number;
  lastVerifiedAtMs: number;
  /** For each window of the day, whether it is effective for all of its events of the day. */
  readonly windows: Map<DatedProof, boolean>;
  readonly segments: Segment<DatedProof>[];
}

/**
 * @param days `daysWithData`: days with data in addition to those that the proofs name; `rejectDays`: those among them
 * that may hold rejects with a time
 */
async function tallyDays(
  proofs: readonly DatedProof[],
  { daysWithData, rejectDays }: { readonly daysWithData: ReadonlySet<Day>; readonly rejectDays: ReadonlySet<Day> },
  countRows: CountRows,
  range: TimeRange | null,
): Promise<DayTally[]> {
  const tallies = new Map<Day, DayTally>();
  const apart = daysApart(proofs, daysWithData);
  const boundaries = [...midnightsOf(apart), ...proofs.filter(hasUnsettledPart).map(({ settledMs }) => settledMs)];
  for (const segment of segmentsOf(proofs, boundaries)) {
    const part = range === null ? segment : withinDays(segment, range);
    if (part === null) continue;
    const [day, lastDay] = [dayOf(part.range.startMs), dayOf(part.range.endMs - 1)];
    const tally = tallies.get(day) ?? newTally(day, lastDay);
    tallies.set(day, tally);
    addSegment(tally, part);
  }
  const asked: { tally: DayTally; question: RowQuestion; undated?: UndatedRejects }[] = [];
  for (const tally of tallies.values()) {
    const undated = addWholeWindows(tally);
    // Nothing is stored on the other days.
    if (!apart.has(tally.day)) continue;
    for (const some of undated) asked.push({ tally, question: rowsOfWindow(some.proof), undated: some });
    for (const question of remaindersOf(tally)) asked.push({ tally, question });
    if (!rejectDays.has(tally.day)) continue;
    asked.push({ tally, question: { range: rangeOfDays(tally.day), cuts: [], without: [], rejectsOnly: true } });
  }
  const answers = asked.length === 0 ? [] : await countRows(asked.map(({ question }) => question));
  for (const [position, { tally, question, undated }] of asked.entries()) {
    const { events = 0, rejects = 0 } = answers[position] ?? {};
    if (undated !== undefined) tally.undated -= arrivedSince(undated, events + rejects);
    else if (question.rejectsOnly === true) tally.datedRejects = rejects;
    else tally.counted += events + rejects;
  }
  return [...tallies.values()];
}

/** Rejects without a readable time, as the proof of their window counts them. */
interface UndatedRejects {
  readonly proof: DatedProof;
  readonly count: number;
}

/** What the lake holds of a window that decides alone. */
function rowsOfWindow({ window }: DatedProof): RowQuestion {
  return { range: window.range, cuts: window.cuts, without: [] };
}

/**
 * How many of them no longer count, because rows and dated rejects have taken their place: events that were delivered
 * in readable form since. Together they are at most what the window counted, so that none counts twice. Events that
 * came late hide rejects as well; then the day has less than the API counts, and is fetched again.
 */
function arrivedSince({ proof, count }: UndatedRejects, stored: number): number {
  const left = proof.counted - countedTwice(proof) - stored;
  return count - Math.min(count, Math.max(0, left));
}

/**
 * The days that need a line of their own: those with data, and those in which a window, or its settled part, begins or
 * ends. Between them there are only whole days without data, and the same windows apply to all of them.
 */
function daysApart(proofs: readonly DatedProof[], daysWithData: ReadonlySet<Day>): Set<Day> {
  const days = new Set(daysWithData);
  for (const proof of proofs) {
    const { window, askedRange, settledMs, perDay, rejectedPerDay } = proof;
    const { startMs, endMs } = window.range;
    days.add(dayOf(startMs)).add(dayOf(endMs - 1));
    if (askedRange.endMs > endMs) days.add(dayOf(endMs));
    if (hasUnsettledPart(proof)) days.add(dayOf(settledMs));
    for (const day of Object.keys(perDay)) days.add(day);
    for (const day of Object.keys(rejectedPerDay)) days.add(day);
  }
  return days;
}

/** Whether the settled part ends inside the window. */
function hasUnsettledPart({ window: { range }, settledMs }: DatedProof): boolean {
  return range.startMs < settledMs && settledMs < range.endMs;
}

function* midnightsOf(days: Iterable<Day>): Generator<number> {
  for (const day of days) {
    const { startMs, endMs } = rangeOfDays(day);
    yield startMs;
    yield endMs;
  }
}

function daysOfRejects(proofs: readonly WindowProof[]): Day[] {
  return proofs.flatMap(({ rejectedPerDay }) => Object.keys(rejectedPerDay));
}

/** The part of a segment on days that the range touches. */
function withinDays(segment: Segment<DatedProof>, range: TimeRange): Segment<DatedProof> | null {
  const part = intersect(segment.range, wholeDaysOf(range));
  return part === null ? null : { ...segment, range: part };
}

function addSegment(tally: DayTally, segment: Segment<DatedProof>): void {
  const { range, proofs, deciding } = segment;
  tally.segments.push(segment);
  const isSettledThen = deciding.every(({ proof }) => range.endMs <= proof.settledMs);
  if (isProven(segment) && isSettledThen) tally.coveredMs += range.endMs - range.startMs;
  for (const proof of proofs) {
    const isWhole = deciding.some((one) => one.proof === proof && one.isWhole);
    tally.windows.set(proof, isWhole && (tally.windows.get(proof) ?? true));
  }
  for (const { proof } of deciding) {
    if (proof.verdict === 'mismatch') tally.isMismatched = true;
    if (proof.verdict === 'unverified') tally.isUnverified = true;
    if (proof.verdict === 'rejected') tally.isRejected = true;
    tally.lastVerifiedAtMs = Math.max(tally.lastVerifiedAtMs, proof.verifiedAtMs);
  }
}

function newTally(day: Day, lastDay: Day): DayTally {
  return {
    day,
    lastDay,
    coveredMs: 0,
    isMismatched: false,
    isUnverified: false,
    isRejected: false,
    counted: 0,
    datedRejects: 0,
    undated: 0,
    lastVerifiedAtMs: 0,
    windows: new Map(),
    segments: [],
  };
}

/** @returns the rejects without a readable time that it adds, by their windows */
function addWholeWindows(tally: DayTally): UndatedRejects[] {
  const added: UndatedRejects[] = [];
  for (const [proof, isWhole] of tally.windows) {
    if (!isWhole) continue;
    const count = proof.rejected - rowsOfDays(proof.rejectedPerDay);
    const [firstDay, lastDay] = [dayOf(proof.askedRange.startMs), dayOf(proof.askedRange.endMs - 1)];
    if (firstDay === lastDay) {
      // The API counted this day alone: its count applies, even if other records were delivered.
      tally.counted += proof.counted - countedTwice(proof);
      added.push({ proof, count });
      continue;
    }
    tally.counted += (proof.perDay[tally.day] ?? 0) + (proof.rejectedPerDay[tally.day] ?? 0);
    if (firstDay !== tally.day) continue;
    // Counted records without a day: rejects without a readable time, and in a mismatch records that were not
    // delivered.
    const dated = rowsOfDays(proof.perDay) + rowsOfDays(proof.rejectedPerDay);
    tally.counted += Math.max(0, proof.counted - countedTwice(proof) - dated);
    added.push({ proof, count });
  }
  tally.undated += sum(added, ({ count }) => count);
  return added.filter(({ count }) => count > 0);
}

function rowsOfDays(perDay: Readonly<Record<Day, number>>): number {
  return sum(Object.values(perDay), (rows) => rows);
}

function remaindersOf(tally: DayTally): RowQuestion[] {
  const questions: RowQuestion[] = [];
  for (const { range, proofs, deciding } of tally.segments) {
    for (const { proof } of deciding) {
      if (tally.windows.get(proof) === true) continue;
      const without = proofs.slice(0, proofs.indexOf(proof)).map(({ window }) => window.cuts);
      questions.push({ range, cuts: proof.window.cuts, without });
    }
  }
  return questions;
}

function lineOf(tally: DayTally, scope: string, inLake: number, hasLoss: boolean, nowMs: number): DayCoverage {
  const { day, lastDay, counted, datedRejects, undated } = tally;
  const rejected = datedRejects + undated;
  const lengthMs = rangeOfDays(lastDay).endMs - rangeOfDays(day).startMs;
  const isMismatched = hasLoss || tally.isMismatched || inLake + rejected < counted;
  const verdict = (): CoverageVerdict => {
    if (isMismatched) return 'mismatched';
    if (tally.isRejected) return 'rejected';
    if (tally.isUnverified) return 'unverified';
    if (tally.coveredMs === lengthMs) return 'complete';
    return isSettled(lastDay, nowMs) ? 'partial' : 'open';
  };
  const lastVerifiedAtMs = Math.min(tally.lastVerifiedAtMs, nowMs);
  return { day, lastDay, scope, counted, inLake, rejected, undated, verdict: verdict(), lastVerifiedAtMs };
}

/** Whether the day ended long enough ago that all of it has become visible. */
function isSettled(day: Day, nowMs: number): boolean {
  return rangeOfDays(day).endMs + SETTLE_LAG_MS <= nowMs;
}

function byScope(proofs: readonly DatedProof[]): { scope: QueryScope; proofs: DatedProof[] }[] {
  const groups = new Map<string, { scope: QueryScope; proofs: DatedProof[] }>();
  for (const proof of proofs) {
    if (proof.window.axis !== 'event') continue;
    const key = JSON.stringify([proof.window.scope.filter, proof.window.scope.state]);
    const group = groups.get(key) ?? { scope: proof.window.scope, proofs: [] };
    group.proofs.push(proof);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** Whether a range touches a day that the other range touches. */
function overlaps(range: TimeRange, other: TimeRange): boolean {
  return intersect(range, wholeDaysOf(other)) !== null;
}

function touches(range: TimeRange, day: Day): boolean {
  return intersect(range, rangeOfDays(day)) !== null;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
