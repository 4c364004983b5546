import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runProgram } from '../src/program.ts';
import { fakeSurroundings } from './fake-surroundings.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-engine-'));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

async function run(...args: readonly string[]) {
  const surroundings = fakeSurroundings({ env: { PATH: '' }, workingDirectory: directory });
  const exitCode = await runProgram(args, surroundings);
  return { exitCode, stderr: (surroundings.stderr as { text?: string }).text?.replaceAll(/\s+/g, ' ') ?? '' };
}

it('refuses flags that only workers can follow', async () => {
  const { exitCode, stderr } = await run('run', 'nightly', '--engine', 'temporal', '--rate-limit', '5/60');
  expect(exitCode).toBe(2);
  expect(stderr).toContain('--rate-limit is not for --engine temporal');
});

it('refuses a worker without an engine', async () => {
  const { exitCode, stderr } = await run('worker', '--base-url', 'http://127.0.0.1:9');
  expect(exitCode).toBe(2);
  expect(stderr).toContain('expected --engine temporal');
});
