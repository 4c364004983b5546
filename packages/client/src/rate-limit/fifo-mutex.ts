import { type Clock, linkAbort, unlessAborted } from '@edrlake/core';

/** The longest time a timer can run. A longer wait wakes up and continues. */
const MAX_TIMER_MS = 2_000_000_000;

/** A mutex with a queue in the order of arrival, in which a waiter can be aborted. */
export interface FifoMutex {
  /**
   * Runs `take` once all earlier callers are done. An aborted caller leaves the queue at once; a result that its `take`
   * still has goes to `giveBack`.
   * @throws the signal's reason
   */
  run<T>(take: () => Promise<T>, giveBack: (taken: T) => void, signal: AbortSignal): Promise<T>;
  /**
   * Waits for the delay (Infinity: without an end) or for `wake`. For the head of the queue only.
   * @throws the signal's reason
   */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
  /** Ends the sleep of the head of the queue, because something changed. */
  wake(): void;
}

/** The queue is as long as the number of callers; the callers bound it. */
export function createFifoMutex(clock: Clock): FifoMutex {
  let wake = () => {};
  let turn: Promise<unknown> = Promise.resolve();
  return {
    async run(take, giveBack, signal) {
      const mine = turn.then(take);
      turn = mine.catch(() => undefined);
      try {
        return await unlessAborted(mine, signal);
      } catch (thrown) {
        mine.then(giveBack, () => undefined);
        throw thrown;
      }
    },
    async sleep(delayMs, signal) {
      const { controller, unlink } = linkAbort(signal);
      wake = () => controller.abort();
      try {
        if (delayMs === Number.POSITIVE_INFINITY) await unlessAborted(new Promise<never>(() => {}), controller.signal);
        else await clock.sleep(Math.min(delayMs, MAX_TIMER_MS), controller.signal);
      } catch (thrown) {
        signal.throwIfAborted();
        if (!controller.signal.aborted) throw thrown;
      } finally {
        wake = () => {};
        unlink();
      }
    },
    wake: () => wake(),
  };
}
