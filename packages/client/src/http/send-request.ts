import {
  type Clock,
  type Deprecation,
  EdrlakeError,
  type Emit,
  type ErrorContext,
  type Random,
  type Redact,
} from '@edrlake/core';
import type { RateLimiter, RequestPermit } from '../rate-limit/rate-limiter.ts';
import { type LimitFacts, readLimits } from '../sliding-window/limit-headers.ts';
import { longestWaitMs } from '../sliding-window/sliding-window.ts';
import type { Access } from './access.ts';
import { summedBody } from './body-checksum.ts';
import { readDeprecation } from './deprecation.ts';
import { noContentOnce, sameBytesTwice } from './failed-exchange.ts';
import { type EndpointKind, isRedirect, refusal } from './refusal.ts';
import { type Attempt, type RetryLimits, withRetry } from './retry.ts';
import type { ServerTime } from './server-time.ts';
import type { Token, TokenHolder } from './token.ts';
import { type HttpAnswer, type HttpRequest, readText, type Transport } from './transport.ts';

/** The most of a refusal's body that is read to find its message. */
const REFUSAL_BYTES = 65_536;

/** Requests sent, counting every attempt, with or without an answer. */
export interface RequestsMade {
  readonly total: number;
  readonly auth: number;
  readonly events: number;
  readonly count: number;
  readonly detail: number;
}

/** What every request needs. */
export interface SendTools {
  readonly transport: Transport;
  readonly budget: RateLimiter;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  readonly redact: Redact;
  readonly retryLimits: RetryLimits;
  readonly requestsMade: Record<EndpointKind, number>;
  readonly access: Access;
  readonly serverTime: ServerTime;
  /** Endpoints that answers have said will end, by path. */
  readonly deprecations: Map<string, Deprecation>;
}

/**
 * Sends one request once, counts and reports it. `onAnswer` gets the limits as soon as they are known, or null without
 * an answer.
 */
export async function sendOnce<T>(
  request: HttpRequest,
  attempt: number,
  tools: SendTools,
  onAnswer: (limits: LimitFacts | null) => void,
  use: (answer: HttpAnswer, limits: LimitFacts) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const { clock } = tools;
  const endpoint = request.facts.kind;
  const startedAtMs = clock.nowMs();
  let status: number | null = null;
  let deprecation: Deprecation | null = null;
  tools.requestsMade[endpoint]++;
  try {
    const answer = await tools.transport.send(request, signal);
    status = answer.status;
    try {
      const cameAtMs = clock.nowMs();
      tools.serverTime.observe(answer, startedAtMs, cameAtMs);
      const limits = readLimits(answer.headers, cameAtMs);
      onAnswer(limits);
      deprecation = readDeprecation(answer.headers, request.facts.path);
      if (deprecation !== null) tools.deprecations.set(deprecation.path, deprecation);
      return await use(answer, limits);
    } finally {
      answer.discard();
    }
  } finally {
    if (status === null) onAnswer(null);
    const requestsLeft = tools.budget.requestsLeft();
    const durationMs = clock.nowMs() - startedAtMs;
    const said = deprecation !== null && { deprecation };
    tools.emit({ type: 'request', endpoint, status, durationMs, attempt, requestsLeft, ...said });
  }
}

/** The error of an answer that is no success, with the beginning of its body. */
export async function refusalOf(
  request: HttpRequest,
  answer: HttpAnswer,
  limits: LimitFacts,
  tools: SendTools,
  signal: AbortSignal,
): Promise<EdrlakeError> {
  // The status says enough when the body of a refusal breaks as well.
  const bodyText = await readText(answer.body, REFUSAL_BYTES).catch(() => '');
  signal.throwIfAborted();
  const refused = { status: answer.status, headers: answer.headers, limits, bodyText };
  return refusal(refused, request.facts, tools.access.isGranted(), tools.redact);
}

/** How long to wait after an answer that says "over the limit", for the n-th time in a row. */
export function limitedWaitMs(error: EdrlakeError, nth: number, tools: SendTools): number {
  const askedMs = error.context.waitMs;
  const acceptedMs = longestWaitMs(tools.budget.limit());
  if (typeof askedMs === 'number' && askedMs > acceptedMs) {
    throw new EdrlakeError('RATE_LIMITED', `${error.message} (it asks to wait ${Math.ceil(askedMs / 1000)} seconds)`, {
      disposition: 'stop',
      context: error.context,
      hint: 'Run again after that time.',
    });
  }
  if (typeof askedMs === 'number' && askedMs > 0) return askedMs;
  // Without a time from the server. Requests left mean that too many ran at once, which passes soon.
  const baseMs = typeof error.context.requestsLeft === 'number' && error.context.requestsLeft > 0 ? 2_000 : 60_000;
  const ceilingMs = Math.min(baseMs * 2 ** (nth - 1), acceptedMs);
  return Math.round(ceilingMs / 2 + (tools.random() * ceilingMs) / 2);
}

/** A data request. It is idempotent, so it may be sent again after any failure. */
export interface DataRequest<T> extends HttpRequest {
  /** Reads a success (200 or 204). Called again for each attempt. */
  readonly read: (answer: HttpAnswer) => Promise<T>;
}

/** What a data request needs in addition: the token, and a listener for the limits in answers. */
export interface DataTools extends SendTools {
  readonly tokens: TokenHolder;
  readonly onLimits: (limits: LimitFacts) => void;
}

type Outcome<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'refused-token'; readonly token: Token; readonly error: EdrlakeError }
  /** 204, which the reader takes for "nothing was found". */
  | { readonly kind: 'no-content'; readonly value: T }
  /** The answer is whole and is not what it should be; `stop` where twice the same is the final word. */
  | { readonly kind: 'broken'; readonly checksum: string | null; readonly error: EdrlakeError };

/** A wrong count and an empty answer look the same each time, so the server gets a moment to recover. */
const WAIT_BEFORE_SAME_MS = 1_000;

/** Refusals of fresh tokens that one request may get, where other requests have been answered. */
const MAX_FRESH_REFUSALS = 2;

/**
 * One polite request: its turn at the rate limiter, the token, then the attempts.
 * @throws {EdrlakeError} final for this request.
 */
export async function sendRequest<T>(request: DataRequest<T>, tools: DataTools, signal: AbortSignal): Promise<T> {
  const { clock, emit, budget, access } = tools;
  let hasReplacedToken = false;
  let freshRefusals = 0;
  let brokenBefore: string | null = null;
  let hadNoContent = false;

  async function sendAttempt(attempt: Attempt): Promise<T> {
    let outcome = await tryOnce(request, attempt, tools, signal);
    if (outcome.kind === 'refused-token' && !hasReplacedToken) {
      hasReplacedToken = true;
      await tools.tokens.replace(outcome.token, signal);
      outcome = await tryOnce(request, attempt, tools, signal);
    }
    switch (outcome.kind) {
      case 'done':
        return outcome.value;
      case 'no-content': {
        // A gateway that is starting answers like that as well: only a second one shows that nothing is there.
        if (hadNoContent) return outcome.value;
        hadNoContent = true;
        throw noContentOnce(request.facts, WAIT_BEFORE_SAME_MS);
      }
      case 'broken': {
        const { checksum, error } = outcome;
        const isSame = checksum !== null && checksum === brokenBefore;
        brokenBefore = checksum;
        if (isSame) throw error.disposition === 'stop' ? error : sameBytesTwice(error, checksum);
        const isTelling = request.facts.kind !== 'count' && checksum?.startsWith('0 ') !== true;
        throw tryAgain(error, isTelling ? {} : { waitMs: WAIT_BEFORE_SAME_MS });
      }
      case 'refused-token': {
        freshRefusals++;
        if (access.isGranted() && freshRefusals < MAX_FRESH_REFUSALS) throw tryAgain(outcome.error);
        access.refused();
        throw outcome.error;
      }
    }
  }

  const onRetry = (error: EdrlakeError, delayMs: number, attempt: number) => {
    // A gateway that says 204 for every empty page does nothing wrong.
    if (error.context.status === 204) return;
    emit({ type: 'retry', endpoint: request.facts.kind, code: error.code, delayMs, attempt });
  };
  return withRetry(
    sendAttempt,
    {
      limits: tools.retryLimits,
      clock,
      random: tools.random,
      onRetry,
      onLimited: async (error, nth) => {
        const waitMs = limitedWaitMs(error, nth, tools);
        onRetry(error, waitMs, nth);
        // All requests wait, not only this one: the limit belongs to the subscription.
        budget.blockUntil(clock.nowMs() + waitMs);
      },
    },
    signal,
  );
}

async function tryOnce<T>(
  request: DataRequest<T>,
  attempt: Attempt,
  tools: DataTools,
  signal: AbortSignal,
): Promise<Outcome<T>> {
  const { clock, tokens, access } = tools;
  const queuedAtMs = clock.nowMs();
  const permit = await tools.budget.acquire(signal);
  try {
    const token = await tokenFor(permit, tokens, signal);
    attempt.exclude(clock.nowMs() - queuedAtMs);
    return await sendOnce(
      { ...request, headers: { ...request.headers, authorization: `Bearer ${token.text}` } },
      attempt.number,
      tools,
      (limits) => {
        permit.answered(limits);
        if (limits !== null) tools.onLimits(limits);
      },
      async (answer, limits): Promise<Outcome<T>> => {
        if (answer.status === 200 || answer.status === 204) {
          const outcome = await readOnce(request, answer);
          if (outcome.kind === 'done' || outcome.kind === 'no-content') access.granted();
          return outcome;
        }
        const error = await refusalOf(request, answer, limits, tools, signal);
        if (answer.status === 401) return { kind: 'refused-token', token, error };
        // A proxy that is starting, or a cache in between, may redirect once.
        if (isRedirect(answer.status)) return { kind: 'broken', checksum: `status ${answer.status}`, error };
        throw error;
      },
      signal,
    );
  } finally {
    permit.ended();
  }
}

/**
 * Reads an answer once. A body that the reader rejects is compared with that of the attempt before: the same bytes will
 * not improve, be it a page, a count or an empty answer. Only an answer that calls itself temporary keeps all its
 * attempts.
 */
async function readOnce<T>(request: DataRequest<T>, answer: HttpAnswer): Promise<Outcome<T>> {
  const summed = summedBody(answer.body);
  try {
    const value = await request.read({ ...answer, body: summed.body });
    return { kind: answer.status === 204 ? 'no-content' : 'done', value };
  } catch (thrown) {
    if (!(thrown instanceof EdrlakeError)) throw thrown;
    const { encoding } = thrown.context;
    if (typeof encoding === 'string') return { kind: 'broken', checksum: `encoding ${encoding}`, error: thrown };
    if (thrown.disposition !== 'retry') throw thrown;
    if (thrown.code !== 'BODY_BROKEN' && thrown.code !== 'RESPONSE_UNEXPECTED') throw thrown;
    return { kind: 'broken', checksum: await summed.checksum(), error: thrown };
  }
}

function tryAgain(error: EdrlakeError, more: ErrorContext = {}): EdrlakeError {
  const { code, message, hint } = error;
  const context = { ...error.context, ...more };
  return new EdrlakeError(code, message, { disposition: 'retry', context, ...(hint === null ? {} : { hint }) });
}

/** Called after waiting for the rate limiter, which can take longer than a token lives. */
async function tokenFor(permit: RequestPermit, tokens: TokenHolder, signal: AbortSignal): Promise<Token> {
  try {
    return await tokens.current(signal);
  } catch (thrown) {
    permit.unused();
    throw thrown;
  }
}
