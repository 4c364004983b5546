import {
  type Day,
  dayOf,
  EVERYTHING,
  gapsIn,
  intersect,
  MS_PER_DAY,
  type QueryScope,
  type TimeAxis,
  type TimeRange,
  type WindowProof,
} from '@edrlake/core';
import { cutsSql } from './cuts.ts';
import { sameScope } from './lake-state.ts';
import { rangeOf } from './losses.ts';
import { rowsByDay, type Snapshot } from './snapshot.ts';
import { isProven, joinRanges, type Segment, segmentsOf } from './tiling.ts';

/**
 * `complete`: proven windows tile the day, and the lake holds at least what the API counted in them.
 * `partial`: some of the day was never fetched and proven.
 * `mismatched`: the newest word on some of the day is that what was fetched is not what the API counted; or the lake holds
 * fewer rows than the proofs say it took in, or than it held before files were lost and given up.
 */
export type CoverageVerdict = 'complete' | 'partial' | 'mismatched';

/** How one UTC day stands, for one scope. */
export interface DayCoverage {
  readonly day: Day;
  /** `all`, or the user's filter and state. */
  readonly scope: string;
  /** Events the API counted in the parts of the day that were fetched, records that became rejects included; null where nothing was. */
  readonly counted: number | null;
  /** Rows of the day in the lake, whatever scope and axis brought them. */
  readonly inLake: number;
  readonly rejected: number;
  readonly verdict: CoverageVerdict;
  /** When the newest proof that counts was made; null where there is none. */
  readonly lastVerifiedAtMs: number | null;
}

/** Rows to be counted in the lake: those of a range that pass some cuts and are not left to newer windows. */
export interface RowQuestion {
  readonly range: TimeRange;
  /** DuckDB SQL over the events table. */
  readonly condition: string;
}

/** What the lake holds in answer to a question. */
export interface RowAnswer {
  readonly events: number;
  /** Rejects with a readable event time. */
  readonly rejects: number;
}

/** Answers questions in their order. */
export type CountRows = (questions: readonly RowQuestion[]) => Promise<readonly RowAnswer[]>;

/**
 * How every day stands that has rows or was ever fetched on the event axis, oldest first, one line for each scope.
 *
 * `counted` is the sum of what the newest proofs counted. Where a newer window took over only a part of an older one, what
 * the older one counted in the rest is not known; there the rows and rejects that the lake now holds in the rest stand in for it.
 * Rejects without a readable time have no day of their own and are counted on the first day of their window.
 */
export async function coverageOf(
  snapshot: Snapshot,
  countRows: CountRows,
  range: TimeRange | null = null,
): Promise<DayCoverage[]> {
  const inLake = rowsByDay(snapshot.files.events ?? []);
  const lines: DayCoverage[] = [];
  const seen = new Set<Day>();
  const lossDays = new Set(snapshot.lossDays);
  // A window of other days has no say on these.
  const proofs =
    range === null ? snapshot.proofs : snapshot.proofs.filter(({ window }) => overlaps(window.range, range));
  for (const { scope, proofs: ofScope } of byScope(proofs)) {
    for (const tally of await tallyDays(ofScope, countRows, range)) {
      seen.add(tally.day);
      lines.push(lineOf(tally, scopeText(scope), inLake.get(tally.day) ?? 0, lossDays.has(tally.day)));
    }
  }
  for (const day of new Set([...inLake.keys(), ...lossDays])) {
    if (seen.has(day) || (range !== null && !touches(range, day))) continue;
    const nothing = { counted: null, rejected: 0, lastVerifiedAtMs: null };
    const verdict = lossDays.has(day) ? 'mismatched' : 'partial';
    lines.push({ day, scope: scopeText(EVERYTHING), inLake: inLake.get(day) ?? 0, verdict, ...nothing });
  }
  return lines.sort((a, b) => compare(a.day, b.day) || compare(a.scope, b.scope));
}

/**
 * Where the newest proofs of an axis and scope say that everything was fetched; oldest first, apart from each other. On the
 * event axis days that lost rows are left out. When the lost events were processed nobody knows, so the other axis keeps its
 * ranges: what was lost comes back by its day.
 */
export function provenRangesOf(snapshot: Snapshot, axis: TimeAxis, scope: QueryScope): TimeRange[] {
  const asked = snapshot.proofs.filter(({ window }) => window.axis === axis && sameScope(window.scope, scope));
  const proven = segmentsOf(asked).filter(isProven);
  const ranges = joinRanges(proven.map((segment) => segment.range));
  const lost = axis === 'event' ? snapshot.lossDays.map(rangeOf) : [];
  return lost.length === 0 ? ranges : ranges.flatMap((range) => gapsIn(range, lost));
}

/** `all`, or the filter and the state a person gave. */
export function scopeText({ filter, state }: QueryScope): string {
  if (filter === null && state === null) return 'all';
  return [filter, state === null ? null : `state=${state}`].filter((part) => part !== null).join(' ');
}

interface DayTally {
  readonly day: Day;
  coveredMs: number;
  isMismatched: boolean;
  counted: number;
  rejected: number;
  lastVerifiedAtMs: number;
  /** For each window of the day, whether it still decides about all of its events of the day. */
  readonly windows: Map<WindowProof, boolean>;
  readonly segments: Segment[];
}

async function tallyDays(
  proofs: readonly WindowProof[],
  countRows: CountRows,
  range: TimeRange | null,
): Promise<DayTally[]> {
  const tallies = new Map<Day, DayTally>();
  for (const segment of segmentsOf(proofs, dayBoundaries(proofs))) {
    const day = dayOf(segment.range.startMs);
    if (range !== null && !touches(range, day)) continue;
    const tally = tallies.get(day) ?? newTally(day);
    tallies.set(day, tally);
    tally.segments.push(segment);
    if (segment.isTiled) tally.coveredMs += segment.range.endMs - segment.range.startMs;
    for (const proof of segment.proofs) {
      const isWhole = segment.deciding.some((deciding) => deciding.proof === proof && deciding.isWhole);
      tally.windows.set(proof, isWhole && (tally.windows.get(proof) ?? true));
    }
    for (const { proof } of segment.deciding) {
      if (proof.verdict === 'mismatch') tally.isMismatched = true;
      tally.lastVerifiedAtMs = Math.max(tally.lastVerifiedAtMs, proof.verifiedAtMs);
    }
  }
  const remainders: { tally: DayTally; question: RowQuestion }[] = [];
  for (const tally of tallies.values()) {
    addWholeWindows(tally);
    for (const question of remaindersOf(tally)) remainders.push({ tally, question });
  }
  const answers = remainders.length === 0 ? [] : await countRows(remainders.map(({ question }) => question));
  for (const [position, { tally }] of remainders.entries()) {
    const { events = 0, rejects = 0 } = answers[position] ?? {};
    tally.counted += events + rejects;
    tally.rejected += rejects;
  }
  return [...tallies.values()];
}

function newTally(day: Day): DayTally {
  return {
    day,
    coveredMs: 0,
    isMismatched: false,
    counted: 0,
    rejected: 0,
    lastVerifiedAtMs: 0,
    windows: new Map(),
    segments: [],
  };
}

function addWholeWindows(tally: DayTally): void {
  for (const [proof, isWhole] of tally.windows) {
    if (!isWhole) continue;
    const rejectedHere = proof.rejectedPerDay[tally.day] ?? 0;
    const [firstDay, lastDay] = [dayOf(proof.window.range.startMs), dayOf(proof.window.range.endMs - 1)];
    if (firstDay === lastDay) {
      // The API counted this day alone: its number stands, whatever came.
      tally.counted += proof.counted;
      tally.rejected += proof.rejected;
      continue;
    }
    tally.counted += (proof.perDay[tally.day] ?? 0) + rejectedHere;
    tally.rejected += rejectedHere;
    if (firstDay !== tally.day) continue;
    // What was counted and has no day: rejects without a readable time, and in a mismatch what did not come.
    const rejectedWithDay = sum(proof.rejectedPerDay);
    tally.counted += Math.max(0, proof.counted - sum(proof.perDay) - rejectedWithDay);
    tally.rejected += proof.rejected - rejectedWithDay;
  }
}

function sum(perDay: Readonly<Record<Day, number>>): number {
  return Object.values(perDay).reduce((total, rows) => total + rows, 0);
}

function remaindersOf(tally: DayTally): RowQuestion[] {
  const questions: RowQuestion[] = [];
  for (const { range, proofs, deciding } of tally.segments) {
    for (const { proof } of deciding) {
      if (tally.windows.get(proof) === true) continue;
      const newer = proofs.slice(0, proofs.indexOf(proof)).map(({ window }) => `NOT (${cutsSql(window.cuts)})`);
      questions.push({ range, condition: [cutsSql(proof.window.cuts), ...newer].join(' AND ') });
    }
  }
  return questions;
}

function lineOf(tally: DayTally, scope: string, inLake: number, hasLoss: boolean): DayCoverage {
  const { day, counted, rejected, lastVerifiedAtMs } = tally;
  const isMismatched = hasLoss || tally.isMismatched || inLake + rejected < counted;
  const verdict = isMismatched ? 'mismatched' : tally.coveredMs === MS_PER_DAY ? 'complete' : 'partial';
  return { day, scope, counted, inLake, rejected, verdict, lastVerifiedAtMs };
}

/** The midnights at which days with windows start. */
function dayBoundaries(proofs: readonly WindowProof[]): number[] {
  const midnights = new Set<number>();
  for (const { window } of proofs) {
    const firstMs = Math.floor(window.range.startMs / MS_PER_DAY) * MS_PER_DAY;
    for (let ms = firstMs; ms < window.range.endMs; ms += MS_PER_DAY) midnights.add(ms);
  }
  return [...midnights];
}

function byScope(proofs: readonly WindowProof[]): { scope: QueryScope; proofs: WindowProof[] }[] {
  const groups = new Map<string, { scope: QueryScope; proofs: WindowProof[] }>();
  for (const proof of proofs) {
    if (proof.window.axis !== 'event') continue;
    const key = JSON.stringify([proof.window.scope.filter, proof.window.scope.state]);
    const group = groups.get(key) ?? { scope: proof.window.scope, proofs: [] };
    group.proofs.push(proof);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** Whether a range touches a day that the other touches. */
function overlaps(range: TimeRange, other: TimeRange): boolean {
  const startMs = Math.floor(other.startMs / MS_PER_DAY) * MS_PER_DAY;
  const endMs = Math.ceil(other.endMs / MS_PER_DAY) * MS_PER_DAY;
  return intersect(range, { startMs, endMs }) !== null;
}

function touches(range: TimeRange, day: Day): boolean {
  return intersect(range, rangeOf(day)) !== null;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
