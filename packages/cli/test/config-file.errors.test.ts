import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConfigFile } from '../src/config/config-file.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-config-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function errorOf(name: string, text: string): Promise<EdrlakeError> {
  await writeFile(join(directory, name), text);
  const thrown = await readConfigFile(directory, null).then(
    () => null,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(EdrlakeError);
  return thrown as EdrlakeError;
}

describe('a configuration file', () => {
  it.each([
    ['edrlake.config.ts', "const size: number = 500;\nexport default { platform: 'US2', pageSize: size };"],
    ['edrlake.config.mjs', "export default { platform: 'US2', pageSize: 500 };"],
    ['edrlake.config.json', '{ "platform": "US2", "pageSize": 500 }'],
    ['edrlake.config.yaml', 'platform: US2\npageSize: 500\n'],
  ])('is read from %s', async (name, text) => {
    await writeFile(join(directory, name), text);
    const file = await readConfigFile(directory, null);
    expect(file).toEqual({
      path: join(directory, name),
      values: { platform: 'US2', pageSize: 500 },
      subscriptions: [],
    });
  });

  it('may be missing, unless it was named', async () => {
    expect(await readConfigFile(directory, null)).toBeNull();
    await expect(readConfigFile(directory, 'other.json')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('must be the only one', async () => {
    await writeFile(join(directory, 'edrlake.config.json'), '{}');
    const error = await errorOf('edrlake.config.yaml', '');
    expect(error.message).toContain('edrlake.config.json and edrlake.config.yaml');
  });

  it('names an unknown key and the one it may stand for', async () => {
    const error = await errorOf('edrlake.config.json', '{ "pagesize": 5 }');
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toMatch(/edrlake\.config\.json: pagesize is not a setting; did you mean pageSize\?$/);
  });

  it('names the key, what was expected and what was found', async () => {
    const error = await errorOf('edrlake.config.json', '{ "pageSize": "many", "fault": ["reset@1", {}] }');
    expect(error.message).toContain('pageSize: expected a whole number from 1 to 10000, found "many"');
    expect(error.message).toContain('fault[1]: expected a fault such as status:500@3 or reset@10, found an object');
  });

  it('must not hold a password, and the error does not repeat it', async () => {
    const error = await errorOf('edrlake.config.json', '{ "password": "correct horse" }');
    expect(error.message).toContain('password does not belong');
    expect(error.hint).toContain('EDRLAKE_PASSWORD_FILE');
    expect(JSON.stringify([error.message, error.hint, error.context])).not.toContain('horse');
  });

  it('that is broken is named', async () => {
    const error = await errorOf('edrlake.config.json', '{ "pageSize": ');
    expect(error.message).toContain('edrlake.config.json');
    expect(error.code).toBe('CONFIG_INVALID');
  });

  const TEXTS = [
    ['edrlake.config.ts', "// a comment\nexport default { platform: 'US2', pageSize: 500 };\n"],
    ['edrlake.config.json', '{\n "platform": "US2",\n "pageSize": 500\n}\n'],
    ['edrlake.config.jsonc', '{\n // a comment\n "platform": "US2",\n "pageSize": 500\n}\n'],
    ['edrlake.config.yaml', '# a comment\nplatform: US2\npageSize: 500\n'],
  ] as const;

  it.each(TEXTS)('may have a byte order mark and line ends of any kind: %s', async (name, text) => {
    for (const variant of [`\ufeff${text}`, text.replaceAll('\n', '\r\n'), text.replaceAll('\n', '\r')]) {
      await writeFile(join(directory, name), variant);
      expect((await readConfigFile(directory, null))?.values).toEqual({ platform: 'US2', pageSize: 500 });
    }
  });

  it.each(TEXTS)('of another encoding is refused by what was found, without its contents: %s', async (name, text) => {
    const secret = text.replace('US2', 'hunter2');
    for (const [bytes, found] of [
      [Buffer.from(`\ufeff${secret}`, 'utf16le'), 'found UTF-16'],
      [Buffer.from(secret, 'utf16le').swap16(), 'found UTF-16'],
      [Buffer.from(secret.replace('hunter2', 'hunter2\0')), 'found a NUL in line '],
      [Buffer.from(secret.replace('hunter2', 'hunter2\xe9'), 'latin1'), 'found bytes that are not UTF-8'],
      [Buffer.from(secret.replace('500', ': ,')), name],
      [Buffer.from(`hunter2 : [ ${secret}`), name],
    ] as const) {
      await writeFile(join(directory, name), bytes);
      const error = await readConfigFile(directory, null).then(
        () => null,
        (thrown: unknown) => thrown as EdrlakeError,
      );
      expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
      expect(error?.message).toContain(found);
      expect(error?.message).toContain(join(directory, name));
      expect(`${error?.message} ${error?.hint}`).not.toContain('hunter2');
    }
  });

  it('does not bring a .env file with it', async () => {
    await writeFile(join(directory, '.env'), 'EDRLAKE_TEST_DOTENV=1');
    await writeFile(join(directory, 'edrlake.config.json'), '{}');
    await readConfigFile(directory, null);
    expect(process.env.EDRLAKE_TEST_DOTENV).toBeUndefined();
  });
});
