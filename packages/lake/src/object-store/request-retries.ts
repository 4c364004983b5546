import { EdrlakeError } from '@edrlake/core';
import { unreachable } from './object-store.ts';

/** What an answer of the object store means for the request. */
type Answer =
  /** There is no such object. */
  | 'absent'
  /** The condition of a conditional write does not hold. */
  | 'taken'
  /** No answer, or one that says nothing about whether the request was carried out. */
  | 'unknown'
  /** The request was not carried out, and never will be. */
  | 'refused';

/** Attempts of a request that may be repeated. The last pause is at most 6.4 s. */
const MAX_ATTEMPTS = 6;
const FIRST_PAUSE_MS = 200;

/** How requests are repeated. */
export interface RetryTools {
  /** Waits between two attempts. */
  readonly pause: (ms: number) => Promise<void>;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** What the client library threw, as far as it can be known. */
interface StoreFailure {
  readonly name: string;
  /** 0 where there was no answer. */
  readonly status: number;
}

/** Reads status and name of what the client library threw. */
function failureOf(thrown: unknown): StoreFailure {
  const {
    name = 'Error',
    code,
    $metadata,
  } = (thrown ?? {}) as {
    readonly name?: string;
    readonly code?: string;
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode ?? 0;
  return { name: status === 0 && typeof code === 'string' ? code : name, status };
}

/** Errors of the client's own side: nothing was sent. */
const LOCAL = /Credentials|Token|Region is missing|ERR_INVALID/;

/** Codes that mean wait or again, with any status. */
const PASSING = /^(SlowDown|Throttling|RequestTimeout|InternalError|ServiceUnavailable|ConditionalRequestConflict)/;

/** What an error of the client library means. */
function answerOf(thrown: unknown): Answer {
  const { name, status } = failureOf(thrown);
  if (status === 0) return LOCAL.test(`${name} ${String(thrown)}`) ? 'refused' : 'unknown';
  if (status === 412) return 'taken';
  if (status === 404) return name === 'NoSuchBucket' || name === 'NoSuchUpload' ? 'refused' : 'absent';
  if (status >= 500 || status === 409 || status === 429 || status === 408 || PASSING.test(name)) return 'unknown';
  // A body that was cut off under way is answered with 400 by some servers.
  if (name === 'IncompleteBody' || name === 'BadDigest' || name === 'XAmzContentChecksumMismatch') return 'unknown';
  return status < 300 ? 'unknown' : 'refused';
}

/**
 * Repeats a request until the answer is not `unknown`, with growing pauses.
 * @param what names the request in an error
 * @returns the answer of the request, or `absent` or `taken`
 * @throws {EdrlakeError} `STORE_UNREACHABLE`, `STORE_REFUSED`
 */
export async function repeated<T>(
  tools: RetryTools,
  what: string,
  request: () => Promise<T>,
): Promise<{ readonly value: T } | 'absent' | 'taken'> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return { value: await request() };
    } catch (thrown) {
      // Of our own are those of a proxy that opened no connection, and one that a request of several steps has met.
      const own = thrown instanceof EdrlakeError ? thrown : null;
      if (own !== null && (own.disposition !== 'retry' || own.code === 'STORE_UNREACHABLE')) throw own;
      const answer = own === null ? answerOf(thrown) : 'unknown';
      if (answer === 'refused') throw refusal(what, thrown);
      if (answer !== 'unknown') return answer;
      if (attempt === MAX_ATTEMPTS) throw own ?? unreachable(what, reasonOf(thrown));
      await pauseBefore(tools, attempt);
    }
  }
}

/** One attempt of a request whose repetition has to be thought about. */
export async function triedOnce<T>(
  what: string,
  request: () => Promise<T>,
): Promise<{ readonly value: T } | 'absent' | 'taken' | { readonly doubt: EdrlakeError }> {
  try {
    return { value: await request() };
  } catch (thrown) {
    if (thrown instanceof EdrlakeError) return { doubt: thrown };
    const answer = answerOf(thrown);
    if (answer === 'refused') throw refusal(what, thrown);
    return answer === 'unknown' ? { doubt: unreachable(what, reasonOf(thrown)) } : answer;
  }
}

/** Attempts of a conditional write whose outcome is unknown. */
export const MAX_CONDITIONAL_ATTEMPTS = MAX_ATTEMPTS;

/** Waits after an attempt that failed, longer after each. */
export async function pauseBefore({ pause, random }: RetryTools, attempt: number): Promise<void> {
  await pause(FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + random() / 2));
}

/** Never the error of the library: it holds the request, and its message may repeat parts of it. */
function reasonOf(thrown: unknown): string {
  const { name, status } = failureOf(thrown);
  return status === 0 ? name : `HTTP ${status} ${name}`;
}

const REFUSAL_HINTS: readonly (readonly [RegExp, string])[] = [
  [/NoSuchBucket/, 'Make the bucket first, or correct --lake.'],
  [
    /PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocation|Region/,
    'Set AWS_REGION to the region of the bucket.',
  ],
  [
    /Credentials|Token|InvalidAccessKeyId|SignatureDoesNotMatch/,
    'Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE or the role of this machine.',
  ],
];

function refusal(what: string, thrown: unknown): EdrlakeError {
  const reason = reasonOf(thrown);
  const hint = REFUSAL_HINTS.find(([names]) => names.test(reason))?.[1];
  return new EdrlakeError('STORE_REFUSED', `the object store refused ${what}: ${reason}`, {
    hint: hint ?? 'Check that the credentials may list, read, write and delete objects there.',
  });
}
