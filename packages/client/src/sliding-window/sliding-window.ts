import type { RateLimit } from '@edrlake/core';
import { isUsableLimit, type LimitFacts } from './limit-headers.ts';
import { coarsen, countAfter, firstAfter, insert, type TimestampCount, withoutFirst } from './timestamp-counts.ts';

/** The standard subscription, assumed until an answer says otherwise. */
export const STANDARD_RATE_LIMIT: RateLimit = { requests: 300, windowSeconds: 3600 };

/** How long nothing is sent after an answer that nothing is left, if it does not say for how long. */
const UNNAMED_WAIT_MS = 60_000;

/** Larger limits in a header are taken as this: with this many left, no request ever waits. */
const MAX_REQUESTS = 50_000;

/**
 * The longest wait that is accepted from a server: two windows, at least two hours. Where the server asks for more, the
 * request fails.
 */
export function longestWaitMs(limit: RateLimit): number {
  return Math.max(7_200_000, 2_000 * limit.windowSeconds);
}

/** The log of request times and limits as plain data: kept in memory or in a file. */
export interface SlidingWindowState {
  /** The limit in headers; null until an answer has one. */
  serverLimit: RateLimit | null;
  /** When answers came, ascending. */
  answered: readonly TimestampCount[];
  /** When requests of other tools under the same subscription stop counting, ascending. */
  foreign: readonly TimestampCount[];
  inFlight: number;
  blockedUntilMs: number;
  lastNowMs: number;
  /** Requests begun so far: the number of the newest one. */
  begun: number;
  /** The newest request whose answer reported what is left. */
  newestFacts: number;
}

/** The state without requests or limits. */
export function emptySlidingWindow(): SlidingWindowState {
  return {
    serverLimit: null,
    answered: [],
    foreign: [],
    inFlight: 0,
    blockedUntilMs: 0,
    lastNowMs: 0,
    begun: 0,
    newestFacts: 0,
  };
}

/**
 * A sliding-window log of requests and the limits on it. A request counts while it is in flight and from the moment its
 * answer arrives, because that is the latest moment at which the server can have counted it. So no clock of the server,
 * however late a request reached it, sees more than the limit in any window.
 */
export interface SlidingWindow {
  /**
   * When the next request may go, or so that this number of them may go: `nowMs` or later; Infinity when an answer has
   * to come first.
   */
  freeAtMs(nowMs: number, wanted?: number): number;
  /** Whether the server asked for that instant, instead of the own window. */
  isBlocked(nowMs: number): boolean;
  /** Records a request that is sent now. @returns its number, ascending */
  begin(): number;
  /** Records its answer, or that none will come (`facts` null): it counts in either case. */
  end(sequence: number, facts: LimitFacts | null, nowMs: number): void;
  /** Removes a request that was never sent. */
  undo(): void;
  blockUntil(untilMs: number): void;
  /** Requests that may be sent now. */
  left(nowMs: number): number;
  /** The most requests that may go within one window of each limit. */
  capacity(): number;
  /** The tightest limit in force. */
  limit(): RateLimit;
  /** Requests of others that count now; null until an answer said what is left. */
  usedByOthers(nowMs: number): number | null;
}

/**
 * A sliding window over a state, which it changes.
 * @param userLimit an upper bound that headers may only lower; null starts with the standard subscription, which
 * headers replace
 * @param reserveShare the part of each limit that is left to others, from 0 to below 1; one request can always be made
 */
export function createSlidingWindow(
  userLimit: RateLimit | null,
  state: SlidingWindowState = emptySlidingWindow(),
  reserveShare = 0,
): SlidingWindow {
  const serverLimit = () => state.serverLimit ?? capped(userLimit ?? STANDARD_RATE_LIMIT);
  const limits = () => (userLimit === null ? [serverLimit()] : [userLimit, serverLimit()]);
  const reserveOf = ({ requests }: RateLimit) => Math.min(Math.ceil(requests * reserveShare), requests - 1);

  /** Removes entries that no longer count. */
  function advance(nowMs: number): void {
    if (nowMs < state.lastNowMs) {
      // The machine's clock was set back: instants that are now in its future happened by now.
      const setBackMs = state.lastNowMs - nowMs;
      state.answered = state.answered.map(([ms, count]) => [Math.min(ms, nowMs), count]);
      state.foreign = state.foreign.map(([ms, count]) => [ms - setBackMs, count]);
      state.blockedUntilMs -= setBackMs;
    }
    state.lastNowMs = nowMs;
    const longestMs = 1000 * Math.max(...limits().map((limit) => limit.windowSeconds));
    state.answered = coarsen(state.answered.slice(firstAfter(state.answered, nowMs - longestMs)), longestMs);
    state.foreign = coarsen(state.foreign.slice(firstAfter(state.foreign, nowMs)), longestMs);
  }

  function leftUnder(limit: RateLimit, isServers: boolean, nowMs: number): number {
    const own = countAfter(state.answered, nowMs - limit.windowSeconds * 1000);
    const foreign = isServers ? countAfter(state.foreign, nowMs) : 0;
    return limit.requests - state.inFlight - own - foreign;
  }

  /** The smallest of what the limits in force leave, with or without the reserve. */
  function leastLeft(nowMs: number): number {
    const server = leftUnder(serverLimit(), true, nowMs) - reserveOf(serverLimit());
    return userLimit === null ? server : Math.min(server, leftUnder(userLimit, false, nowMs) - reserveOf(userLimit));
  }

  /** When `nth` of the answered requests no longer count against a limit; Infinity when there are fewer. */
  function endOfNth(nth: number, limit: RateLimit, isServers: boolean, nowMs: number): number {
    const windowMs = limit.windowSeconds * 1000;
    const own = state.answered.slice(firstAfter(state.answered, nowMs - windowMs));
    const ends: TimestampCount[] = own.map(([ms, count]) => [ms + windowMs, count]);
    if (isServers) ends.push(...state.foreign);
    ends.sort(([a], [b]) => a - b);
    let ended = 0;
    for (const [endMs, count] of ends) {
      ended += count;
      if (ended >= nth) return endMs;
    }
    return Number.POSITIVE_INFINITY;
  }

  function freeUnder(limit: RateLimit, isServers: boolean, nowMs: number, wanted: number): number {
    const missing = wanted + reserveOf(limit) - leftUnder(limit, isServers, nowMs);
    return missing > 0 ? endOfNth(missing, limit, isServers, nowMs) : nowMs;
  }

  /** Accepts the server's number of requests left: requests beyond those of this log were made by other tools. */
  function reconcile(facts: LimitFacts, sequence: number, nowMs: number): void {
    if (facts.requests !== null) {
      const { requests } = facts;
      const limit = { requests, windowSeconds: facts.windowSeconds ?? serverLimit().windowSeconds };
      if (isUsableLimit(limit)) state.serverLimit = capped(limit);
    }
    const { remaining, toWaitMs } = facts;
    if (remaining === 0 && toWaitMs !== null && toWaitMs <= longestWaitMs(serverLimit())) {
      state.blockedUntilMs = Math.max(state.blockedUntilMs, nowMs + toWaitMs);
    }
    // An answer that was overtaken by that of a later request is outdated.
    if (remaining === null || sequence < state.newestFacts) return;
    state.newestFacts = sequence;
    // Requests in flight may not be in the server's number yet.
    const surplus = leftUnder(serverLimit(), true, nowMs) - Math.max(0, remaining - state.inFlight);
    if (surplus < 0) state.foreign = withoutFirst(state.foreign, -surplus);
    if (surplus > 0) {
      const windowMs = serverLimit().windowSeconds * 1000;
      // Without a usable time the next answer has to say more: some gateways always send this zero.
      const isNamed = toWaitMs !== null && toWaitMs > 0 && toWaitMs <= longestWaitMs(serverLimit());
      const endMs = nowMs + (remaining > 0 ? windowMs : isNamed ? toWaitMs : Math.min(windowMs, UNNAMED_WAIT_MS));
      state.foreign = insert(state.foreign, [endMs, surplus]);
    }
  }

  return {
    freeAtMs(nowMs, wanted = 1) {
      advance(nowMs);
      const ofServerMs = Math.max(state.blockedUntilMs, freeUnder(serverLimit(), true, nowMs, wanted));
      return userLimit === null ? ofServerMs : Math.max(ofServerMs, freeUnder(userLimit, false, nowMs, wanted));
    },
    isBlocked: (nowMs) => state.blockedUntilMs > nowMs,
    begin() {
      state.inFlight++;
      return ++state.begun;
    },
    end(sequence, facts, nowMs) {
      advance(nowMs);
      state.inFlight--;
      state.answered = insert(state.answered, [nowMs, 1]);
      if (facts !== null) reconcile(facts, sequence, nowMs);
    },
    undo() {
      state.inFlight--;
    },
    blockUntil(untilMs) {
      state.blockedUntilMs = Math.max(state.blockedUntilMs, untilMs);
    },
    left(nowMs) {
      advance(nowMs);
      return state.blockedUntilMs > nowMs ? 0 : Math.max(0, leastLeft(nowMs));
    },
    capacity: () => Math.min(...limits().map((limit) => limit.requests - reserveOf(limit))),
    usedByOthers(nowMs) {
      advance(nowMs);
      return state.newestFacts === 0 ? null : countAfter(state.foreign, nowMs);
    },
    limit: () => limits().reduce((a, b) => (b.requests * a.windowSeconds < a.requests * b.windowSeconds ? b : a)),
  };
}

function capped(limit: RateLimit): RateLimit {
  return { requests: Math.min(limit.requests, MAX_REQUESTS), windowSeconds: limit.windowSeconds };
}
