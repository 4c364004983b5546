import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import type { Account } from '@edrlake/runner';
import type { AccountSource } from '../process/process-context.ts';
import { readPasswordText, refuseUntypable } from './password-text.ts';

/** Where a value of an account may be, by the end of the name of its variable. */
type Item = 'USERNAME' | 'PASSWORD' | 'PASSWORD_FILE' | 'CLIENT_ID' | 'CLIENT_SECRET' | 'CLIENT_SECRET_FILE';

/** Names of the variables of one secret. */
interface SecretItems {
  readonly value: Item;
  readonly file: Item;
}

const PASSWORD: SecretItems = { value: 'PASSWORD', file: 'PASSWORD_FILE' };
const CLIENT_SECRET: SecretItems = { value: 'CLIENT_SECRET', file: 'CLIENT_SECRET_FILE' };

const CONFIG_KEYS = {
  USERNAME: 'username',
  PASSWORD_FILE: 'passwordFile',
  CLIENT_ID: 'clientId',
  CLIENT_SECRET_FILE: 'clientSecretFile',
} as const;

const OWN_PREFIX = 'EDRLAKE_';

type Environment = Readonly<Record<string, string | undefined>>;

/** The values of one account, wherever they come from, and what a user calls each. */
interface AccountValues {
  readonly value: (item: Item) => string;
  readonly nameOf: (item: Item) => string;
  readonly how: string;
  readonly workingDirectory: string;
}

/**
 * The account from the environment: a user with a password, or an OAuth client with its secret. That of a subscription
 * comes from its own variables, or from what the configuration file names for it. Never printed, never in an error.
 * Line breaks and a byte order mark of a file are not part of the secret.
 * @throws {EdrlakeError} `CREDENTIALS_MISSING` naming the variable, also where a user and a client are both set;
 * `CONFIG_INVALID` for characters that cannot be meant. The values themselves are never in an error.
 */
export async function readCredentials(
  env: Environment,
  workingDirectory: string,
  source?: AccountSource,
): Promise<Account> {
  const values = valuesOf(env, workingDirectory, source);
  const { value, nameOf, how } = values;
  const username = value('USERNAME');
  const clientId = value('CLIENT_ID');
  if (username !== '' && clientId !== '') {
    throw new EdrlakeError('CREDENTIALS_MISSING', `${nameOf('USERNAME')} and ${nameOf('CLIENT_ID')} are both set`, {
      hint: 'Unset one of them, so that it is clear which account logs in.',
    });
  }
  if (clientId !== '') {
    refuseUntypable(clientId, nameOf('CLIENT_ID'));
    return { clientId, clientSecret: await readSecret(CLIENT_SECRET, values) };
  }
  if (username === '') throw new EdrlakeError('CREDENTIALS_MISSING', `${nameOf('USERNAME')} is not set`, { hint: how });
  refuseUntypable(username, nameOf('USERNAME'));
  return { username, password: await readSecret(PASSWORD, values) };
}

function valuesOf(env: Environment, workingDirectory: string, source: AccountSource | undefined): AccountValues {
  const prefix = source?.prefix ?? OWN_PREFIX;
  const given = (item: Item) => env[`${prefix}${item}`] ?? '';
  const isGiven = (...items: Item[]) => items.some((item) => given(item) !== '');
  // A variable replaces what the file says about the same thing, under any of its names.
  const overruled: readonly (readonly [boolean, readonly Item[]])[] = [
    [isGiven('USERNAME', 'CLIENT_ID'), ['USERNAME', 'CLIENT_ID']],
    [isGiven('PASSWORD', 'PASSWORD_FILE'), ['PASSWORD_FILE']],
    [isGiven('CLIENT_SECRET', 'CLIENT_SECRET_FILE'), ['CLIENT_SECRET_FILE']],
  ];
  const configured = (item: Item): string => {
    if (source === undefined || !(item in CONFIG_KEYS)) return '';
    if (overruled.some(([isOverruled, items]) => isOverruled && items.includes(item))) return '';
    return source.configured[CONFIG_KEYS[item as keyof typeof CONFIG_KEYS]] ?? '';
  };
  return {
    workingDirectory,
    value: (item) => given(item) || configured(item),
    nameOf: (item) =>
      given(item) === '' && configured(item) !== ''
        ? `${CONFIG_KEYS[item as keyof typeof CONFIG_KEYS]} of the subscription ${source?.name ?? ''}`
        : `${prefix}${item}`,
    how: `Set ${prefix}USERNAME and either ${prefix}PASSWORD or ${prefix}PASSWORD_FILE (a file that holds only the password). An OAuth client needs ${prefix}CLIENT_ID and ${prefix}CLIENT_SECRET_FILE.`,
  };
}

async function readSecret(
  items: SecretItems,
  { value, nameOf, how, workingDirectory }: AccountValues,
): Promise<string> {
  const typed = value(items.value);
  const file = value(items.file);
  refuseUntypable(typed, nameOf(items.value));
  if (typed !== '' && file !== '') {
    throw new EdrlakeError('CREDENTIALS_MISSING', `${nameOf(items.value)} and ${nameOf(items.file)} are both set`, {
      hint: 'Unset one of them, so that it is clear which one counts.',
    });
  }
  if (typed !== '') return typed;
  if (file === '') throw new EdrlakeError('CREDENTIALS_MISSING', `${nameOf(items.value)} is not set`, { hint: how });
  const secret = await readSecretFile(nameOf(items.file), resolve(workingDirectory, file));
  if (secret !== '') return secret;
  const path = resolve(workingDirectory, file);
  throw new EdrlakeError('CREDENTIALS_MISSING', `${nameOf(items.file)}: ${path} is empty`, { hint: how });
}

/** The secrets that the environment gives, to remove them from messages. Empty where none can be read. */
export async function secretsOf(env: Environment, workingDirectory: string, source?: AccountSource): Promise<string[]> {
  const { value, nameOf } = valuesOf(env, workingDirectory, source);
  const found: string[] = [];
  for (const items of [PASSWORD, CLIENT_SECRET]) {
    const path = value(items.file);
    found.push(value(items.value));
    if (path !== '')
      found.push(await readSecretFile(nameOf(items.file), resolve(workingDirectory, path)).catch(() => ''));
  }
  return found.filter((secret) => secret !== '');
}

/** @returns an empty text where the file holds none */
async function readSecretFile(setting: string, path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new EdrlakeError('CREDENTIALS_MISSING', `${setting}: cannot read ${path}`, {
      cause: error,
      hint: 'Check the path and who may read it.',
    });
  }
  return readPasswordText(bytes, `${setting} (${path})`);
}
