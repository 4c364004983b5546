import {
  type Clock,
  createRedact,
  type Emit,
  type ProxySettings,
  positiveOption,
  proxyFor,
  type Random,
  type RateLimit,
  type Redact,
  redactShapes,
} from '@edrlake/core';
import { createAccess } from '../http/access.ts';
import type { DataTools, SendTools } from '../http/send-request.ts';
import { createServerTime } from '../http/server-time.ts';
import { createTokenHolder } from '../http/token.ts';
import { createTransport } from '../http/transport.ts';
import { createRateLimiter, type RateLimiter } from '../rate-limit/rate-limiter.ts';
import type { LimitFacts } from '../sliding-window/limit-headers.ts';
import { type Account, accountSecret } from './account.ts';
import { createLogin } from './login.ts';

/** Which API to call, with which account, and within which limits. */
export type GatewayClientOptions = GatewayOptions & Account;

/** Which API to call, and within which limits. */
export interface GatewayOptions {
  /** See `resolveBaseUrl`. */
  readonly baseUrl: string;
  /**
   * The module's path: `/ioc` (default), on newer platforms also `/ioc/v1`. `auto` tries that one first, and stays with
   * the one that answers.
   */
  readonly apiPrefix?: string;
  /** An upper bound that the server's headers may only lower. null or absent: start at 300 per 3600 s and learn. */
  readonly rateLimit?: RateLimit | null;
  /** Requests at once (default 2), an upper bound that headers may only lower. */
  readonly concurrency?: number;
  /** Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** From the request to the first header; default 5 minutes. */
  readonly headersTimeoutMs?: number;
  /** Longest silence inside a body; default 60 s. */
  readonly bodyTimeoutMs?: number;
  /** Attempts of one request, the first included (default 6); waits for the rate limit have their own bound. */
  readonly retryAttempts?: number;
  /** Time from the first attempt of a request to its last (default 15 minutes), without waits for the rate limit. */
  readonly retryTotalMs?: number;
  /** Pages beyond this (default 10,000) are refused in undocumented ways; any refusal there means "ask for less". */
  readonly maxResultWindow?: number;
  /** Connections go through it, except to this machine itself and to the hosts it does not count for. Default: none. */
  readonly proxy?: ProxySettings | null;
  /**
   * Called with the tenant of each login before its token is used, null where the token does not say it. What it throws
   * ends the request.
   */
  readonly onLogin?: (tenant: string | null) => void;
}

/** What a client takes from the process it runs in. */
export interface GatewayClientTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  /** Replaces the client's own rate limiter, and the option `concurrency`, where several clients share one. */
  readonly budget?: RateLimiter;
}

/** Everything that lives as long as a client. */
export interface ClientContext {
  readonly data: DataTools;
  /** Whether answers have reported limits so far. */
  readonly observed: {
    fromHeaders: boolean;
    unusableHeaders: readonly string[];
    /** Where the last token came from. */
    loginPath: string | null;
  };
}

/** @throws {EdrlakeError} `CONFIG_INVALID` for a number that is not a whole number above 0 */
export function openClientContext(
  options: GatewayClientOptions,
  baseUrl: string,
  host: string,
  tools: GatewayClientTools,
): ClientContext {
  const { clock, random, emit } = tools;
  const maxConcurrency = positiveOption('concurrency', options.concurrency ?? 2);
  const userLimit = options.rateLimit ?? null;
  if (userLimit !== null) {
    positiveOption('rateLimit.requests', userLimit.requests);
    positiveOption('rateLimit.windowSeconds', userLimit.windowSeconds);
  }
  const timeouts = {
    connectTimeoutMs: positiveOption('connectTimeoutMs', options.connectTimeoutMs ?? 10_000),
    headersTimeoutMs: positiveOption('headersTimeoutMs', options.headersTimeoutMs ?? 300_000),
    bodyTimeoutMs: positiveOption('bodyTimeoutMs', options.bodyTimeoutMs ?? 60_000),
  };
  // Messages must not contain the token, but the token comes from a login whose errors are messages themselves.
  let currentToken = (): string | null => null;
  const known = createRedact(() => [accountSecret(options), currentToken(), ...proxySecrets(options.proxy)]);
  const redact: Redact = (text) => redactShapes(known(text));
  const exchangeTools: SendTools = {
    // One more than the cap, so that a login never waits for a page.
    transport: createTransport(baseUrl, timeouts, maxConcurrency + 1, proxyFor(baseUrl, options.proxy), redact),
    budget: tools.budget ?? createRateLimiter(userLimit, { clock, emit }, maxConcurrency),
    clock,
    random,
    emit,
    redact,
    retryLimits: {
      attempts: positiveOption('retryAttempts', options.retryAttempts ?? 6),
      totalMs: positiveOption('retryTotalMs', options.retryTotalMs ?? 900_000),
    },
    requestsMade: { auth: 0, events: 0, count: 0, detail: 0 },
    access: createAccess(),
    serverTime: createServerTime(),
    deprecations: new Map(),
  };
  const login = createLogin(options, host, exchangeTools);
  const observed: ClientContext['observed'] = { fromHeaders: false, unusableHeaders: [], loginPath: null };
  const tokens = createTokenHolder(async (signal) => {
    const { token, path } = await login(signal);
    options.onLogin?.(token.tenant);
    observed.loginPath = path;
    return token;
  }, clock);
  currentToken = tokens.secret;
  let learnedConcurrency: number | null = null;
  let announced = '';

  function onLimits(limits: LimitFacts): void {
    if (limits.requests !== null || limits.remaining !== null) observed.fromHeaders = true;
    observed.unusableHeaders = limits.unusable ?? [];
    learnedConcurrency = limits.concurrency ?? learnedConcurrency;
    if (limits.requests === null && limits.concurrency === null) return;
    const { requests, windowSeconds } = exchangeTools.budget.limit();
    const found = `${requests}/${windowSeconds}/${learnedConcurrency}`;
    if (found === announced) return;
    announced = found;
    emit({ type: 'limits', requests, windowSeconds, concurrency: learnedConcurrency });
  }

  return { data: { ...exchangeTools, tokens, onLimits }, observed };
}

/** The proxy's user and password as the header has them, and the password itself. */
function proxySecrets(proxy: ProxySettings | null | undefined): string[] {
  const encoded = proxy?.authorization?.replace(/^Basic /, '') ?? '';
  const [, ...password] = Buffer.from(encoded, 'base64').toString().split(':');
  return [encoded, password.join(':')];
}
