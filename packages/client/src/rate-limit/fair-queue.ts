import { type RateLimit, sum } from '@edrlake/core';
import type { LimitFacts } from '../sliding-window/limit-headers.ts';
import { createSlidingWindow, type SlidingWindow } from '../sliding-window/sliding-window.ts';
import { type Holder, IDLE, type RequestPriority, type SharedState, type StateUpdate } from './shared-state.ts';

/**
 * The part of each limit that processes of normal priority leave unused while a process of high priority has joined.
 */
const RESERVE_SHARE = 0.2;
/**
 * Grace period after the poll deadline of a waiter. Then others pass it; it keeps its ticket and is first again at its
 * next poll.
 */
const TURN_GRACE_MS = 1_000;
/** The longest time between two polls of a waiter: a request may have been given back early. */
export const MAX_POLL_MS = 5_000;

/** The process that asks, and the limits that its user set. */
export interface LimiterClient {
  readonly id: string;
  readonly priority: RequestPriority;
  /** An upper bound for the requests of all processes, as this process has it. */
  readonly userLimit: RateLimit | null;
  /** Requests at once of all processes, as this process has it. */
  readonly concurrency: number;
}

/**
 * Whether one more request may be sent now. If not: until when the rate limit forbids it (`rate`), or that no slot is
 * free or other waiters are ahead (`queue`), with the reason.
 */
type Verdict =
  | { readonly kind: 'go' }
  | { readonly kind: 'rate'; readonly untilMs: number; readonly isServersWish: boolean }
  | { readonly kind: 'queue'; readonly reason: 'concurrency' | 'rate-limit' | 'other-process' };

/** The sliding window as this process may use it: without the reserve. It changes the state. */
export function slidingWindowOf(state: SharedState, client: LimiterClient): SlidingWindow {
  const isReserved = client.priority === 'normal' && state.holders.some(({ priority }) => priority === 'high');
  return createSlidingWindow(client.userLimit, state.slidingWindow, isReserved ? RESERVE_SHARE : 0);
}

/** Requests that may run at once, all processes together. */
export function concurrencyOf(state: SharedState, client: LimiterClient): number {
  return Math.min(client.concurrency, state.concurrency ?? client.concurrency);
}

/**
 * High priority before normal, then by ticket. Only waiters that could go by their own limits and that poll in time
 * count as ahead, so no process waits for one that cannot move.
 */
function verdictFor(state: SharedState, client: LimiterClient, nowMs: number): Verdict {
  const slidingWindow = slidingWindowOf(state, client);
  const freeAtMs = slidingWindow.freeAtMs(nowMs);
  if (freeAtMs > nowMs && freeAtMs !== Number.POSITIVE_INFINITY) {
    return { kind: 'rate', untilMs: freeAtMs, isServersWish: slidingWindow.isBlocked(nowMs) };
  }
  const running = sum(state.holders, (holder) => holder.running);
  const slots = Math.min(concurrencyOf(state, client) - running, slidingWindow.left(nowMs));
  const ticket = state.holders.find(({ id }) => id === client.id)?.waiting?.ticket ?? state.nextTicket;
  const ahead = state.holders.filter((holder) => isAhead(holder, client, ticket, nowMs)).length;
  if (ahead < slots) return { kind: 'go' };
  const isOthers = ahead > 0 || state.holders.some((holder) => holder.id !== client.id && holder.running > 0);
  if (isOthers) return { kind: 'queue', reason: 'other-process' };
  return { kind: 'queue', reason: slidingWindow.left(nowMs) <= 0 ? 'rate-limit' : 'concurrency' };
}

function isAhead({ id, priority, waiting }: Holder, client: LimiterClient, ticket: number, nowMs: number): boolean {
  if (waiting === null || id === client.id) return false;
  if (priority !== client.priority ? client.priority === 'high' : waiting.ticket > ticket) return false;
  // A poll deadline beyond the longest possible one was set before the clock was set back.
  const isAwake = nowMs < waiting.wakeAtMs + TURN_GRACE_MS && waiting.wakeAtMs <= nowMs + MAX_POLL_MS;
  return waiting.notBeforeMs <= nowMs && isAwake;
}

/** A wait that has just begun, or goes on: when to poll again. */
export type Wait = Exclude<Verdict, { readonly kind: 'go' }> & { readonly delayMs: number };

/**
 * Takes one more request if it may go now, else a ticket in the queue.
 * @param pollMs how long to wait before the next poll
 * @returns the request's number, or the wait
 */
export function acquireOrQueue(
  draft: StateUpdate,
  client: LimiterClient,
  pollMs: { readonly rate: number; readonly queue: number },
): number | Wait {
  const { state, nowMs } = draft;
  const mine = draft.mine ?? IDLE;
  const verdict = verdictFor(state, client, nowMs);
  if (verdict.kind === 'go') {
    draft.mine = {
      ...{ unanswered: mine.unanswered + 1, running: mine.running + 1, waiting: null },
      ...((mine.reserved ?? 0) > 1 && { reserved: (mine.reserved ?? 0) - 1 }),
    };
    return slidingWindowOf(state, client).begin();
  }
  const delayMs = verdict.kind === 'rate' ? Math.min(verdict.untilMs - nowMs, pollMs.rate) : pollMs.queue;
  const ticket = mine.waiting?.ticket ?? state.nextTicket++;
  const notBeforeMs = verdict.kind === 'rate' ? verdict.untilMs : nowMs;
  draft.mine = { ...mine, waiting: { ticket, notBeforeMs, wakeAtMs: nowMs + delayMs } };
  return { ...verdict, delayMs };
}

/** Records the answer of a request, or that none will come, and the limits that it reports. */
export function recordAnswer(
  { state, nowMs }: StateUpdate,
  client: LimiterClient,
  sequence: number,
  facts: LimitFacts | null,
): void {
  slidingWindowOf(state, client).end(sequence, facts, nowMs);
  state.concurrency = facts?.concurrency ?? state.concurrency;
}

/**
 * Removes dead processes. Their requests in flight count as answered now: the server cannot have counted them later.
 */
export function removeDeadHolders(state: SharedState, isGone: (holder: Holder) => boolean, nowMs: number): void {
  const gone = state.holders.filter(isGone);
  if (gone.length === 0) return;
  state.holders = state.holders.filter((holder) => !gone.includes(holder));
  const slidingWindow = createSlidingWindow(null, state.slidingWindow);
  for (const { unanswered } of gone) for (let n = 0; n < unanswered; n++) slidingWindow.end(0, null, nowMs);
}
