import { type Disposition, ERROR_CODES, type ErrorCode } from './error-codes.ts';

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
 * @example
 * try {
 *   await backfill(lake, source, { from: '2020-08-18', to: '2020-08-17' });
 * } catch (thrown) {
 *   if (!(thrown instanceof EdrlakeError) || thrown.code !== 'RANGE_INVALID') throw thrown;
 *   console.log(thrown.message, thrown.hint);
 * }
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
