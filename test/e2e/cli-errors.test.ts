import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRange } from '@edrlake/core';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandOptions, inFreshDirectory, runCommand } from './command.ts';

const DAY = ['--from', '2020-08-17', '--to', '2020-08-17'];
const PASSWORD = 'correct-horse-battery';

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({ events: 1_000, range: parseRange('2020-08-17', '2020-08-17') });
});
afterAll(() => simulator.close());

/** Runs once with text and once with JSON, and expects the same error in both. */
async function fails(args: readonly string[], options: CommandOptions, expected: { code: string; exitCode: number }) {
  const people = await runCommand(args, options);
  expect(people.exitCode, people.stderr).toBe(expected.exitCode);
  expect(people.stdout).toBe('');
  expect(people.stderr).toContain(`[${expected.code}]`);
  expect(people.stderr.match(/^edrlake[: ]/gm)).toHaveLength(1);
  expect(people.stderr, 'no stack').not.toMatch(/\n\s+at /);

  const programs = await runCommand([...args, '--json'], options);
  expect(programs.exitCode).toBe(expected.exitCode);
  const { error } = JSON.parse(programs.stdout) as { error: { code: string; message: string; hint: string } };
  expect(error.code).toBe(expected.code);
  expect(programs.stdout.trimEnd().split('\n')).toHaveLength(1);
  for (const text of [people.stderr, programs.stdout, programs.stderr]) expect(text).not.toContain(PASSWORD);
  return error;
}

describe('an error is one clear message with its exit code', () => {
  it('a login that is refused', async () => {
    const env = { EDRLAKE_USERNAME: 'demo', EDRLAKE_PASSWORD: PASSWORD };
    const loginsBefore = simulator.calls.all().filter(({ endpoint }) => endpoint === 'auth').length;
    await fails(['plan', ...DAY, '--base-url', simulator.url], { env }, { code: 'AUTH_REJECTED', exitCode: 2 });
    const logins = simulator.calls.all().filter(({ endpoint }) => endpoint === 'auth').length;
    expect(logins - loginsBefore, 'one attempt each: more would lock the account').toBe(2);
  });

  it('credentials that are missing', async () => {
    const env = { EDRLAKE_USERNAME: 'demo', EDRLAKE_PASSWORD: '' };
    const error = await fails(
      ['plan', ...DAY, '--platform', 'US1'],
      { env },
      { code: 'CREDENTIALS_MISSING', exitCode: 2 },
    );
    expect(error.hint).toContain('EDRLAKE_PASSWORD_FILE');
  });

  it('a filter the API refuses', async () => {
    const args = ['plan', ...DAY, '--base-url', simulator.url, '--filter', 'nonsense ::'];
    await fails(args, {}, { code: 'FILTER_REJECTED', exitCode: 2 });
  });

  it('a host that does not answer', async () => {
    const gone = await startSimulator({ events: 1, range: parseRange('2020-08-17', '2020-08-17') });
    await gone.close();
    const ended = await runCommand(['count', '--base-url', gone.url, '--json']);
    expect(ended.exitCode).toBe(1);
    const { error } = JSON.parse(ended.stdout) as { error: { code: string; message: string } };
    expect(error.code).toBe('HOST_UNREACHABLE');
    expect(error.message).toContain('127.0.0.1');
    expect(ended.stderr).toContain('warn: connection: HOST_UNREACHABLE, attempt 2 in');
  });

  it.each([
    ['an unknown flag', ['plan', '--form', '2020-08-17'], 'USAGE'],
    ['an unknown command', ['bakfill'], 'USAGE'],
    ['no range', ['backfill', '--platform', 'US1'], 'USAGE'],
    ['no gateway', ['backfill', ...DAY], 'USAGE'],
    [
      'an end before the start',
      ['plan', '--from', '2020-08-19', '--to', '2020-08-17', '--platform', 'US1'],
      'RANGE_INVALID',
    ],
    [
      'a day that does not exist',
      ['plan', '--from', '2020-02-30', '--to', '2020-03-01', '--platform', 'US1'],
      'RANGE_INVALID',
    ],
    ['http to another host', ['plan', ...DAY, '--base-url', 'http://gateway.example.com'], 'URL_INVALID'],
    [
      'the host of the console',
      ['plan', ...DAY, '--base-url', 'https://qualysguard.qg2.apps.qualys.com'],
      'URL_INVALID',
    ],
    ['a platform there is not', ['plan', ...DAY, '--platform', 'US9'], 'CONFIG_INVALID'],
    ['no lake', ['query', 'select 1', '--lake', '/nonexistent/lake'], 'LAKE_MISSING'],
  ])('%s', async (_, args, code) => {
    await fails(args, {}, { code, exitCode: 2 });
  });

  it('a lake that cannot be written', async () => {
    await inFreshDirectory(async (directory) => {
      const file = join(directory, 'file');
      await writeFile(file, '');
      const args = ['backfill', ...DAY, '--base-url', simulator.url, '--lake', join(file, 'lake')];
      await fails(args, {}, { code: 'LAKE_UNWRITABLE', exitCode: 2 });
    });
  });

  it('a configuration file with a mistake, and one with a password', async () => {
    await inFreshDirectory(async (directory) => {
      const path = join(directory, 'edrlake.config.json');
      await writeFile(path, '{ "pagesize": 10 }');
      const unknown = await fails(['plan', ...DAY], { cwd: directory }, { code: 'CONFIG_INVALID', exitCode: 2 });
      expect(unknown.message).toContain('did you mean pageSize?');
      await writeFile(path, JSON.stringify({ password: PASSWORD }));
      await fails(['plan', ...DAY], { cwd: directory }, { code: 'CONFIG_INVALID', exitCode: 2 });
    });
  });

  it('an event the API does not have', async () => {
    const args = ['event', 'event', '--api', '--agent', 'agent', '--base-url', simulator.url];
    await fails(args, {}, { code: 'NOT_FOUND', exitCode: 1 });
  });
});
