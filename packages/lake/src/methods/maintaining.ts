import type { TimeRange } from '@edrlake/core';
import { dropLostFiles } from '../commit/drop-lost-files.ts';
import type { CommitContext, CommitTools } from '../log/commit-context.ts';
import { type CompactOptions, type CompactReport, compact } from '../maintenance/compact.ts';
import { type DeduplicateReport, deduplicate } from '../maintenance/deduplicate.ts';
import { type VacuumOptions, type VacuumReport, vacuum } from '../maintenance/vacuum.ts';
import type { ViewKeeper } from '../query/view-file.ts';
import { type VerifyReport, verifyFiles } from '../verify/verify-files.ts';
import type { ComputeEngine } from './compute-engine.ts';

/** The run that a maintenance task of the lake belongs to. */
export interface RunContext {
  readonly runId: string;
  /** Aborting it ends the work at the next safe point. */
  readonly signal: AbortSignal;
}

/** What keeps a lake in order. */
export interface Maintaining {
  /** Recomputes what data files hold, of all days or of those that the range touches; see `verifyFiles`. */
  verify(range: TimeRange | null, signal: AbortSignal): Promise<VerifyReport>;
  /**
   * Records that data files are lost, and removes rows that are incomplete without them, so that all of them can be
   * delivered again.
   * @param suspects paths of files that are compared with their checksums; of all others only size and footer are
   * checked
   * @returns the paths of the lost files; empty when none is lost
   */
  forgetLostFiles(runId: string, suspects?: readonly string[]): Promise<readonly string[]>;
  /** Leaves one copy of each event, of all days or of those that the range touches; see `deduplicate`. */
  deduplicate(runId: string, range?: TimeRange): Promise<DeduplicateReport>;
  /**
   * Merges small files, day by day, without changing a row; see `CompactOptions`. @throws {EdrlakeError} as `commit`,
   * `INTERRUPTED`.
   */
  compact(options: CompactOptions, context: RunContext): Promise<CompactReport>;
  /** Removes what no reader or writer needs; see `VacuumOptions`. A dry run also works on a lake opened for reading. */
  vacuum(options: VacuumOptions, context: Pick<RunContext, 'signal'>): Promise<VacuumReport>;
}

/** Each runs work when its turn has come. */
interface Turns {
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Refuses a lake that was opened for reading. */
  readonly changeInTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** The same, with DuckDB. */
  readonly writeInTurn: <T>(work: (context: CommitContext) => Promise<T>) => Promise<T>;
}

/** The maintenance of a lake. @param ready starts DuckDB */
export function maintaining(
  tools: CommitTools,
  { engineFor }: Pick<ComputeEngine, 'engineFor'>,
  ready: () => Promise<CommitContext>,
  { inTurn, changeInTurn, writeInTurn }: Turns,
  { afterCommit }: Pick<ViewKeeper, 'afterCommit'>,
): Maintaining {
  return {
    verify: (range, signal) => inTurn(async () => verifyFiles(await ready(), range, signal)),
    forgetLostFiles: (runId, suspects = []) =>
      changeInTurn(async () => {
        const paths = await dropLostFiles(tools, await engineFor({ batch: null }), runId, new Set(suspects));
        await afterCommit(paths.length);
        return paths;
      }),
    deduplicate: (runId, range) =>
      writeInTurn(async (context) => {
        const report = await deduplicate(context, range, runId);
        await afterCommit(report.version === null ? 0 : 1);
        return report;
      }),
    compact: (options, run) =>
      writeInTurn((context) => compact(context, options, { ...run, afterCommit: () => afterCommit(1) })),
    vacuum: (options, { signal }) =>
      (options.dryRun === true ? inTurn : changeInTurn)(() => vacuum(tools, options, signal)),
  };
}
