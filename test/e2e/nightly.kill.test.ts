import { join } from 'node:path';
import { dayOf, MS_PER_DAY, seededRandom, startOfDayMs } from '@edrlake/core';
import { startSimulator } from '@edrlake/simulator';
import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand, runJson, startCommand } from './command.ts';
import { expectLakeHoldsTruth } from './lake-truth.ts';

const KILLS = 20;

interface ListedRun {
  readonly runId: string;
  readonly kind: string;
  readonly state: string;
}

it(`the nightly pipeline, killed at ${KILLS} random moments and resumed each time, ends as if nothing had happened`, async () => {
  const endMs = startOfDayMs(dayOf(Date.now()));
  const range = { startMs: endMs - 3 * MS_PER_DAY, endMs };
  // Slow answers, so that the moments fall into every part of the run; all processed by now.
  const lateness = [{ share: 1, minMs: 1_000, maxMs: 60_000 }];
  const simulator = await startSimulator({ events: 12_000, range, seed: 77, lateness, latencyMs: 20 });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = join(directory, 'lake');
      const target = ['--lake', lake, '--base-url', simulator.url, '--page-size', '250'];
      const first = ['run', 'nightly', '--param', `since=${dayOf(range.startMs)}`, '--param', 'days=3', ...target];
      const random = seededRandom(20);
      let runId: string | null = null;
      let kills = 0;
      for (let attempt = 0; attempt < KILLS; attempt += 1) {
        const running = startCommand(runId === null ? first : ['run', '--resume', runId, ...target]);
        const timer = setTimeout(() => running.kill('SIGKILL'), 200 + random() * 2_500);
        const { exitCode, stdout, stderr } = await running.ended;
        clearTimeout(timer);
        if (exitCode === null) kills += 1;
        else expect(exitCode, stdout + stderr).toBe(0);
        runId ??= (await listed(lake)).find(({ kind }) => kind === 'pipeline')?.runId ?? null;
      }
      expect(kills).toBeGreaterThan(2);
      const last = await runCommand(runId === null ? first : ['run', '--resume', runId, ...target]);
      expect(last).toMatchObject({ exitCode: 0 });
      await expectLakeHoldsTruth(lake, simulator);

      const runs = (await listed(lake)).filter(({ kind }) => kind === 'pipeline');
      expect(runs.map(({ state }) => state)).toEqual(['done']);
      const told = await runJson(['runs', runs[0]?.runId ?? '', '--lake', lake]);
      const tasks = told.tasks as { name: string; state: string }[];
      expect(tasks.map(({ name, state }) => [name, state])).toEqual([
        ['sync', 'done'],
        ['reconcile', 'done'],
        ['repair', 'done'],
        ['compact', 'done'],
        ['vacuum', 'done'],
        ['one-row-per-event', 'done'],
      ]);
    });
  } finally {
    await simulator.close();
  }
}, 300_000);

async function listed(lake: string): Promise<readonly ListedRun[]> {
  const ended = await runCommand(['runs', '--lake', lake, '--json']);
  // A process that was killed before it made the lake has left no runs.
  if (ended.exitCode !== 0) return [];
  return (JSON.parse(ended.stdout) as { runs: readonly ListedRun[] }).runs;
}
