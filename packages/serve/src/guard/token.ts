import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { EdrlakeError, errnoOf } from '@edrlake/core';

/** Shorter ones could be guessed. */
const SHORTEST = 16;
const LONGEST_BYTES = 4_096;

/**
 * The token in a file: its text without white space around it.
 * @throws {EdrlakeError} `USAGE` for a file that cannot be read, that others may read, or whose token is too short
 */
export async function readTokenFile(path: string): Promise<string> {
  const text = await readSmall(path);
  const token = text.trim();
  if (token.length >= SHORTEST && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new EdrlakeError('USAGE', `--token-file: expected one word of at least ${SHORTEST} characters in ${path}`, {
    hint: 'Make one: (umask 077; openssl rand -hex 24 > token)',
  });
}

async function readSmall(path: string): Promise<string> {
  try {
    const { size, mode } = await stat(path);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new EdrlakeError('USAGE', `--token-file: others on this machine may read ${path}`, {
        hint: `chmod 600 ${path}`,
      });
    }
    if (size <= LONGEST_BYTES) return await readFile(path, 'utf8');
  } catch (thrown) {
    if (thrown instanceof EdrlakeError) throw thrown;
    throw new EdrlakeError('USAGE', `--token-file: cannot read ${path}: ${errnoOf(thrown)}`, {
      cause: thrown,
      hint: 'Check the path and its permissions.',
    });
  }
  return '';
}

/**
 * Whether an `Authorization` header carries the token: as a bearer, or as the password of any user, which a browser
 * asks for. Takes the same time for every wrong one.
 */
export function carriesToken(header: string | undefined, token: string): boolean {
  const [, scheme = '', value = ''] = /^(Bearer|Basic) +(\S{1,8192})$/i.exec(header ?? '') ?? [];
  return isSame(scheme.toLowerCase() === 'basic' ? passwordOf(value) : value, token);
}

function passwordOf(credentials: string): string {
  const text = Buffer.from(credentials, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? '' : text.slice(colon + 1);
}

/** Digests have one length, so that neither the length nor a common beginning shows in the time. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
