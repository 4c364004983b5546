import { EdrlakeError } from '@edrlake/core';
import { describe } from '../http/classify-error.ts';
import { withRetry } from '../http/retry.ts';
import { limitedWaitMs, refusalOf, type SendTools, sendOnce } from '../http/send-request.ts';
import { readToken, type Token } from '../http/token.ts';
import { type HttpRequest, readText } from '../http/transport.ts';
import { waitReport } from '../rate-limit/rate-limiter.ts';

/** Larger than any token. */
const TOKEN_BODY_BYTES = 65_536;

/** An account of the platform. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/**
 * One login: `POST /auth` with form fields, repeated after connection failures, 5xx and limits, never after a refusal.
 * It needs no permit of the rate limiter, because `/auth` is outside the limits.
 * @throws {EdrlakeError} `AUTH_REJECTED` or `ACCESS_DENIED`: the user must act; `RESPONSE_UNEXPECTED` when no token
 * came
 */
export async function logIn(
  credentials: Credentials,
  host: string,
  tools: SendTools,
  signal: AbortSignal,
): Promise<Token> {
  const { clock, emit } = tools;
  const request: HttpRequest = {
    facts: {
      kind: 'auth',
      method: 'POST',
      host,
      path: '/auth',
      filter: null,
      pageSize: null,
      isBeyondResultWindow: false,
    },
    query: '',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams([
      ['username', credentials.username],
      ['password', credentials.password],
      ['token', 'true'],
      ['permissions', 'true'],
    ]).toString(),
  };
  const token = await withRetry(
    ({ tryNumber }) =>
      sendOnce(
        request,
        tryNumber,
        tools,
        () => undefined,
        async (answer, limits) => {
          if (answer.status !== 200 && answer.status !== 201) {
            throw await refusalOf(request, answer, limits, tools, signal);
          }
          const found = readToken(await readText(answer.body, TOKEN_BODY_BYTES), clock.nowMs());
          if (found === null) throw withoutToken(request);
          return found;
        },
        signal,
      ),
    {
      limits: tools.retryLimits,
      clock,
      random: tools.random,
      onRetry: (error, delayMs, tryNumber) => {
        emit({ type: 'retry', endpoint: 'auth', code: error.code, delayMs, tryNumber });
      },
      onLimited: async (error, nth) => {
        const delayMs = limitedWaitMs(error, nth, tools);
        const report = waitReport(tools);
        report.waits('server-asked', clock.nowMs() + delayMs);
        await clock.sleep(delayMs, signal).finally(report.ended);
      },
    },
    signal,
  );
  emit({ type: 'login', expiresAtMs: token.expiresAtMs });
  return token;
}

/** The body is not quoted: it may be a token of an unknown form. */
function withoutToken(request: HttpRequest): EdrlakeError {
  return new EdrlakeError('RESPONSE_UNEXPECTED', `${describe(request.facts)} answered without a token`, {
    context: { host: request.facts.host, endpoint: 'auth' },
    hint: 'Check the base URL and whether a proxy with its own login page is in between.',
  });
}
