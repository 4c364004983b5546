import { noteLeftWork } from '@edrlake/core';

/** For how long an interrupted DuckDB is waited for: where it waits for a network, no interrupt reaches it. */
const LEAVE_AFTER_MS = 1_000;

/**
 * What `work` comes to; or, a moment after the signal is aborted, its reason, while the work goes on unseen.
 * @param late gets what the work comes to after that
 */
export async function leftOnAbort<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  late: (value: T) => void = () => {},
): Promise<T> {
  if (signal === undefined) return work;
  let timer: NodeJS.Timeout | undefined;
  let onAbort = () => {};
  const left = new Promise<never>((_, reject) => {
    onAbort = () => {
      noteLeftWork(work);
      timer = setTimeout(() => {
        work.then(late, () => {});
        reject(signal.reason);
      }, LEAVE_AFTER_MS);
    };
  });
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, left]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
