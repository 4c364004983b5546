/** Response headers as the HTTP library gives them: lower-case names, repeated headers as a list. */
export type HttpHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

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
}

/**
 * Reads the limit headers in each of their spellings. Garbage counts as absent: a wrong header must never stop an
 * export.
 */
export function readLimits(headers: HttpHeaders, nowMs: number): LimitFacts {
  const serverAtMs = readDate(headers.date);
  const toWaitMs = secondsAsMs(first(headers, 'x-ratelimit-towait-sec', 'x-rate-limit-towait-sec'));
  const retryAfterMs = retryAfter(first(headers, 'retry-after'), serverAtMs ?? nowMs);
  return {
    requests: positive(first(headers, 'x-ratelimit-limit', 'x-rate-limit-limit')),
    windowSeconds: positive(first(headers, 'x-ratelimit-window-sec', 'x-rate-limit-window-sec')),
    remaining: whole(first(headers, 'x-ratelimit-remaining', 'x-rate-limit-remaining')),
    toWaitMs: toWaitMs === null ? retryAfterMs : Math.max(toWaitMs, retryAfterMs ?? 0),
    concurrency: positive(first(headers, 'x-concurrencylimit-limit', 'x-concurrency-limit-limit')),
    running: whole(first(headers, 'x-concurrencylimit-running', 'x-concurrency-limit-running')),
    serverAtMs,
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

/** Seconds, or an HTTP date compared with the server's own clock, so that a wrong clock here does no harm. */
function retryAfter(text: string | undefined, nowMs: number): number | null {
  const seconds = secondsAsMs(text);
  if (seconds !== null || text === undefined) return seconds;
  const atMs = readDate(text);
  return atMs === null ? null : Math.max(0, atMs - nowMs);
}

/** An HTTP date in epoch milliseconds, or null. Only HTTP's own form: `Date.parse` alone accepts almost any text. */
export function readDate(value: string | readonly string[] | undefined): number | null {
  const text = typeof value === 'string' ? value : value?.[0];
  if (text === undefined || !/^[A-Z][a-z]{2,8}, .*GMT$/.test(text)) return null;
  const ms = Date.parse(text);
  return Number.isFinite(ms) ? ms : null;
}
