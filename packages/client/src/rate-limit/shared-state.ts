import { type ProcessOwner, type RateLimit, sum } from '@edrlake/core';
import { emptySlidingWindow, type SlidingWindowState } from '../sliding-window/sliding-window.ts';
import type { TimestampCount } from '../sliding-window/timestamp-counts.ts';

/** Decides which of two waiting processes goes first. */
export type RequestPriority = 'high' | 'normal';

/** A queued waiter: one process that waits for a permit. */
export interface QueuedWaiter {
  /** Ascending in the order of arrival. */
  readonly ticket: number;
  /** The earliest instant that its own limits allow. */
  readonly notBeforeMs: number;
  /** Its poll deadline. */
  readonly wakeAtMs: number;
}

/** One process that has joined the limiter. */
export interface Holder {
  readonly id: string;
  readonly owner: ProcessOwner;
  readonly priority: RequestPriority;
  /** The number of its updates, by which it recognises its own writing. */
  readonly revision: number;
  readonly seenAtMs: number;
  /** Requests sent without an answer yet. */
  readonly unanswered: number;
  /** Requests whose answers are not read to the end yet; at least `unanswered`. */
  readonly running: number;
  /** null while it does not wait. */
  readonly waiting: QueuedWaiter | null;
  /** Requests that work under way still needs to be whole; absent for none. */
  readonly reserved?: number;
}

/** Of a process that asks for nothing. */
export const IDLE: NonNullable<StateUpdate['mine']> = { unanswered: 0, running: 0, waiting: null };

/** The state that all processes of one limiter share. */
export interface SharedState {
  /** Called `account` on disk. */
  slidingWindow: SlidingWindowState;
  /** Requests at once, as headers said; null until they say something. */
  concurrency: number | null;
  nextTicket: number;
  holders: readonly Holder[];
}

/** A state that is being changed: the shared part, and the own entry, which is inserted afterwards. */
export interface StateUpdate {
  readonly state: SharedState;
  /** null removes the entry. */
  mine: Pick<Holder, 'unanswered' | 'running' | 'waiting' | 'reserved'> | null;
  readonly nowMs: number;
}

/** The initial state: no limits known, no process joined. */
export function emptyState(): SharedState {
  return { slidingWindow: emptySlidingWindow(), concurrency: null, nextTicket: 1, holders: [] };
}

const FORMAT = 1;

/** The state as one line of JSON. The number of requests in flight follows from the holders and is not written. */
export function formatState(state: SharedState): string {
  const { slidingWindow, ...rest } = state;
  const { inFlight: _, ...account } = slidingWindow;
  return `${JSON.stringify({ format: FORMAT, account, ...rest })}\n`;
}

/** null for any text that is not a whole state of this format: torn, empty, or of another version or program. */
export function parseState(text: string): SharedState | null {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(found) || found.format !== FORMAT) return null;
  const { account: slidingWindow, concurrency, nextTicket, holders } = found;
  if (!isWindowState(slidingWindow) || !isCount(nextTicket) || !(concurrency === null || isAbove0(concurrency)))
    return null;
  if (!Array.isArray(holders) || !holders.every(isHolder)) return null;
  const inFlight = sum(holders, (holder) => holder.unanswered);
  return { slidingWindow: { ...slidingWindow, inFlight }, concurrency, nextTicket, holders };
}

function isWindowState(found: unknown): found is Omit<SlidingWindowState, 'inFlight'> {
  return (
    isObject(found) &&
    (found.serverLimit === null || isLimit(found.serverLimit)) &&
    areTallies(found.answered) &&
    areTallies(found.foreign) &&
    [found.blockedUntilMs, found.lastNowMs].every(Number.isFinite) &&
    isCount(found.begun) &&
    isCount(found.newestFacts)
  );
}

function isLimit(found: unknown): found is RateLimit {
  return isObject(found) && isAbove0(found.requests) && isAbove0(found.windowSeconds);
}

function areTallies(found: unknown): found is readonly TimestampCount[] {
  return (
    Array.isArray(found) &&
    found.every((tally, index) => {
      const isTally = Array.isArray(tally) && tally.length === 2 && Number.isFinite(tally[0]) && isAbove0(tally[1]);
      return isTally && (index === 0 || tally[0] >= found[index - 1][0]);
    })
  );
}

function isHolder(found: unknown): found is Holder {
  if (!isObject(found) || !isObject(found.owner)) return false;
  const { owner, waiting } = found;
  const { namespace = '', instance = '' } = owner;
  return (
    [found.id, owner.host, owner.startIdentity, namespace, instance].every((text) => typeof text === 'string') &&
    isAbove0(owner.pid) &&
    (found.priority === 'high' || found.priority === 'normal') &&
    [found.revision, found.unanswered, found.running].every(isCount) &&
    Number.isFinite(found.seenAtMs) &&
    (waiting === null || isWaiting(waiting)) &&
    (found.reserved === undefined || isCount(found.reserved))
  );
}

function isWaiting(found: unknown): found is QueuedWaiter {
  return isObject(found) && isCount(found.ticket) && [found.notBeforeMs, found.wakeAtMs].every(Number.isFinite);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isAbove0(value: unknown): value is number {
  return isCount(value) && value > 0;
}
