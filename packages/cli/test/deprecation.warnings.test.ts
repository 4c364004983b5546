import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseRange, seededRandom, systemClock } from '@edrlake/core';
import { type SimulatorOptions, startSimulator } from '@edrlake/simulator';
import { expect, it } from 'vitest';
import { runProgram } from '../src/program.ts';
import { fakeSurroundings } from './fake-surroundings.ts';

const DAY = ['--from', '2020-08-17', '--to', '2020-08-17'];
const SENTENCE = /the API says that \/ioc\/events\S* is deprecated as of 2026-01-01 and may end on 2027-01-31/;

it('doctor and status warn of an endpoint that will end, and status stops when the API no longer says it', async () => {
  let commandsRun = 0;
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-deprecation-'));
  const run = async (deprecation: SimulatorOptions['deprecation'], ...commands: string[][]) => {
    const range = parseRange('2020-08-17', '2020-08-17');
    const simulator = await startSimulator({ events: 50, range, ...(deprecation && { deprecation }) });
    try {
      const texts: string[] = [];
      for (const command of commands) {
        const env = { PATH: '', EDRLAKE_USERNAME: 'demo', EDRLAKE_PASSWORD: 'demo', EDRLAKE_BASE_URL: simulator.url };
        const random = seededRandom(++commandsRun);
        const surroundings = fakeSurroundings({ env, workingDirectory: directory, clock: systemClock, random });
        expect(await runProgram(command, surroundings), surroundings.stderr.text).toBe(0);
        texts.push(surroundings.stdout.text.replace(/\s+/g, ' '));
      }
      return texts;
    } finally {
      await simulator.close();
    }
  };
  try {
    const ending = { deprecation: '@1767225600', sunset: 'Sun, 31 Jan 2027 23:59:59 GMT' };
    const [, doctor, status] = await run(ending, ['backfill', ...DAY], ['doctor', ...DAY], ['status']);
    expect(doctor).toMatch(SENTENCE);
    expect(status).toMatch(SENTENCE);
    const [, later] = await run(null, ['backfill', ...DAY, '--force'], ['status']);
    expect(later).not.toContain('deprecated');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
