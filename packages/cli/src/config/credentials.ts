import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import type { Account } from '@edrlake/runner';
import { readPasswordText, refuseUntypable } from './password-text.ts';

/** Names of the variables of one secret, and what they are called. */
interface SecretVariables {
  readonly value: string;
  readonly file: string;
}

const PASSWORD: SecretVariables = { value: 'EDRLAKE_PASSWORD', file: 'EDRLAKE_PASSWORD_FILE' };
const CLIENT_SECRET: SecretVariables = { value: 'EDRLAKE_CLIENT_SECRET', file: 'EDRLAKE_CLIENT_SECRET_FILE' };

const HOW =
  'Set EDRLAKE_USERNAME and either EDRLAKE_PASSWORD or EDRLAKE_PASSWORD_FILE (a file that holds only the password). An OAuth client needs EDRLAKE_CLIENT_ID and EDRLAKE_CLIENT_SECRET_FILE.';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The account from the environment, the only place it may come from: a user with a password, or an OAuth client with
 * its secret. Never printed, never in an error. Line breaks and a byte order mark of a file are not part of the secret.
 * @throws {EdrlakeError} `CREDENTIALS_MISSING` naming the variable, also where a user and a client are both set;
 * `CONFIG_INVALID` for characters that cannot be meant. The values themselves are never in an error.
 */
export async function readCredentials(env: Environment, workingDirectory: string): Promise<Account> {
  const username = env.EDRLAKE_USERNAME ?? '';
  const clientId = env.EDRLAKE_CLIENT_ID ?? '';
  if (username !== '' && clientId !== '') {
    throw new EdrlakeError('CREDENTIALS_MISSING', 'EDRLAKE_USERNAME and EDRLAKE_CLIENT_ID are both set', {
      hint: 'Unset one of them, so that it is clear which account logs in.',
    });
  }
  if (clientId !== '') {
    refuseUntypable(clientId, 'EDRLAKE_CLIENT_ID');
    return { clientId, clientSecret: await readSecret(CLIENT_SECRET, env, workingDirectory) };
  }
  if (username === '') throw new EdrlakeError('CREDENTIALS_MISSING', 'EDRLAKE_USERNAME is not set', { hint: HOW });
  refuseUntypable(username, 'EDRLAKE_USERNAME');
  return { username, password: await readSecret(PASSWORD, env, workingDirectory) };
}

async function readSecret(names: SecretVariables, env: Environment, workingDirectory: string): Promise<string> {
  const typed = env[names.value] ?? '';
  const file = env[names.file] ?? '';
  refuseUntypable(typed, names.value);
  if (typed !== '' && file !== '') {
    throw new EdrlakeError('CREDENTIALS_MISSING', `${names.value} and ${names.file} are both set`, {
      hint: 'Unset one of them, so that it is clear which one counts.',
    });
  }
  if (typed !== '') return typed;
  if (file === '') throw new EdrlakeError('CREDENTIALS_MISSING', `${names.value} is not set`, { hint: HOW });
  return readSecretFile(names.file, resolve(workingDirectory, file));
}

/** The secrets that the environment gives, to remove them from messages. Empty where none can be read. */
export async function secretsOf(env: Environment, workingDirectory: string): Promise<string[]> {
  const found: string[] = [];
  for (const { value, file } of [PASSWORD, CLIENT_SECRET]) {
    const path = env[file] ?? '';
    found.push(env[value] ?? '');
    if (path !== '') found.push(await readSecretFile(file, resolve(workingDirectory, path)).catch(() => ''));
  }
  return found.filter((secret) => secret !== '');
}

async function readSecretFile(variable: string, path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new EdrlakeError('CREDENTIALS_MISSING', `${variable}: cannot read ${path}`, {
      cause: error,
      hint: 'Check the path and who may read it.',
    });
  }
  const secret = readPasswordText(bytes, `${variable} (${path})`);
  if (secret === '') throw new EdrlakeError('CREDENTIALS_MISSING', `${variable}: ${path} is empty`, { hint: HOW });
  return secret;
}
