import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCredentials, secretsOf } from '../src/config/credentials.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-credentials-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('credentials', () => {
  it('come from the environment as they are', async () => {
    const env = { EDRLAKE_USERNAME: 'ann', EDRLAKE_PASSWORD: ' a&b%+ ' };
    expect(await readCredentials(env, directory)).toEqual({ username: 'ann', password: ' a&b%+ ' });
  });

  it('come from a password file without its last line break', async () => {
    await writeFile(join(directory, 'secret'), 'two words \r\n');
    const env = { EDRLAKE_USERNAME: 'ann', EDRLAKE_PASSWORD_FILE: 'secret' };
    expect(await readCredentials(env, directory)).toEqual({ username: 'ann', password: 'two words ' });
  });

  it('are those of an OAuth client where its id is set, and all secrets of the environment are known', async () => {
    await writeFile(join(directory, 'secret'), 'of the client\n');
    const env = { EDRLAKE_CLIENT_ID: 'c-1', EDRLAKE_CLIENT_SECRET_FILE: 'secret' };
    expect(await readCredentials(env, directory)).toEqual({ clientId: 'c-1', clientSecret: 'of the client' });
    expect(await secretsOf({ ...env, EDRLAKE_PASSWORD: 'old' }, directory)).toEqual(['old', 'of the client']);
  });

  it.each([
    [{}, 'EDRLAKE_USERNAME is not set'],
    [{ EDRLAKE_USERNAME: 'ann' }, 'EDRLAKE_PASSWORD is not set'],
    [{ EDRLAKE_USERNAME: 'ann', EDRLAKE_PASSWORD: 'a', EDRLAKE_PASSWORD_FILE: 'b' }, 'are both set'],
    [{ EDRLAKE_USERNAME: 'ann', EDRLAKE_PASSWORD_FILE: 'missing' }, 'cannot read'],
    [{ EDRLAKE_CLIENT_ID: 'c' }, 'EDRLAKE_CLIENT_SECRET is not set'],
    [{ EDRLAKE_CLIENT_ID: 'c', EDRLAKE_USERNAME: 'ann' }, 'EDRLAKE_USERNAME and EDRLAKE_CLIENT_ID are both set'],
    [{ EDRLAKE_CLIENT_ID: 'c', EDRLAKE_CLIENT_SECRET: 'a', EDRLAKE_CLIENT_SECRET_FILE: 'b' }, 'are both set'],
    [{ EDRLAKE_CLIENT_ID: 'c', EDRLAKE_CLIENT_SECRET_FILE: 'missing' }, 'EDRLAKE_CLIENT_SECRET_FILE: cannot read'],
  ])('%j is refused: %s', async (env, message) => {
    await expect(readCredentials(env, directory)).rejects.toMatchObject({
      code: 'CREDENTIALS_MISSING',
      message: expect.stringContaining(message),
      exitCode: 2,
    });
  });
});
