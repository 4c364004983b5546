import { EdrlakeError } from '@edrlake/core';

/** A user of the platform, who logs in with a password. */
export interface UserAccount {
  readonly username: string;
  readonly password: string;
}

/**
 * For which an OAuth client was made: `user`, who asks at `/auth/oidc`, or the whole `subscription`, at `/auth/oauth`.
 * `auto`: as for a user, and where that is refused as for the subscription.
 */
export type OAuthLevel = 'user' | 'subscription' | 'auto';

/** An OAuth client of the platform, made in its user interface. It needs no password of a person. */
export interface OAuthAccount {
  readonly clientId: string;
  readonly clientSecret: string;
  /** Default `auto`. */
  readonly oauthLevel?: OAuthLevel;
}

/** What logs in. */
export type Account = UserAccount | OAuthAccount;

/** One way to ask for a token. */
export interface LoginWay {
  /** `/auth` for a user. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The form, encoded. */
  readonly body: string;
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

const OAUTH_PATHS = { user: '/auth/oidc', subscription: '/auth/oauth' } as const;

/** The name of the account, for messages and for the account of its requests: the user, or the id of the client. */
export function accountName(account: Account): string {
  return 'clientId' in account ? account.clientId : account.username;
}

/** Programs without types may leave it out. */
function isFilled(text: unknown): boolean {
  return typeof text === 'string' && text !== '';
}

/** What may never be in a message. */
export function accountSecret(account: Account): string {
  return 'clientId' in account ? account.clientSecret : account.password;
}

/** The way to log in, and another one for an account that the first refuses; null for none. */
export interface LoginWays {
  readonly first: LoginWay;
  readonly otherwise: LoginWay | null;
}

/**
 * How an account logs in.
 * @throws {EdrlakeError} `CREDENTIALS_MISSING` for an account without a name or a secret
 */
export function loginWays(account: Account): LoginWays {
  if (!('clientId' in account)) {
    // A login without either counts as a bad one of the account.
    const missing = (['username', 'password'] as const).find((name) => !isFilled(account[name]));
    if (missing !== undefined) {
      throw new EdrlakeError('CREDENTIALS_MISSING', `expected a username and a password, ${missing} is empty`, {
        hint: 'Give both; what comes from a variable may not be set.',
      });
    }
    const body = new URLSearchParams([
      ['username', account.username],
      ['password', account.password],
      ['token', 'true'],
      ['permissions', 'true'],
    ]).toString();
    return { first: { path: '/auth', headers: FORM, body }, otherwise: null };
  }
  const { clientId, clientSecret, oauthLevel = 'auto' } = account;
  // They are sent as headers, which can hold neither line breaks nor characters beyond ASCII.
  if (![clientId, clientSecret].every((text) => isFilled(text) && /^[\x21-\x7e]+$/.test(text))) {
    throw new EdrlakeError('CREDENTIALS_MISSING', 'the client id or the client secret is empty or has blanks in it', {
      hint: 'Copy both once more from the page of the OAuth client, without line breaks.',
    });
  }
  const ofLevel = (level: 'user' | 'subscription'): LoginWay => ({
    path: OAUTH_PATHS[level],
    headers: { ...FORM, clientId, clientSecret },
    body: '',
  });
  if (oauthLevel !== 'auto') return { first: ofLevel(oauthLevel), otherwise: null };
  return { first: ofLevel('user'), otherwise: ofLevel('subscription') };
}
