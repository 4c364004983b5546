import { randomInt } from 'node:crypto';
import {
  type Clock,
  EdrlakeError,
  type Emit,
  parseRange,
  type QueryScope,
  type Random,
  type RunEvent,
  seededRandom,
  systemClock,
  type TimeRange,
} from '@edrlake/core';
import { FUNCTION, foundText, SWITCH, TEXT } from './checks.ts';

/** What every call may be given. */
export interface CallOptions {
  /**
   * Aborting it stops the call within moments: it throws `INTERRUPTED`, or the reason if that is an `EdrlakeError`.
   * Commits remain. Default: never aborted.
   */
  readonly signal?: AbortSignal;
  /**
   * Receives what happens while the call runs, in order: also what the lake and the source report for other calls that
   * run at the same time. Must return at once and must not throw. Default: nothing is reported.
   */
  readonly onProgress?: (event: RunEvent) => void;
}

/**
 * What `openLake` and `connect` take from outside. Each has a default, and each can be replaced, for example in tests.
 */
export interface Surroundings {
  /** The time, and how to wait. Default: the clock of this machine. */
  readonly clock?: Clock;
  /** Chance, for the jitter of retries and for run ids: numbers in [0, 1). Default: seeded by the operating system. */
  readonly random?: Random;
  /** Receives everything that the lake or the source reports until it is closed. Default: nothing is reported. */
  readonly onProgress?: (event: RunEvent) => void;
}

/**
 * A range of time. A text is a UTC day, `2020-08-17`, included whole at either end; or an ISO instant with `Z` or an
 * offset, exact and excluded at the end, like a `Date`.
 */
export interface RangeOptions {
  readonly from: string | Date;
  readonly to: string | Date;
}

/** Which events of a range are meant. Default: all. */
export interface ScopeOptions {
  /** A filter in the query language of the API (QQL), for example `type:PROCESS`. */
  readonly filter?: string;
  /** `true`: only events from the current state of the assets. */
  readonly state?: boolean;
}

/** What `ScopeOptions` may be. */
export const SCOPE_CHECKS = { filter: TEXT, state: SWITCH } as const;
/** What `Surroundings` may be. */
export const SURROUNDING_CHECKS = {
  clock: {
    expected: 'a Clock',
    fits: (value: unknown) => typeof (value as Partial<Clock> | null)?.nowMs === 'function',
  },
  random: FUNCTION,
  onProgress: FUNCTION,
} as const;

const NAMES = { from: 'from', to: 'to' };

/** @throws {EdrlakeError} `RANGE_INVALID` naming the end that cannot be read, or that is not after the beginning */
export function rangeOf({ from, to }: RangeOptions): TimeRange {
  const fromText = momentText('from', from);
  const toText = momentText('to', to);
  return parseRange(fromText, toText, NAMES);
}

/** The same; null where neither end is given. */
export function optionalRangeOf({ from, to }: Partial<RangeOptions>): TimeRange | null {
  if (from === undefined && to === undefined) return null;
  if (from !== undefined && to !== undefined) return rangeOf({ from, to });
  const missing = from === undefined ? 'from' : 'to';
  throw new EdrlakeError('RANGE_INVALID', `expected from and to, ${missing} is missing`, {
    hint: 'A single day is the same date twice.',
  });
}

/** The first moment of a day, or an instant, in UTC epoch milliseconds. @throws {EdrlakeError} `RANGE_INVALID` */
export function momentOf(name: string, moment: string | Date): number {
  return parseRange(momentText(name, moment), '9999-12-31', { from: name, to: name }).startMs;
}

function momentText(name: string, moment: unknown): string {
  if (typeof moment === 'string') return moment;
  const isDate = moment instanceof Date;
  if (isDate && Number.isFinite(moment.getTime())) return moment.toISOString();
  const found = isDate ? 'an invalid Date' : foundText(moment);
  throw new EdrlakeError('RANGE_INVALID', `${name}: expected a UTC day, an ISO instant or a Date, found ${found}`, {
    hint: 'For example 2020-08-17, or 2020-08-17T04:00:00Z.',
  });
}

/** The scope of a call. */
export function scopeOf({ filter, state }: ScopeOptions): QueryScope {
  return { filter: filter ?? null, state: state ?? null };
}

/** The clock and the chance of a lake or a source. */
export function surroundingsOf({ clock, random }: Surroundings): { readonly clock: Clock; readonly random: Random } {
  return { clock: clock ?? systemClock, random: random ?? seededRandom(randomInt(2 ** 32)) };
}

/** By the signal of a program, so that a signal that serves many calls has one listener of all of them. */
const interrupting = new WeakMap<AbortSignal, AbortSignal>();

/**
 * The signal of a call, whose reason is an `EdrlakeError` for any reason that the program gives: what is thrown by the
 * call, and kept of its run, is then an interruption and no bug. Without one, a signal that nothing aborts.
 */
export function signalOf({ signal }: Pick<CallOptions, 'signal'>): AbortSignal {
  if (signal === undefined) return new AbortController().signal;
  const known = interrupting.get(signal);
  if (known !== undefined) return known;
  const controller = new AbortController();
  const abort = () => controller.abort(interruptionOf(signal.reason));
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  interrupting.set(signal, controller.signal);
  return controller.signal;
}

function interruptionOf(reason: unknown): EdrlakeError {
  if (reason instanceof EdrlakeError) return reason;
  return new EdrlakeError('INTERRUPTED', 'the program aborted the call', {
    cause: reason,
    hint: 'What was committed stays; the same call goes on from there.',
  });
}

/** By the function of a program, so that each call of it stays one listener. */
const reporting = new WeakMap<Emit, Emit>();

/**
 * The listener of a call. What the program's own function throws ends the call as an interruption: it is no fault of
 * edrlake, and no bug to report.
 */
export function listenerOf({ onProgress }: Pick<CallOptions, 'onProgress'>): Emit {
  if (onProgress === undefined) return () => {};
  const known = reporting.get(onProgress);
  if (known !== undefined) return known;
  const listener: Emit = (event) => {
    try {
      onProgress(event);
    } catch (cause) {
      const says = cause instanceof Error ? cause.message : String(cause);
      throw new EdrlakeError('INTERRUPTED', `onProgress threw at an event of type ${event.type}: ${says}`, {
        cause,
        hint: 'What was committed stays; the same call goes on from there.',
      });
    }
  };
  reporting.set(onProgress, listener);
  return listener;
}

/** What a lake or a source reports, for all who listen. */
export interface Reports {
  readonly emit: Emit;
  /** Each listener receives each event once. @returns what ends it */
  listen(listener: Emit): () => void;
}

/** @param listener that is never removed */
export function openReports(listener: Emit): Reports {
  const listeners = new Map<Emit, number>();
  const add = (each: Emit, by: number) => {
    const uses = (listeners.get(each) ?? 0) + by;
    if (uses > 0) listeners.set(each, uses);
    else listeners.delete(each);
  };
  add(listener, 1);
  return {
    emit: (event) => {
      for (const each of listeners.keys()) each(event);
    },
    listen: (each) => {
      add(each, 1);
      return () => add(each, -1);
    },
  };
}

/** Does some work while the listener of a call receives what is reported. */
export async function listening<T>(
  reports: Reports | readonly Reports[],
  options: CallOptions,
  work: () => Promise<T>,
): Promise<T> {
  const leave = [reports].flat().map((each) => each.listen(listenerOf(options)));
  try {
    return await work();
  } finally {
    for (const end of leave) end();
  }
}
