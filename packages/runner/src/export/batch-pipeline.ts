import type { FetchedWindow } from '@edrlake/core';
import type { RunJournal } from '../run/journal.ts';
import type { BatchResult, RunContext } from '../run/run-context.ts';
import { type BatchSession, openBatchSession, sessionCount } from './batch-session.ts';
import { commitBatch, commitRecordless, flattenBatch, isFinished } from './commit-batch.ts';
import { addBatch, type RunTally } from './run-tally.ts';

/** Commits batches: two are processed at a time, and they are committed in the order of their arrival. */
export interface BatchPipeline {
  /**
   * Starts a batch as soon as a commit session is free.
   * @throws {EdrlakeError} the error of the batch that used the session before
   */
  submit(windows: readonly FetchedWindow[]): Promise<void>;
  /**
   * Waits until all batches are committed.
   * @throws {EdrlakeError} of the first batch that failed
   */
  drain(): Promise<void>;
  /** Waits for running batches, whether they fail or not, and closes the commit sessions. */
  close(): Promise<void>;
}

/** DuckDB loses an interrupt that comes between two statements, so it is repeated until the sessions are closed. */
const INTERRUPT_EVERY_MS = 50;

/**
 * The pipeline of a run; it opens its commit sessions when they are needed. An abort interrupts the running statements:
 * their batch is not committed, and the next run finds its pages.
 */
export function batchPipeline(run: RunContext, journal: RunJournal, tally: RunTally): BatchPipeline {
  const { lake, services } = run;
  const sessions: BatchSession[] = [];
  let timer: NodeJS.Timeout | undefined;
  const interrupt = () => {
    for (const session of sessions) session.interrupt();
    timer ??= setInterval(interrupt, INTERRUPT_EVERY_MS);
  };
  services.signal.addEventListener('abort', interrupt);
  const atWork: Promise<void>[] = [];
  let batchNo = 0;
  /** The commit of the newest batch, which waits for the batch before it. */
  let committed: Promise<void> = Promise.resolve();
  const sessionOf = async (index: number): Promise<BatchSession> => {
    const open = sessions[index];
    if (open !== undefined) return open;
    const session = await openBatchSession(run);
    sessions[index] = session;
    return session;
  };
  /** The reason of an abort explains more than the error of the interrupted statement. */
  const orReason = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
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
  const flattenAndCommit = async (windows: readonly FetchedWindow[], session: BatchSession, before: Promise<void>) => {
    const flat = await flattenBatch(run, tally.plan, windows, session);
    try {
      await before;
    } catch (thrown) {
      await flat.staged.drop();
      throw thrown;
    }
    await record(windows, await commitBatch(run, tally, flat));
  };
  /** Needs no commit session; it waits until all batches before it are committed. */
  const commitAlone = async (windows: readonly FetchedWindow[], before: Promise<void>) => {
    await before;
    await record(windows, await commitRecordless(run, tally.plan, windows));
  };
  return {
    async submit(windows) {
      if (windows.every(({ recordCount }) => recordCount === 0)) return orReason(commitAlone(windows, committed));
      const index = batchNo++ % sessionCount(lake);
      await orReason(atWork[index] ?? Promise.resolve());
      committed = flattenAndCommit(windows, await sessionOf(index), committed);
      atWork[index] = committed;
      // Prevents an unhandled rejection; the error surfaces at the next await.
      committed.catch(() => undefined);
    },
    drain: () => orReason(committed),
    async close() {
      await Promise.allSettled(atWork);
      services.signal.removeEventListener('abort', interrupt);
      clearInterval(timer);
      for (const session of sessions) session.close();
    },
  };
}
