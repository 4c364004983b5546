import type { FetchedWindow } from '@edrlake/core';
import type { RunJournal } from '../run/journal.ts';
import type { BatchResult, RunContext } from '../run/run-context.ts';
import { type BatchSession, openBatchSession } from './batch-session.ts';
import { commitBatch, commitRecordless, flattenBatch, isFinished } from './commit-batch.ts';
import { addBatch, type RunTally } from './run-tally.ts';

/**
 * Commits batches, one after the other, while the pages of the next one are fetched. A second one at the same time
 * would take its memory again, and save no CPU time.
 */
export interface BatchPipeline {
  /** Starts a batch as soon as the one before is committed. @throws {EdrlakeError} the error of the one before */
  submit(windows: readonly FetchedWindow[]): Promise<void>;
  /**
   * Waits until the last batch is committed.
   * @throws {EdrlakeError} of the batch that failed
   */
  drain(): Promise<void>;
  /** Waits for the batch at work, whether it fails or not, and closes the commit session. */
  close(): Promise<void>;
}

/** DuckDB loses an interrupt that comes between two statements, so it is repeated until the session is closed. */
const INTERRUPT_EVERY_MS = 50;

/**
 * The pipeline of a run; it opens its commit session when it is needed. An abort interrupts the running statement: its
 * batch is not committed, and the next run finds its pages.
 */
export function batchPipeline(run: RunContext, journal: RunJournal, tally: RunTally): BatchPipeline {
  const { services } = run;
  let session: BatchSession | null = null;
  let timer: NodeJS.Timeout | undefined;
  const interrupt = () => {
    session?.interrupt();
    timer ??= setInterval(interrupt, INTERRUPT_EVERY_MS);
  };
  services.signal.addEventListener('abort', interrupt);
  /** The newest batch. */
  let atWork: Promise<void> = Promise.resolve();
  /** The reason of an abort explains more than the error of the interrupted statement. */
  const orReason = async (work: Promise<void>): Promise<void> => {
    try {
      await work;
    } catch (thrown) {
      services.signal.throwIfAborted();
      throw thrown;
    }
  };
  const record = async (windows: readonly FetchedWindow[], result: BatchResult) => {
    addBatch(tally, run, windows, result);
    const windowIds = windows.filter(isFinished).map(({ window }) => window.id);
    await journal.append({ type: 'commit', atMs: services.clock.nowMs(), version: result.commit.version, windowIds });
  };
  const flattenAndCommit = async (windows: readonly FetchedWindow[]) => {
    session ??= await openBatchSession(run);
    const flat = await flattenBatch(run, tally.plan, windows, session);
    await record(windows, await commitBatch(run, tally, flat));
  };
  /** Needs no commit session. */
  const commitAlone = async (windows: readonly FetchedWindow[]) => {
    await record(windows, await commitRecordless(run, tally.plan, windows));
  };
  return {
    async submit(windows) {
      await orReason(atWork);
      const hasRecords = windows.some(({ recordCount }) => recordCount > 0);
      atWork = hasRecords ? flattenAndCommit(windows) : commitAlone(windows);
      // Prevents an unhandled rejection; the error surfaces at the next await.
      atWork.catch(() => undefined);
    },
    drain: () => orReason(atWork),
    async close() {
      await Promise.allSettled([atWork]);
      services.signal.removeEventListener('abort', interrupt);
      clearInterval(timer);
      session?.close();
    },
  };
}
