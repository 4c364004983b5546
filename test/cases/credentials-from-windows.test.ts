import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCommand } from '../e2e/command.ts';
import { type CaseGateway, startCaseGateway } from './gateway.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/credentials', import.meta.url));
const logins: (readonly [username: string | null, password: string | null])[] = [];

let gateway: CaseGateway;
beforeAll(async () => {
  gateway = await startCaseGateway({
    events: [],
    answer: ({ kind, body, send, token }) => {
      if (kind !== 'auth') return false;
      const form = new URLSearchParams(body);
      const login = [form.get('username'), form.get('password')] as const;
      logins.push(login);
      const isRight = login[0] === 'u' && login[1] === 'secret-pw';
      send(isRight ? 201 : 401, isRight ? JSON.stringify({ access_token: token() }) : '{}');
      return true;
    },
  });
});
afterAll(() => gateway.close());

const count = (env: Readonly<Record<string, string>>) => {
  const args = ['count', '--from', '2021-03-27', '--to', '2021-03-27', '--base-url', gateway.url];
  return runCommand(args, { env });
};

it.each(['password-bom-crlf.txt', 'password-utf16.txt', 'password-two-newlines.txt'])(
  'the password in %s is the one that was meant',
  async (file) => {
    const env = { EDRLAKE_USERNAME: 'u', EDRLAKE_PASSWORD: '', EDRLAKE_PASSWORD_FILE: `${FIXTURES}/${file}` };
    expect(await count(env)).toMatchObject({ exitCode: 0, stdout: '0\n' });
    expect(logins.at(-1)).toEqual(['u', 'secret-pw']);
  },
);

it('variables from a file with CR LF have the intended values', async () => {
  const lines = (await readFile(`${FIXTURES}/edrlake.env`, 'utf8')).split('\n').filter((line) => line !== '');
  expect(lines.every((line) => line.endsWith('\r'))).toBe(true);
  const env = Object.fromEntries(lines.map((line) => line.split('=') as [string, string]));
  expect(await count(env)).toMatchObject({ exitCode: 0, stdout: '0\n' });
  expect(logins.at(-1)).toEqual(['u', 'secret-pw']);
  const status = await runCommand(['status', '--json'], { env: { EDRLAKE_LAKE: 'no-such-lake\r' } });
  expect(JSON.parse(status.stdout).error.context.directory).toMatch(/no-such-lake$/);
});

it('a password that cannot be intended is refused before any login, and never shown', async () => {
  const before = logins.length;
  const env = { EDRLAKE_USERNAME: 'u', EDRLAKE_PASSWORD: 'secret\u200b-pw' };
  const { exitCode, stderr } = await count(env);
  expect(exitCode).toBe(2);
  expect(stderr).toContain('EDRLAKE_PASSWORD');
  expect(stderr).toContain('U+200B');
  expect(stderr).not.toMatch(/secret|-pw/);
  expect(logins).toHaveLength(before);
});
