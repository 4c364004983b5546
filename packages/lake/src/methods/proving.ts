import type { QueryScope, TimeAxis, TimeRange, WindowProof } from '@edrlake/core';
import type { CommitContext, CommitTools } from '../log/commit-context.ts';
import { proofsOfRun, type Snapshot } from '../log/snapshot.ts';
import { partitionDay } from '../log/table-rows.ts';
import { REJECTS } from '../storage/layout.ts';
import { countedTwiceIn, listedTwiceIn } from '../verify/counted-twice.ts';
import { coverageOf, type DayCoverage, provenRangesOf, type SeenCoverage } from '../verify/coverage.ts';
import { findLost } from '../verify/find-lost.ts';
import { type InspectedDay, inspectDays } from '../verify/inspect-days.ts';
import { newestEventMs } from '../verify/newest-event.ts';
import type { RejectReason } from '../verify/reject-reasons.ts';
import { type RejectedRange, rejectedRangesOf } from '../verify/rejected-ranges.ts';
import type { ComputeEngine } from './compute-engine.ts';

/** What a lake holds and what of it is proven, in numbers. */
export interface Proving {
  /**
   * The coverage of each day that has rows or was ever fetched, oldest first; with a range only of days that it
   * touches. Days that hold nothing and were proven together share a line.
   */
  coverage(range?: TimeRange): Promise<DayCoverage[]>;
  /**
   * The number of stored events and rejects with a time on the axis in each range, counted now from the data files:
   * equal to the API's count when the API has nothing else. Records that the API is known to count twice therefore
   * count twice here. Ranges may overlap. Files that are missing or broken are left out.
   */
  countStored(ranges: readonly TimeRange[], axis: TimeAxis): Promise<number[]>;
  /** The number of stored events that happened in each range, each once and without rejects, as `countStored`. */
  countEvents(ranges: readonly TimeRange[]): Promise<number[]>;
  /** For each range, how many records the API is known to count more than once, of one type where one is given. */
  countedTwice(ranges: readonly TimeRange[], axis: TimeAxis, eventType?: string | null): Promise<number[]>;
  /** How many records the API lists more than once; each is stored once. */
  listedTwice(): Promise<number>;
  /** What the data files hold, day by day, without using the log's numbers; see `inspectDays`. */
  inspectDays(range: TimeRange, by: 'day' | 'type'): Promise<InspectedDay[]>;
  /**
   * Data files of the newest version that are missing or not of their committed size; with a range only those of days
   * that it touches, rejects by the day they were fetched. Reads no content.
   */
  lostFiles(range?: TimeRange): Promise<readonly string[]>;
  /** The proofs that a run has committed and that no later one of the same window has replaced, oldest first. */
  proofsOfRun(runId: string): Promise<readonly WindowProof[]>;
  /** Ranges of an axis and scope of which everything was delivered, and too many records could not become rows. */
  rejectedRanges(axis: TimeAxis, scope: QueryScope): Promise<RejectedRange[]>;
  /**
   * The ranges that the newest proofs cover: everything of the scope that had happened when they were made was fetched.
   * Oldest first, without overlap. On the event axis without the days that lost rows and have not recovered them.
   * @param settleLagMs how long after an instant it must have been counted to be taken as proven; 0 unless given
   */
  provenRanges(axis: TimeAxis, scope: QueryScope, settleLagMs?: number): Promise<TimeRange[]>;
  /** The time of the newest event, from the log where it has it; null without events, or where their file is lost. */
  newestEventMs(): Promise<number | null>;
  /** Why the rejects that the lake keeps are no events. Without rejects no file is opened. */
  rejectReasons(): Promise<RejectReason[]>;
}

/** The coverage of a lake now. A day with lost files is not complete, even if the log says so. */
export function currentCoverage(
  { store, log, clock }: Pick<CommitTools, 'store' | 'log' | 'clock'>,
  { countAnswers }: Pick<ComputeEngine, 'countAnswers'>,
  snapshot: () => Promise<Snapshot>,
): (range?: TimeRange) => Promise<SeenCoverage> {
  return async (range) => {
    const lost = await findLost({ store, log }, range);
    const shown = await snapshot();
    const { version } = shown;
    const unnoted = lost.filter(({ table }) => table !== REJECTS).map((file) => partitionDay(file));
    const losses = [...shown.losses, ...unnoted.map((day) => ({ day, rowCount: 0, version }))];
    const lines = await coverageOf({ ...shown, losses }, countAnswers, clock.nowMs(), range);
    return { lines, lost };
  };
}

/** What a lake is judged by. */
interface Judged {
  readonly tools: CommitTools;
  readonly computing: ComputeEngine;
  readonly snapshot: () => Promise<Snapshot>;
  readonly coverage: (range?: TimeRange) => Promise<SeenCoverage>;
  /** Starts DuckDB. */
  readonly ready: () => Promise<CommitContext>;
}

/** The proofs and counts of a lake. @param inTurn runs work when its turn has come */
export function proving(
  { tools: { store, log, clock }, computing, snapshot, coverage, ready }: Judged,
  inTurn: <T>(work: () => Promise<T>) => Promise<T>,
): Proving {
  return {
    coverage: (range) => inTurn(async () => (await coverage(range)).lines),
    countStored: (ranges, axis) =>
      inTurn(async () => {
        const stored = await computing.countRecords(ranges, axis);
        const twice = countedTwiceIn(await snapshot(), ranges, axis);
        return stored.map((count, position) => count + (twice[position] ?? 0));
      }),
    countEvents: (ranges) =>
      inTurn(async () => {
        const answers = await computing.countAnswers(ranges.map((range) => ({ range, cuts: [], without: [] })));
        return answers.map(({ events }) => events);
      }),
    countedTwice: (ranges, axis, eventType) =>
      inTurn(async () => countedTwiceIn(await snapshot(), ranges, axis, eventType)),
    listedTwice: async () => listedTwiceIn(await snapshot()),
    inspectDays: (range, by) => inTurn(async () => inspectDays(await ready(), range, by)),
    proofsOfRun: async (runId) => proofsOfRun(await log.refresh(), runId),
    rejectedRanges: async (axis, scope) => rejectedRangesOf(await snapshot(), { axis, scope }, clock.nowMs()),
    lostFiles: async (range) => (await findLost({ store, log }, range)).map(({ path }) => path),
    provenRanges: async (axis, scope, settleLagMs = 0) =>
      provenRangesOf(await snapshot(), { axis, scope }, clock.nowMs(), settleLagMs),
    newestEventMs: () => inTurn(async () => newestEventMs(await snapshot(), computing.newestEventMs)),
    rejectReasons: () => inTurn(computing.rejectReasons),
  };
}
