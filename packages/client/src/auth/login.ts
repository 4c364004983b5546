import { EdrlakeError } from '@edrlake/core';
import { describe } from '../http/refusal.ts';
import { withRetry } from '../http/retry.ts';
import { limitedWaitMs, refusalOf, type SendTools, sendOnce } from '../http/send-request.ts';
import { readToken, type Token } from '../http/token.ts';
import { type HttpRequest, readText } from '../http/transport.ts';
import { waitReport } from '../rate-limit/rate-limiter.ts';
import { type Account, type LoginWay, loginWays } from './account.ts';

/** Larger than any token. */
const TOKEN_BODY_BYTES = 65_536;

/** A token, and where it came from. */
export interface Login {
  readonly token: Token;
  /** Such as `/auth`. */
  readonly path: string;
}

/**
 * Logins of one account. Each is repeated after connection failures, 5xx and limits, never after a refusal: only an
 * OAuth client of unknown level is tried at the second endpoint where the first one refuses it, and the endpoint that
 * gave a token is remembered. A login needs no permit of the rate limiter, because `/auth` is outside the limits.
 * @returns makes one login. Throws `AUTH_REJECTED` or `ACCESS_DENIED`: the user must act; `RESPONSE_UNEXPECTED` when no
 * token came
 * @throws {EdrlakeError} `CREDENTIALS_MISSING` for an account that cannot be sent
 */
export function createLogin(account: Account, host: string, tools: SendTools): (signal: AbortSignal) => Promise<Login> {
  let { first, otherwise } = loginWays(account);
  const logInFirst = async (signal: AbortSignal): Promise<Login> => {
    const token = await logIn(first, host, tools, signal);
    otherwise = null;
    return { token, path: first.path };
  };
  return async (signal) => {
    try {
      return await logInFirst(signal);
    } catch (thrown) {
      if (otherwise === null || !isRefusal(thrown)) throw thrown;
    }
    const token = await logIn(otherwise, host, tools, signal);
    first = otherwise;
    otherwise = null;
    return { token, path: first.path };
  };
}

/** Whether the endpoint is there and knows no such account, or is not there. */
function isRefusal(thrown: unknown): boolean {
  if (!(thrown instanceof EdrlakeError)) return false;
  const { status } = thrown.context;
  return typeof status === 'number' && status >= 400 && status < 500 && thrown.disposition === 'stop';
}

async function logIn(way: LoginWay, host: string, tools: SendTools, signal: AbortSignal): Promise<Token> {
  const { clock, emit } = tools;
  const request: HttpRequest = {
    facts: {
      kind: 'auth',
      method: 'POST',
      host,
      path: way.path,
      filter: null,
      pageSize: null,
      isBeyondResultWindow: false,
    },
    query: '',
    headers: way.headers,
    body: way.body,
  };
  const token = await withRetry(
    ({ number }) =>
      sendOnce(
        request,
        number,
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
      onRetry: (error, delayMs, attempt) => {
        emit({ type: 'retry', endpoint: 'auth', code: error.code, delayMs, attempt });
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
