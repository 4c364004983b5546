import { createHmac } from 'node:crypto';
import type { ResolvedOptions } from './options.ts';

/** Issued tokens that are kept; the oldest expire first. */
const TOKENS_LIMIT = 1000;

/** Tokens in circulation. */
export interface TokenBook {
  /** A new token, unlike any before. */
  issue(): string;
  isValid(authorization: string | undefined): boolean;
  /** Ends every token issued so far. */
  expireAll(): void;
}

/** @param options `tokenShape`, `tokenLifetimeSeconds`, `seed` and `clock` matter */
export function tokenBook(options: ResolvedOptions): TokenBook {
  const { clock, tokenLifetimeSeconds, tokenShape, credentials, seed, customerId } = options;
  const expiries = new Map<string, number>();
  let issued = 0;
  const sign = (text: string) => createHmac('sha256', `simulator-${seed}`).update(text).digest('base64url');
  return {
    issue() {
      issued += 1;
      const issuedAtSeconds = Math.floor(clock.nowMs() / 1000);
      const expirySeconds = issuedAtSeconds + tokenLifetimeSeconds;
      const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
      const head = encode({ alg: 'HS256', typ: 'JWT' });
      const claims = {
        sub: credentials.username,
        customerUuid: customerId,
        iss: 'simulator',
        iat: issuedAtSeconds,
        exp: expirySeconds,
        jti: issued,
      };
      const body = `${head}.${encode(claims)}`;
      const token = tokenShape === 'jwt' ? `${body}.${sign(body)}` : sign(body);
      expiries.set(token, expirySeconds * 1000);
      if (expiries.size > TOKENS_LIMIT) expiries.delete(expiries.keys().next().value as string);
      return token;
    },
    isValid(authorization) {
      if (authorization === undefined || !authorization.startsWith('Bearer ')) return false;
      const expiresAtMs = expiries.get(authorization.slice('Bearer '.length));
      return expiresAtMs !== undefined && clock.nowMs() < expiresAtMs;
    },
    expireAll: () => expiries.clear(),
  };
}

/** The endpoint that an OAuth client of each level asks, with an empty form. */
const OAUTH_ENDPOINTS = { '/auth/oidc': 'user', '/auth/oauth': 'subscription' } as const;

/** The answer of `POST /auth`. */
export interface LoginAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

const JSON_TYPE = 'application/json';

/** What a login says about itself. */
export interface LoginRequest {
  readonly path: string;
  readonly form: URLSearchParams;
  /** Of the headers `clientId` and `clientSecret`. */
  readonly clientId: string | undefined;
  readonly clientSecret: string | undefined;
}

/**
 * Checks a login: the form of a user, whose password may hold any character as long as the form was encoded, or the
 * headers of an OAuth client at the endpoint of its level.
 */
export function answerLogin(options: ResolvedOptions, book: TokenBook, login: LoginRequest): LoginAnswer {
  const exception = login.path === '/auth' ? userRefusal(options, login) : clientRefusal(options, login as OAuthLogin);
  if (exception === null) return { status: 201, contentType: 'text/plain', body: book.issue() };
  const [status, name] = exception;
  return { status, contentType: JSON_TYPE, body: JSON.stringify({ authentication_exceptions: [name] }) };
}

type Refusal = readonly [status: number, exception: string];

const WRONG: Refusal = [401, 'InvalidCredentialsException'];

function userRefusal({ credentials }: ResolvedOptions, { form }: LoginRequest): Refusal | null {
  const username = form.get('username') ?? '';
  if (username === '') return [400, 'MissingUsernameException'];
  if (form.get('token') !== 'true') return [400, 'TokenParameterException'];
  return username === credentials.username && form.get('password') === credentials.password ? null : WRONG;
}

type OAuthLogin = LoginRequest & { readonly path: keyof typeof OAUTH_ENDPOINTS };

function clientRefusal({ oauthClient }: ResolvedOptions, { path, clientId, clientSecret }: OAuthLogin): Refusal | null {
  if (clientId === undefined || clientSecret === undefined) return [400, 'MissingClientException'];
  const isKnown = oauthClient?.clientId === clientId && oauthClient.clientSecret === clientSecret;
  return isKnown && oauthClient.level === OAUTH_ENDPOINTS[path] ? null : WRONG;
}
