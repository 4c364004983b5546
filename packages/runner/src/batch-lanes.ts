import type { FetchedWindow } from '@edrlake/core';
import type { Lane } from '@edrlake/lake';
import { commitBatch, flattenBatch } from './commit-batch.ts';
import type { ExportRun } from './run-types.ts';

/** Brings batches into the lake one after the other: while one is committed, the next one is flattened. */
export interface BatchLanes {
  /** Flattens a batch and begins its commit once the one before it is in. @throws {EdrlakeError} also what became of that one */
  bring(windows: readonly FetchedWindow[]): Promise<void>;
  /** Waits until all batches are in. @throws {EdrlakeError} what became of the last one */
  settle(): Promise<void>;
  /** Waits for what is at work, without regard to how it ends, and closes the lanes. */
  close(): Promise<void>;
}

/**
 * Two lanes of the run's lake, opened when they are needed. An abort interrupts what DuckDB is at: it was not committed, and
 * the next run finds its pages.
 */
export function batchLanes(run: ExportRun): BatchLanes {
  const { lake, services } = run;
  const lanes: Lane[] = [];
  const interrupt = () => {
    for (const { connection } of lanes) connection.interrupt();
  };
  services.signal.addEventListener('abort', interrupt);
  let batchNo = 0;
  let commit: Promise<void> = Promise.resolve();
  const laneOf = async (index: number): Promise<Lane> => {
    const open = lanes[index];
    if (open !== undefined) return open;
    const lane = await lake.openLane();
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
  return {
    async bring(windows) {
      const lane = await laneOf(batchNo++ % 2);
      const flat = await orReason(flattenBatch(run, windows, lane));
      try {
        await orReason(commit);
      } catch (thrown) {
        await flat.staged.drop();
        throw thrown;
      }
      commit = commitBatch(run, flat, lane).then((result) => run.recordBatch(windows, result));
      // Whoever waits for it next is told; until then nobody is.
      commit.catch(() => undefined);
    },
    settle: () => orReason(commit),
    async close() {
      await commit.catch(() => undefined);
      services.signal.removeEventListener('abort', interrupt);
      for (const lane of lanes) lane.close();
    },
  };
}
