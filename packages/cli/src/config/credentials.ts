import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import { readPasswordText, refuseUntypable } from './password-text.ts';

/** The account that logs in, as typed. Never printed, never in an error. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

const HOW =
  'Set EDRLAKE_USERNAME and either EDRLAKE_PASSWORD or EDRLAKE_PASSWORD_FILE (a file that holds only the password).';

/**
 * The account from the environment, the only place it may come from. Line breaks and a byte order mark of a password
 * file are not part of the password.
 * @throws {EdrlakeError} `CREDENTIALS_MISSING` naming the variable; `CONFIG_INVALID` for characters that cannot be
 * meant. The values themselves are never in an error.
 */
export async function readCredentials(
  env: Readonly<Record<string, string | undefined>>,
  workingDirectory: string,
): Promise<Credentials> {
  const username = env.EDRLAKE_USERNAME ?? '';
  const password = env.EDRLAKE_PASSWORD ?? '';
  const file = env.EDRLAKE_PASSWORD_FILE ?? '';
  if (username === '') throw new EdrlakeError('CREDENTIALS_MISSING', 'EDRLAKE_USERNAME is not set', { hint: HOW });
  refuseUntypable(username, 'EDRLAKE_USERNAME');
  refuseUntypable(password, 'EDRLAKE_PASSWORD');
  if (password !== '' && file !== '') {
    throw new EdrlakeError('CREDENTIALS_MISSING', 'EDRLAKE_PASSWORD and EDRLAKE_PASSWORD_FILE are both set', {
      hint: 'Unset one of them, so that it is clear which password counts.',
    });
  }
  if (password !== '') return { username, password };
  if (file === '') throw new EdrlakeError('CREDENTIALS_MISSING', 'EDRLAKE_PASSWORD is not set', { hint: HOW });
  const path = resolve(workingDirectory, file);
  return { username, password: await readPasswordFile(path) };
}

/** The passwords that the environment gives, to remove them from messages. Empty where none can be read. */
export async function passwordsOf(
  env: Readonly<Record<string, string | undefined>>,
  workingDirectory: string,
): Promise<string[]> {
  const typed = env.EDRLAKE_PASSWORD ?? '';
  const file = env.EDRLAKE_PASSWORD_FILE ?? '';
  const read = file === '' ? '' : await readPasswordFile(resolve(workingDirectory, file)).catch(() => '');
  return [typed, read].filter((password) => password !== '');
}

async function readPasswordFile(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new EdrlakeError('CREDENTIALS_MISSING', `EDRLAKE_PASSWORD_FILE: cannot read ${path}`, {
      cause: error,
      hint: 'Check the path and who may read it.',
    });
  }
  const password = readPasswordText(bytes, `EDRLAKE_PASSWORD_FILE (${path})`);
  if (password === '') {
    throw new EdrlakeError('CREDENTIALS_MISSING', `EDRLAKE_PASSWORD_FILE: ${path} is empty`, { hint: HOW });
  }
  return password;
}
