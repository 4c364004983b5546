import {
  countedTwice,
  type Day,
  dayOf,
  intersect,
  rangeOfDays,
  sum,
  type TimeRange,
  type WindowFilter,
  wholeDaysOf,
} from '@edrlake/core';
import type { DatedProof } from '../proofs/dated-proofs.ts';
import { isProven, type Segment, segmentsOf } from '../proofs/segments.ts';

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

/** What the proofs say of a day, or of days that hold nothing and were proven together, of one scope. */
export interface DayTally {
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
 * Adds the proofs up by day, the oldest first. Where proofs alone do not say how many events they count, the lake is
 * asked.
 * @param days `daysWithData`: days with data in addition to those that the proofs name; `rejectDays`: those among them
 * that may hold rejects with a time
 */
export async function tallyDays(
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
