import {
  type Day,
  dayOf,
  gapsIn,
  intersect,
  NO_FILTER,
  type QueryScope,
  rangeOfDays,
  SETTLE_LAG_MS,
  type TimeAxis,
  type TimeRange,
  type WindowProof,
  wholeDaysOf,
} from '@edrlake/core';
import type { LoggedFile } from '../log/lake-state.ts';
import { rowsByDay, type Snapshot } from '../log/snapshot.ts';
import { type DatedProof, datedProofs } from '../proofs/dated-proofs.ts';
import { isCountedApart, type LoggedOtherVersion } from '../proofs/other-versions.ts';
import { isRefuting, type Recount } from '../proofs/recounts.ts';
import { isProven, joinRanges, segmentsOf } from '../proofs/segments.ts';
import { holdsAtom, sameScope } from '../proofs/window-filters.ts';
import { type CountRows, type DayTally, tallyDays } from './tally-days.ts';

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
  /** The version of the lake that brought the newest effective proof; null where there is none. */
  readonly lastVerifiedIn: number | null;
  /** The oldest of the proofs that make it complete: all of it was proven by then; null where it is not complete. */
  readonly oldestProof: { readonly atMs: number; readonly version: number } | null;
  /** Only where a later count of the day refutes it. */
  readonly recount?: Recount;
}

/** What is proven of a lake, and the files that are lost: each file was looked at once. */
export interface SeenCoverage {
  readonly lines: DayCoverage[];
  /** Missing, or not of their committed size; with a range only those of its days. */
  readonly lost: readonly LoggedFile[];
}

/** The days of a line as a range. */
export function daysOfLine({ day, lastDay }: Pick<DayCoverage, 'day' | 'lastDay'>): TimeRange {
  return rangeOfDays(day, lastDay);
}

/** Whether something is known against the days of a line: a contradiction of proofs or files, or too many rejects. */
export function isRefuted({ verdict }: Pick<DayCoverage, 'verdict'>): boolean {
  return verdict === 'mismatched' || verdict === 'rejected';
}

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
  const lossDays = new Set(snapshot.losses.map(({ day }) => day));
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
      const known = { inLake: inLake.get(tally.day) ?? 0, hasLoss: lossDays.has(tally.day) };
      const line = lineOf(tally, scopeText(scope), { ...known, proofVersions: snapshot.proofVersions }, nowMs);
      lines.push(sameScope(scope, NO_FILTER) ? recounted(line, refuting) : line);
    }
  }
  for (const day of new Set([...inLake.keys(), ...lossDays, ...refuting.keys()])) {
    if (seen.has(day) || (range !== null && !touches(range, day))) continue;
    const unverified = { lastVerifiedAtMs: null, lastVerifiedIn: null, oldestProof: null };
    const nothing = { counted: null, rejected: 0, undated: 0, ...unverified };
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
  asked: { readonly axis: TimeAxis; readonly scope: QueryScope },
  nowMs: number,
  settleLagMs: number,
): TimeRange[] {
  // All proofs are dated together: those of other axes and scopes also show which clock was wrong.
  const proven = segmentsOf(datedProofs(snapshot.proofs, nowMs, settleLagMs, asked)).filter(isProven);
  const ranges = joinRanges(proven.map((segment) => segment.range));
  const lost = asked.axis === 'event' ? snapshot.losses.map(({ day }) => rangeOfDays(day)) : [];
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

function daysOfRejects(proofs: readonly WindowProof[]): Day[] {
  return proofs.flatMap(({ rejectedPerDay }) => Object.keys(rejectedPerDay));
}

function lineOf(
  tally: DayTally,
  scope: string,
  known: { readonly inLake: number; readonly hasLoss: boolean } & Pick<Snapshot, 'proofVersions'>,
  nowMs: number,
): DayCoverage {
  const { inLake, hasLoss, proofVersions } = known;
  const { day, lastDay, counted, datedRejects, undated } = tally;
  const rejected = datedRejects + undated;
  const lengthMs = rangeOfDays(lastDay).endMs - rangeOfDays(day).startMs;
  const isMismatched = hasLoss || tally.isMismatched || inLake + rejected < counted;
  const judged = (): CoverageVerdict => {
    if (isMismatched) return 'mismatched';
    if (tally.isRejected) return 'rejected';
    if (tally.isUnverified) return 'unverified';
    if (tally.coveredMs === lengthMs) return 'complete';
    return isSettled(lastDay, nowMs) ? 'partial' : 'open';
  };
  const lastVerifiedAtMs = Math.min(tally.lastVerifiedAtMs, nowMs);
  const proofs = tally.segments.flatMap(({ deciding }) => deciding.map(({ proof }) => proof));
  const versions = proofs.map(({ window }) => proofVersions.get(window.id) ?? 0);
  const oldest = (of: readonly number[]) => of.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const verdict = judged();
  const verified = {
    lastVerifiedAtMs,
    lastVerifiedIn: versions.reduce((a, b) => Math.max(a, b), 0),
    oldestProof:
      verdict === 'complete'
        ? { atMs: oldest(proofs.map(({ verifiedAtMs }) => verifiedAtMs)), version: oldest(versions) }
        : null,
  };
  return { day, lastDay, scope, counted, inLake, rejected, undated, verdict, ...verified };
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
