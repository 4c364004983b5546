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
  const { clock, tokenLifetimeSeconds, tokenShape, credentials, seed } = options;
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

/** The answer of `POST /auth`. */
export interface LoginAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

const JSON_TYPE = 'application/json';

/** Checks a login form. The password may hold any character, as long as the form was encoded. */
export function answerLogin(options: ResolvedOptions, book: TokenBook, form: URLSearchParams): LoginAnswer {
  const refuse = (status: number, exception: string): LoginAnswer => ({
    status,
    contentType: JSON_TYPE,
    body: JSON.stringify({ authentication_exceptions: [exception] }),
  });
  const username = form.get('username') ?? '';
  if (username === '') return refuse(400, 'MissingUsernameException');
  if (form.get('token') !== 'true') return refuse(400, 'TokenParameterException');
  if (username !== options.credentials.username || form.get('password') !== options.credentials.password) {
    return refuse(401, 'InvalidCredentialsException');
  }
  return { status: 201, contentType: 'text/plain', body: book.issue() };
}
