import { join } from 'node:path';
import { dayOf, MS_PER_DAY, seededRandom, startOfDayMs } from '@edrlake/core';
import { startSimulator } from '@edrlake/simulator';
import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand, runJson, startCommand } from './command.ts';
import { expectLakeHoldsTruth } from './lake-truth.ts';

const KILLS = 20;

/** A login, two pages in flight, and up to three counts of a comparison. */
const UNSEEN_PER_KILL = 6;

const TASKS = ['sync', 'reconcile', 'recount', 'repair', 'hunt', 'quiet', 'compact', 'vacuum', 'one-row-per-event'];

interface ListedRun {
  readonly runId: string;
  readonly kind: string;
  readonly state: string;
}

it(`the nightly pipeline, killed at ${KILLS} random moments and resumed each time, has the usual result`, async () => {
  const endMs = startOfDayMs(dayOf(Date.now()));
  const range = { startMs: endMs - 3 * MS_PER_DAY, endMs };
  // Slow answers, so that the kills hit every part of the run; everything is processed by now.
  const lateness = [{ share: 1, minMs: 1_000, maxMs: 60_000 }];
  const simulator = await startSimulator({ events: 6_000, range, seed: 77, lateness, latencyMs: 20 });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = join(directory, 'lake');
      const target = ['--lake', lake, '--base-url', simulator.url, '--page-size', '125'];
      const first = ['run', 'nightly', '--param', `since=${dayOf(range.startMs)}`, '--param', 'days=3', ...target];
      const random = seededRandom(20);
      let unfinished: string | null = null;
      let kills = 0;
      const starts = new Map<string, number>();
      while (kills < KILLS) {
        const running = startCommand(unfinished === null ? first : ['run', '--resume', unfinished, ...target]);
        // From here on it is in the journal.
        const hasBegun = await running.said('nightly 2').then(
          () => true,
          () => false,
        );
        const timer = setTimeout(() => running.kill('SIGKILL'), random() * 900);
        const { exitCode, stdout, stderr } = await running.ended;
        clearTimeout(timer);
        // The kill before came after the last line of its journal: nothing is left to resume.
        if (!hasBegun) {
          expect([exitCode, unfinished === null], stdout + stderr).toEqual([0, false]);
          unfinished = null;
          continue;
        }
        const runId = /nightly (\S+): (started|resumed)/.exec(stderr)?.[1] ?? '';
        starts.set(runId, (starts.get(runId) ?? 0) + 1);
        if (exitCode === null) kills += 1;
        else expect(exitCode, stdout + stderr).toBe(0);
        // The next night begins with a new run after one that ended.
        unfinished = exitCode === null ? runId : null;
      }
      const last = await runCommand(unfinished === null ? first : ['run', '--resume', unfinished, ...target]);
      expect(last.exitCode, last.stderr).toBe(0);
      const lastId = /nightly (\S+): (started|resumed)/.exec(last.stderr)?.[1];
      if (lastId !== undefined) starts.set(lastId, (starts.get(lastId) ?? 0) + 1);
      await expectLakeHoldsTruth(lake, simulator);

      const runs = (await listed(lake)).filter(({ kind }) => kind === 'pipeline');
      expect(new Set(runs.map(({ runId }) => runId))).toEqual(new Set(starts.keys()));
      let requests = 0;
      for (const { runId } of runs) {
        const shown = await runJson(['runs', runId, '--lake', lake]);
        expect(shown).toMatchObject({ state: 'done', starts: starts.get(runId) });
        const tasks = shown.tasks as { name: string; state: string }[];
        expect(tasks.map(({ name, state }) => [name, state])).toEqual(TASKS.map((name) => [name, 'done']));
        requests += shown.requests as number;
      }
      // All requests that the gateway received, except logins, requests in flight, and comparisons that a kill
      // interrupted.
      expect(requests).toBeLessThanOrEqual(simulator.calls.total);
      expect(requests).toBeGreaterThanOrEqual(simulator.calls.total - KILLS * UNSEEN_PER_KILL);
    });
  } finally {
    await simulator.close();
  }
}, 300_000);

async function listed(lake: string): Promise<readonly ListedRun[]> {
  return (await runJson(['runs', '--limit', '200', '--lake', lake])).runs as readonly ListedRun[];
}
