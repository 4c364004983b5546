import { type Clock, linkAbort, unlessAborted } from '@edrlake/core';

/** The longest time a timer can run; whoever waits longer wakes up and goes on waiting. */
const MAX_TIMER_MS = 2_000_000_000;

/** One after another, in the order they came. */
export interface FifoMutex {
  /**
   * Runs `take` when all who came before are done. Whoever is aborted in the line leaves at once; what `take` yields all the
   * same goes to `giveBack`. @throws the signal's reason
   */
  run<T>(take: () => Promise<T>, giveBack: (taken: T) => void, signal: AbortSignal): Promise<T>;
  /** Waits until the instant or until `wake`, whichever comes first. Only for who is at the head. @throws the signal's reason */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
  /** Something changed: whoever is at the head looks again. */
  wake(): void;
}

/** The line is as long as the number of callers, which bound it themselves. */
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
        await clock.sleep(Math.min(delayMs, MAX_TIMER_MS), controller.signal);
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
