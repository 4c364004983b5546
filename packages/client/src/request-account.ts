import type { LimitFacts, RateLimit } from './limits.ts';

/** The standard subscription, assumed until an answer says otherwise. */
export const STANDARD_RATE_LIMIT: RateLimit = { requests: 300, windowSeconds: 3600 };

/** A header that promises more is taken as this: whoever has so many left never waits, and memory stays small. */
const MAX_REQUESTS = 50_000;

/** The longest wait that is accepted from a server: two windows, at least two hours. Asked for more, a request fails. */
export function longestWaitMs(limit: RateLimit): number {
  return Math.max(7_200_000, 2_000 * limit.windowSeconds);
}

/**
 * Who sent how many requests when, under which limits. A sliding window: a request counts while it is under way and from the
 * moment its answer arrives, because that is the latest moment the server can have counted it. So no clock of the server,
 * however late a request reached it, sees more than the limit in any window.
 */
export interface RequestAccount {
  /** When the next request may go: `nowMs` or later; Infinity when an answer has to come first. */
  freeAtMs(nowMs: number): number;
  /** Whether that instant is the server's wish, and not our own account. */
  isBlocked(nowMs: number): boolean;
  /** Books a request that is sent now. @returns its number, ascending */
  begin(): number;
  /** Books its answer, or that none will come (`facts` null): it counts all the same. */
  end(sequence: number, facts: LimitFacts | null, nowMs: number): void;
  /** Takes back a request that was never sent. */
  undo(): void;
  blockUntil(untilMs: number): void;
  /** Requests that may be sent now. */
  left(nowMs: number): number;
  /** The tightest limit in force. */
  limit(): RateLimit;
}

/**
 * @param userLimit an upper bound that headers may only lower; null starts with the standard subscription, which headers
 * replace
 */
export function createRequestAccount(userLimit: RateLimit | null): RequestAccount {
  let serverLimit = capped(userLimit ?? STANDARD_RATE_LIMIT);
  /** When each of our answers came, ascending. */
  let answeredAtMs: number[] = [];
  /** When each request that others made with the same subscription stops counting, ascending. */
  let foreignEndMs: number[] = [];
  let inFlight = 0;
  let blockedUntilMs = 0;
  let lastNowMs = 0;
  let begun = 0;
  let newestFacts = 0;

  const limits = () => (userLimit === null ? [serverLimit] : [userLimit, serverLimit]);

  /** Drops what no longer counts. */
  function advance(nowMs: number): void {
    if (nowMs < lastNowMs) {
      // The machine's clock was set back: what now lies in its future happened just now at the latest.
      const setBackMs = lastNowMs - nowMs;
      answeredAtMs = answeredAtMs.map((ms) => Math.min(ms, nowMs));
      foreignEndMs = foreignEndMs.map((ms) => ms - setBackMs);
      blockedUntilMs -= setBackMs;
    }
    lastNowMs = nowMs;
    const longestMs = 1000 * Math.max(...limits().map((limit) => limit.windowSeconds));
    answeredAtMs.splice(0, firstAfter(answeredAtMs, nowMs - longestMs));
    foreignEndMs.splice(0, firstAfter(foreignEndMs, nowMs));
  }

  function leftUnder(limit: RateLimit, nowMs: number): number {
    const own = answeredAtMs.length - firstAfter(answeredAtMs, nowMs - limit.windowSeconds * 1000);
    const foreign = limit === serverLimit ? foreignEndMs.length : 0;
    return limit.requests - inFlight - own - foreign;
  }

  /** When so many of the answered requests stop counting against a limit; Infinity when there are fewer. */
  function endOfNth(nth: number, limit: RateLimit, nowMs: number): number {
    const windowMs = limit.windowSeconds * 1000;
    const own = answeredAtMs.slice(firstAfter(answeredAtMs, nowMs - windowMs)).map((ms) => ms + windowMs);
    const ends = limit === serverLimit ? [...own, ...foreignEndMs].sort((a, b) => a - b) : own;
    return ends[nth - 1] ?? Number.POSITIVE_INFINITY;
  }

  /** Takes the server's word for how many are left: what it has beyond our own account is what others did. */
  function reconcile(facts: LimitFacts, sequence: number, nowMs: number): void {
    if (facts.requests !== null) {
      serverLimit = capped({
        requests: facts.requests,
        windowSeconds: facts.windowSeconds ?? serverLimit.windowSeconds,
      });
    }
    const { remaining, toWaitMs } = facts;
    if (remaining === 0 && toWaitMs !== null && toWaitMs <= longestWaitMs(serverLimit)) {
      blockedUntilMs = Math.max(blockedUntilMs, nowMs + toWaitMs);
    }
    // An answer overtaken by that of a later request knows less than is known already.
    if (remaining === null || sequence < newestFacts) return;
    newestFacts = sequence;
    // Requests under way may not be in the server's number yet.
    const surplus = leftUnder(serverLimit, nowMs) - Math.max(0, remaining - inFlight);
    if (surplus < 0) foreignEndMs = foreignEndMs.slice(-surplus);
    if (surplus > 0) {
      const endMs = nowMs + (remaining === 0 && toWaitMs ? toWaitMs : serverLimit.windowSeconds * 1000);
      foreignEndMs = [...foreignEndMs, ...Array<number>(surplus).fill(endMs)].sort((a, b) => a - b);
    }
  }

  return {
    freeAtMs(nowMs) {
      advance(nowMs);
      let freeAtMs = Math.max(nowMs, blockedUntilMs);
      for (const limit of limits()) {
        const missing = 1 - leftUnder(limit, nowMs);
        if (missing > 0) freeAtMs = Math.max(freeAtMs, endOfNth(missing, limit, nowMs));
      }
      return freeAtMs;
    },
    isBlocked: (nowMs) => blockedUntilMs > nowMs,
    begin() {
      inFlight++;
      return ++begun;
    },
    end(sequence, facts, nowMs) {
      advance(nowMs);
      inFlight--;
      answeredAtMs.push(nowMs);
      if (facts !== null) reconcile(facts, sequence, nowMs);
    },
    undo() {
      inFlight--;
    },
    blockUntil(untilMs) {
      blockedUntilMs = Math.max(blockedUntilMs, untilMs);
    },
    left(nowMs) {
      advance(nowMs);
      if (blockedUntilMs > nowMs) return 0;
      return Math.max(0, Math.min(...limits().map((limit) => leftUnder(limit, nowMs))));
    },
    limit: () => limits().reduce((a, b) => (b.requests * a.windowSeconds < a.requests * b.windowSeconds ? b : a)),
  };
}

function capped(limit: RateLimit): RateLimit {
  return { requests: Math.min(limit.requests, MAX_REQUESTS), windowSeconds: limit.windowSeconds };
}

/** The index of the first of the ascending instants that lies after `ms`; their number when none does. */
function firstAfter(instantsMs: readonly number[], ms: number): number {
  let low = 0;
  let high = instantsMs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((instantsMs[middle] ?? 0) > ms) high = middle;
    else low = middle + 1;
  }
  return low;
}
