/** Who acts on an error, and how. `retry`: the same request later. `split`: the question was too big, ask smaller ones.
 * `reject`: this record is bad, the rest is fine. `stop`: a person must act. */
export type Disposition = 'retry' | 'split' | 'reject' | 'stop';

/**
 * Every error code, what it means and the exit code the command ends with when nothing recovers from it.
 * Exit 2 stands for what the user's input, configuration or credentials must change; 1 for everything else;
 * 4 for a lake and an API that disagree; 130 for an interrupt. Codes are stable: scripts may match them.
 */
export const ERROR_CODES = {
  USAGE: { exitCode: 2, meaning: 'a flag, an argument or a combination of them is wrong' },
  CONFIG_INVALID: { exitCode: 2, meaning: 'the configuration file or an EDRLAKE_ variable is wrong' },
  CREDENTIALS_MISSING: { exitCode: 2, meaning: 'EDRLAKE_USERNAME or EDRLAKE_PASSWORD is not set' },
  RANGE_INVALID: {
    exitCode: 2,
    meaning: 'a date or a range cannot be read, is empty, ends before it starts, or has not come yet',
  },
  CLOCK_WRONG: {
    exitCode: 1,
    meaning: 'what the lake has proven is ahead of a clock, so the clock or the proof is wrong',
  },
  URL_INVALID: { exitCode: 2, meaning: 'the base URL is not an https URL of a gateway' },
  AUTH_REJECTED: { exitCode: 2, meaning: 'the login was refused; it is never tried again by itself' },
  ACCESS_DENIED: { exitCode: 2, meaning: 'the account lacks the IOC/EDR role' },
  FILTER_REJECTED: { exitCode: 2, meaning: 'the API refused the query (HTTP 400)' },
  SORT_REJECTED: { exitCode: 2, meaning: 'the API refused the order in which pages are asked for (HTTP 400)' },
  PAGE_SIZE_REFUSED: { exitCode: 2, meaning: 'the gateway gives no pages of the size asked for' },
  QUERY_TOO_LONG: { exitCode: 2, meaning: 'the gateway takes no query of this length (HTTP 413, 414 or 431)' },
  REQUEST_REFUSED: {
    exitCode: 1,
    meaning: 'a firewall, a proxy or one node refused this request (400, 401 or 403), though others are answered',
  },
  NOT_FOUND: { exitCode: 1, meaning: 'the API has no such event' },
  HOST_UNREACHABLE: { exitCode: 1, meaning: 'no connection to the gateway: name, network, TLS or refused' },
  PROXY_UNREACHABLE: { exitCode: 1, meaning: 'no connection to the proxy that the environment names' },
  PROXY_REFUSED: { exitCode: 2, meaning: 'the proxy wants a password, or does not allow connections to the gateway' },
  TIMEOUT: { exitCode: 1, meaning: 'the gateway did not answer in time' },
  RATE_LIMITED: {
    exitCode: 1,
    meaning: 'the gateway still answers 429 (or 409 with limit evidence) after every allowed wait',
  },
  CONFLICT: { exitCode: 1, meaning: 'HTTP 409 that is not a rate limit' },
  SERVER_ERROR: { exitCode: 1, meaning: 'the gateway answered 5xx after every retry' },
  BODY_BROKEN: { exitCode: 1, meaning: 'a body ended early, was reset, or is not the JSON that was expected' },
  RESPONSE_UNEXPECTED: { exitCode: 1, meaning: 'a status or a shape that no document names' },
  RESULT_WINDOW_EXCEEDED: { exitCode: 1, meaning: 'a query holds more events than paging can reach' },
  WINDOW_INDIVISIBLE: {
    exitCode: 1,
    meaning: 'one millisecond, type and agent still hold more events than paging can reach',
  },
  LAKE_UNWRITABLE: { exitCode: 2, meaning: 'the lake directory cannot be created or written' },
  LAKE_MISSING: { exitCode: 2, meaning: 'there is no lake at that path' },
  LAKE_INCOMPATIBLE: { exitCode: 2, meaning: 'a newer edrlake has written the lake' },
  LAKE_CORRUPT: { exitCode: 1, meaning: 'a log entry or a data file is missing or cannot be read' },
  LAKE_CONTENDED: { exitCode: 1, meaning: 'other writers won every commit attempt' },
  LEASE_LOST: {
    exitCode: 1,
    meaning: 'this process stood still for so long that another one took over its unfinished work',
  },
  RUN_BUSY: { exitCode: 1, meaning: 'another live process works on the same run' },
  RUN_MISSING: { exitCode: 2, meaning: 'there is no run with that id, or its journal says nothing' },
  TASK_FAILED: { exitCode: 1, meaning: 'the function of a task threw something that is not an error of edrlake' },
  TASK_TIMED_OUT: { exitCode: 1, meaning: 'a task did not end within its time limit' },
  OUT_OF_MEMORY: { exitCode: 2, meaning: 'the memory limit is too small for the computation' },
  OUTPUT_FAILED: { exitCode: 1, meaning: 'a result could not be written: a full disk or device, or a closed pipe' },
  QUERY_FAILED: { exitCode: 2, meaning: 'DuckDB refused the SQL' },
  VIEWS_STALE: { exitCode: 3, meaning: 'everything is committed, but lake.duckdb could not be written; run again' },
  PARTLY_DONE: { exitCode: 3, meaning: 'some windows failed; what was proven is committed, run again for the rest' },
  INTERRUPTED: { exitCode: 130, meaning: 'stopped by a signal; run again to resume' },
  BUG: { exitCode: 1, meaning: 'an assumption of edrlake itself does not hold; please report it' },
} as const satisfies Record<string, { exitCode: number; meaning: string }>;

/** A key of `ERROR_CODES`: what scripts match and what the exit code follows from. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Plain values that help to understand an error. Never a secret: no password, no token, no Authorization header. */
export type ErrorContext = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** What an error carries besides its code and message; everything may be left out. */
export interface ErrorDetails {
  readonly disposition?: Disposition;
  readonly context?: ErrorContext;
  readonly cause?: unknown;
  /** What a person can do about it, as an imperative sentence. */
  readonly hint?: string;
}

/**
 * The one error class. The message says what was expected and what was found; `hint` says what to do.
 * `disposition` is the instruction to the caller (default `stop`).
 */
export class EdrlakeError extends Error {
  readonly code: ErrorCode;
  readonly disposition: Disposition;
  readonly context: ErrorContext;
  readonly hint: string | null;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'EdrlakeError';
    this.code = code;
    this.disposition = details.disposition ?? 'stop';
    this.context = details.context ?? {};
    this.hint = details.hint ?? null;
  }

  /** The process exit code for this error when nothing recovers from it. */
  get exitCode(): number {
    return ERROR_CODES[this.code].exitCode;
  }
}
