import type { RateLimit } from '@edrlake/core';

/** Response headers as the HTTP library gives them: lower-case names, repeated headers as a list. */
export type HttpHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The window of the standard subscription, where headers name a limit without one. */
const STANDARD_WINDOW_SECONDS = 3_600;

/** A limit below one request in this time is a mistake: nothing could be exported under it. */
const SLOWEST_SECONDS_PER_REQUEST = 3_600;

/** The longest window of a rate limit: 31 days. */
const LONGEST_WINDOW_SECONDS = 31 * 86_400;

/** Of a header that is not used. */
const SHOWN_CHARACTERS = 40;

/** Whether a limit in headers can be meant: more than one request an hour, in a window of at most 31 days. */
export function isUsableLimit({ requests, windowSeconds }: RateLimit): boolean {
  const isTooSlow = windowSeconds >= requests * SLOWEST_SECONDS_PER_REQUEST;
  return !isTooSlow && windowSeconds <= LONGEST_WINDOW_SECONDS;
}

/** The limits that one answer reported. null where the header is missing, empty or not a number. */
export interface LimitFacts {
  readonly requests: number | null;
  readonly windowSeconds: number | null;
  /** Requests left for the whole subscription, including those that other tools have used. */
  readonly remaining: number | null;
  /**
   * The longer of `X-RateLimit-ToWait-Sec` and `Retry-After`; 0 when the server says that there is nothing to wait for.
   */
  readonly toWaitMs: number | null;
  readonly concurrency: number | null;
  readonly running: number | null;
  /** The server's clock when it answered, in epoch milliseconds with a resolution of one second. */
  readonly serverAtMs: number | null;
  /** Headers that are present and not used, such as `x-ratelimit-limit: 0`. Absent: none. */
  readonly unusable?: readonly string[];
}

/**
 * Reads the limit headers in each of their spellings. Garbage counts as absent: a wrong header must never stop an
 * export.
 */
export function readLimits(headers: HttpHeaders, nowMs: number): LimitFacts {
  const serverAtMs = readDate(headers.date);
  const unusable: string[] = [];
  const read = (parse: (text: string) => number | null, ...names: [string, ...string[]]): number | null => {
    const text = first(headers, ...names);
    const value = text === undefined ? null : parse(text);
    if (value === null && text !== undefined) unusable.push(`${names[0]}: ${text.slice(0, SHOWN_CHARACTERS)}`);
    return value;
  };
  const waitOf = (text: string) => waitMs(text, serverAtMs ?? nowMs);
  const toWaitMs = read(waitOf, 'x-ratelimit-towait-sec', 'x-rate-limit-towait-sec');
  const retryAfterMs = read(waitOf, 'retry-after');
  const requests = read(positive, 'x-ratelimit-limit', 'x-rate-limit-limit');
  const windowSeconds = read(positive, 'x-ratelimit-window-sec', 'x-rate-limit-window-sec');
  const limit = {
    requests: requests ?? Number.POSITIVE_INFINITY,
    windowSeconds: windowSeconds ?? STANDARD_WINDOW_SECONDS,
  };
  const isUsable = isUsableLimit(limit);
  if (!isUsable) unusable.push(`x-ratelimit-limit: ${requests} in ${limit.windowSeconds} s`);
  return {
    requests: isUsable ? requests : null,
    windowSeconds: isUsable ? windowSeconds : null,
    remaining: read(whole, 'x-ratelimit-remaining', 'x-rate-limit-remaining'),
    toWaitMs: toWaitMs === null ? retryAfterMs : Math.max(toWaitMs, retryAfterMs ?? 0),
    concurrency: read(positive, 'x-concurrencylimit-limit', 'x-concurrency-limit-limit'),
    running: read(whole, 'x-concurrencylimit-running', 'x-concurrency-limit-running'),
    serverAtMs,
    ...(unusable.length > 0 && { unusable }),
  };
}

/**
 * Whether an answer with an ambiguous status (409) is about limits. A server that sends its limit headers with every
 * answer also sends them with a real conflict, so headers with requests left are no evidence.
 */
export function showsLimit(facts: LimitFacts): boolean {
  if (facts.toWaitMs !== null && facts.toWaitMs > 0) return true;
  if (facts.remaining === 0) return true;
  if (facts.running !== null && facts.concurrency !== null) return facts.running >= facts.concurrency;
  return facts.remaining === null && (facts.requests !== null || facts.concurrency !== null || facts.toWaitMs !== null);
}

function first(headers: HttpHeaders, ...names: string[]): string | undefined {
  for (const name of names) {
    const value = headers[name];
    const text = (typeof value === 'string' ? value : value?.[0])?.trim();
    if (text !== undefined && text !== '') return text;
  }
  return undefined;
}

function whole(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

function positive(text: string | undefined): number | null {
  const value = whole(text);
  return value === null || value === 0 ? null : value;
}

function secondsAsMs(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Math.ceil(Number(text) * 1000) : null;
}

/**
 * Seconds; or an instant (an HTTP date, epoch seconds or milliseconds) compared with the server's own clock, so that a
 * wrong clock here does no harm.
 */
function waitMs(text: string, nowMs: number): number | null {
  const atMs = /^\d{10}$/.test(text) ? 1_000 * Number(text) : /^\d{13}$/.test(text) ? Number(text) : readDate(text);
  if (atMs === null) return secondsAsMs(text);
  const isNear = Math.abs(atMs - nowMs) <= 1_000 * LONGEST_WINDOW_SECONDS;
  return !isNear && readDate(text) === null ? null : Math.max(0, atMs - nowMs);
}

/** An HTTP date in epoch milliseconds, or null. Only HTTP's own form: `Date.parse` alone accepts almost any text. */
export function readDate(value: string | readonly string[] | undefined): number | null {
  const text = typeof value === 'string' ? value : value?.[0];
  if (text === undefined || !/^[A-Z][a-z]{2,8}, .*GMT$/.test(text)) return null;
  const ms = Date.parse(text);
  return Number.isFinite(ms) ? ms : null;
}
