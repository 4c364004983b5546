import type { FetchedWindow } from '@edrlake/core';
import type { CommitSession } from '@edrlake/lake';
import type { RunJournal } from '../run/journal.ts';
import type { BatchResult, RunContext } from '../run/run-context.ts';
import { commitBatch, commitRecordless, flattenBatch } from './commit-batch.ts';
import { addBatch, type RunTally } from './run-tally.ts';

/** Brings batches into the lake: two are worked on at a time, and committed in the order in which they came. */
export interface BatchPipeline {
  /** Begins with a batch as soon as a lane is free. @throws {EdrlakeError} what became of the batch that had the lane before */
  submit(windows: readonly FetchedWindow[]): Promise<void>;
  /** Waits until all batches are in. @throws {EdrlakeError} the first that was not */
  drain(): Promise<void>;
  /** Waits for what is at work, without regard to how it ends, and closes the lanes. */
  close(): Promise<void>;
}

/** As many as there are cores on a small machine; each batch more takes as much memory again. */
const LANES = 2;

/** An interrupt that comes between two statements is lost, so it is repeated until the lanes are closed. */
const INTERRUPT_EVERY_MS = 50;

/**
 * The lanes of a run, opened when they are needed. An abort interrupts what DuckDB is at: it was not committed, and
 * the next run finds its pages.
 */
export function batchPipeline(run: RunContext, journal: RunJournal, tally: RunTally): BatchPipeline {
  const { lake, services } = run;
  const lanes: CommitSession[] = [];
  let timer: NodeJS.Timeout | undefined;
  const interrupt = () => {
    for (const { connection } of lanes) connection.interrupt();
    timer ??= setInterval(interrupt, INTERRUPT_EVERY_MS);
  };
  services.signal.addEventListener('abort', interrupt);
  const atWork: Promise<void>[] = [];
  let batchNo = 0;
  /** Of the newest batch; it waits for the one before it. */
  let committed: Promise<void> = Promise.resolve();
  const laneOf = async (index: number): Promise<CommitSession> => {
    const open = lanes[index];
    if (open !== undefined) return open;
    const lane = await lake.openCommitSession();
    lanes[index] = lane;
    return lane;
  };
  /** What an interrupted statement throws says less than why it was interrupted. */
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
    const windowIds = windows.map(({ window }) => window.id);
    await journal.append({ type: 'commit', atMs: services.clock.nowMs(), version: result.commit.version, windowIds });
  };
  const flattenAndCommit = async (windows: readonly FetchedWindow[], lane: CommitSession, before: Promise<void>) => {
    const flat = await flattenBatch(run, tally.plan, windows, lane);
    try {
      await before;
    } catch (thrown) {
      await flat.staged.drop();
      throw thrown;
    }
    await record(windows, await commitBatch(run, tally, flat, lane));
  };
  /** Needs no lane, and its turn is when all before it are committed. */
  const commitAlone = async (windows: readonly FetchedWindow[], before: Promise<void>) => {
    await before;
    await record(windows, await commitRecordless(run, tally.plan, windows));
  };
  return {
    async submit(windows) {
      if (windows.every(({ recordCount }) => recordCount === 0)) return orReason(commitAlone(windows, committed));
      const index = batchNo++ % LANES;
      await orReason(atWork[index] ?? Promise.resolve());
      committed = flattenAndCommit(windows, await laneOf(index), committed);
      atWork[index] = committed;
      // Whoever waits for it next is told; until then nobody is.
      committed.catch(() => undefined);
    },
    drain: () => orReason(committed),
    async close() {
      await Promise.allSettled(atWork);
      services.signal.removeEventListener('abort', interrupt);
      clearInterval(timer);
      for (const lane of lanes) lane.close();
    },
  };
}
