import { type Clock, EdrlakeError, unlessAborted } from '@edrlake/core';

/** The lifetime of a token without a readable end. */
const TOKEN_LIFE_MS = 4 * 3_600_000;
/** Time before its end at which a token is renewed, so that it does not expire during a request. */
const RENEWAL_MARGIN_MS = 5 * 60_000;
/** Clocks further apart than this are not trusted with an absolute instant. */
const MAX_SKEW_MS = 60_000;

/** Errors of a login that another one would meet as well. */
const FINAL: readonly string[] = ['AUTH_REJECTED', 'ACCESS_DENIED', 'CUSTOMER_FOREIGN'];

/**
 * Claims that may say whose account it is, the most certain one first. None is documented, so that a lake compares a
 * token only with earlier ones of its own.
 */
const TENANT_CLAIMS = [
  ...['customerUuid', 'customerId', 'customer_uuid', 'customer_id'],
  ...['subscriptionUuid', 'subscriptionId', 'subscription_id', 'tenantId', 'tenant_id'],
];

/** The result of a login: sent as `Authorization: Bearer <text>`. */
export interface Token {
  readonly text: string;
  /** On this machine's clock. */
  readonly expiresAtMs: number;
  /** The customer whose account logged in, as its claims say it; null where they do not. */
  readonly tenant: string | null;
}

/** The one token that all requests of a client share. */
export interface TokenHolder {
  /** A token that is valid for a while. Concurrent callers share one login. */
  current(signal: AbortSignal): Promise<Token>;
  /** A token other than the refused one: logs in only when no other request has done so since. */
  replace(refused: Token, signal: AbortSignal): Promise<Token>;
  /** The text of the token, for removing it from messages. null before the first login. */
  secret(): string | null;
}

/**
 * @param login makes one login, with all its retries A login that was refused is remembered: every later call fails
 * with the same error and sends nothing, because repeated bad logins lock accounts.
 */
export function createTokenHolder(login: (signal: AbortSignal) => Promise<Token>, clock: Clock): TokenHolder {
  let held: { token: Token; renewAtMs: number } | null = null;
  let refusal: EdrlakeError | null = null;
  let running: { promise: Promise<Token>; waiters: number; controller: AbortController } | null = null;

  function start() {
    const controller = new AbortController();
    const promise = login(controller.signal).then(
      (token) => {
        const lifeMs = token.expiresAtMs - clock.nowMs();
        held = { token, renewAtMs: token.expiresAtMs - Math.min(RENEWAL_MARGIN_MS, lifeMs / 4) };
        return token;
      },
      (thrown: unknown) => {
        const isFinal = thrown instanceof EdrlakeError && FINAL.includes(thrown.code);
        if (isFinal) refusal = thrown;
        throw thrown;
      },
    );
    const started = { promise, waiters: 0, controller };
    const forget = () => {
      if (running === started) running = null;
    };
    promise.then(forget, forget);
    return started;
  }

  /** Joins the login in progress. It continues while any caller waits for it, even if the first caller has left. */
  async function renew(signal: AbortSignal): Promise<Token> {
    signal.throwIfAborted();
    if (refusal !== null) throw refusal;
    running ??= start();
    const joined = running;
    joined.waiters++;
    try {
      return await unlessAborted(joined.promise, signal);
    } finally {
      joined.waiters--;
      if (joined.waiters === 0 && running === joined) {
        running = null;
        joined.controller.abort(signal.reason);
      }
    }
  }

  return {
    async current(signal) {
      if (held !== null && clock.nowMs() < held.renewAtMs) return held.token;
      return renew(signal);
    },
    async replace(refused, signal) {
      if (held !== null && held.token !== refused) return held.token;
      return renew(signal);
    },
    secret: () => held?.token.text ?? null,
  };
}

/**
 * The token in the body of a successful login, or null when the body is something else: an HTML page, an error object.
 * It comes as plain text, as JSON text, or as `token` or `access_token` of a JSON object. Its end is `exp` of the JWT.
 * When `iat` shows that the server's clock and ours are apart, only the length of its life is taken; without a readable
 * `exp` in the future it is four hours.
 */
export function readToken(body: string, nowMs: number): Token | null {
  const text = tokenText(body.trim());
  if (!/^[\w.~+/=-]{8,16384}$/.test(text)) return null;
  const claims = claimsOf(text);
  const expiresAtMs = instantOf(claims.exp);
  const tenant = tenantOf(claims);
  if (expiresAtMs === null) return { text, tenant, expiresAtMs: nowMs + TOKEN_LIFE_MS };
  const issuedAtMs = instantOf(claims.iat);
  if (issuedAtMs !== null && Math.abs(nowMs - issuedAtMs) > MAX_SKEW_MS && expiresAtMs > issuedAtMs) {
    return { text, tenant, expiresAtMs: nowMs + (expiresAtMs - issuedAtMs) };
  }
  return { text, tenant, expiresAtMs: expiresAtMs > nowMs ? expiresAtMs : nowMs + TOKEN_LIFE_MS };
}

function tokenText(body: string): string {
  if (!/^["{]/.test(body)) return body;
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return body;
  }
  if (typeof value === 'object' && value !== null) {
    const { token, access_token: accessToken } = value as { token?: unknown; access_token?: unknown };
    value = token ?? accessToken;
  }
  return typeof value === 'string' ? value.trim() : '';
}

function tenantOf(claims: Readonly<Record<string, unknown>>): string | null {
  const found = TENANT_CLAIMS.map((name) => claims[name]).find((claim) => /^[\w.:-]{1,200}$/.test(String(claim ?? '')));
  return typeof found === 'string' || typeof found === 'number' ? String(found) : null;
}

function claimsOf(text: string): { readonly [claim: string]: unknown; exp?: unknown; iat?: unknown } {
  try {
    const claims: unknown = JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? { ...claims } : {};
  } catch {
    return {};
  }
}

function instantOf(claim: unknown): number | null {
  return typeof claim === 'number' && Number.isFinite(claim) && claim > 0 ? Math.floor(claim * 1000) : null;
}
