import { type Clock, EdrlakeError, MS_PER_SECOND } from '@edrlake/core';

/** How long a task may take to end once its signal is aborted. */
export const GRACE_MS = 30 * MS_PER_SECOND;

/**
 * How one attempt ended. An attempt that was stopped has no result, even if it returned one: it may have returned
 * early.
 */
export type AttemptEnd =
  | { readonly end: 'returned'; readonly value: unknown }
  | { readonly end: 'threw'; readonly thrown: unknown }
  | { readonly end: 'stopped' };

/** The bounds of an attempt. */
export interface AttemptLimits {
  readonly clock: Clock;
  /** null: no limit. */
  readonly timeoutMs: number | null;
  /** Aborting it stops the attempt. */
  readonly signal: AbortSignal;
}

/**
 * Runs one attempt with a signal of its own. At its timeout or when it is stopped, the signal is aborted and the
 * attempt has a grace period to end. An attempt that still runs is abandoned; then its timeout is final, because the
 * task must not run twice at once.
 */
export async function timedAttempt(
  work: (signal: AbortSignal) => Promise<unknown>,
  limits: AttemptLimits,
): Promise<AttemptEnd> {
  const { clock, timeoutMs, signal } = limits;
  if (signal.aborted) return { end: 'stopped' };
  const ownSignal = new AbortController();
  const over = new AbortController();
  const stopped = abortOf(signal, over.signal);
  const timedOut = timeoutMs === null ? new Promise<never>(() => {}) : wait(clock, timeoutMs, over.signal);
  const settled = settle(work, ownSignal.signal);
  try {
    const first = await Promise.race([
      settled,
      stopped.then(() => 'stopped' as const),
      timedOut.then(() => 'late' as const),
    ]);
    if (typeof first === 'object') return signal.aborted ? { end: 'stopped' } : first;
    const late = tooLong(timeoutMs ?? 0, 'retry');
    ownSignal.abort(first === 'late' ? late : signal.reason);
    const second = await Promise.race([settled, wait(clock, GRACE_MS, over.signal).then(() => 'stuck' as const)]);
    if (first === 'stopped') return { end: 'stopped' };
    return { end: 'threw', thrown: second === 'stuck' ? tooLong(timeoutMs ?? 0, 'stop') : late };
  } finally {
    // Ends the waits that lost the race, and removes the listener from the run's signal.
    over.abort();
  }
}

async function settle(work: (signal: AbortSignal) => Promise<unknown>, signal: AbortSignal): Promise<AttemptEnd> {
  try {
    return { end: 'returned', value: await work(signal) };
  } catch (thrown) {
    return { end: 'threw', thrown };
  }
}

function tooLong(timeoutMs: number, disposition: 'retry' | 'stop'): EdrlakeError {
  const stuck = disposition === 'stop' ? `, and did not stop within ${GRACE_MS} ms of its signal` : '';
  return new EdrlakeError('TASK_TIMED_OUT', `it ran longer than ${timeoutMs} ms${stuck}`, {
    disposition,
    hint: stuck === '' ? 'Give it more time (timeoutMs), or less to do.' : 'Make it end when its signal is aborted.',
  });
}

/** Resolves when the time is over; never once it is not needed any more. */
function wait(clock: Clock, delayMs: number, unwanted: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    clock.sleep(delayMs, unwanted).then(resolve, () => {});
  });
}

function abortOf(signal: AbortSignal, unwanted: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const listener = () => resolve();
    signal.addEventListener('abort', listener, { once: true });
    unwanted.addEventListener('abort', () => signal.removeEventListener('abort', listener), { once: true });
  });
}
