import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { MS_PER_HOUR, seededRandom } from '@edrlake/core';
import type { Simulator } from '@edrlake/simulator';
import { expect, test } from 'vitest';
import { expectLakeHoldsTruth } from '../../e2e/lake-truth.ts';
import { definePart } from '../part.ts';
import { type EdrlakeProcess, installTemporal, type TemporalKit } from './cluster.ts';
import { AT_ONCE, NIGHTLY, openStage, RANGE, ready, type Stage } from './stage.ts';

const SUBSCRIPTIONS = ['acme', 'globex', 'initech', 'umbrella'];
/** So that a night waits for requests longer than a task keeps its slot. */
const LIMIT = { requests: 25, windowSeconds: 30 };

definePart<TemporalKit>('temporal', installTemporal, (kit) => {
  /** Kills workers at random and starts others in their place. */
  async function disturb(stage: Stage, workers: EdrlakeProcess[], seed: number, signal: AbortSignal): Promise<void> {
    const random = seededRandom(seed);
    for (let kill = 0; kill < 2; kill += 1) {
      await pause(2_000 + random() * 6_000, null, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const place = Math.floor(random() * workers.length);
      workers[place]?.kill('SIGKILL');
      workers[place] = stage.startWorker();
    }
  }

  test('nights of several subscriptions, with killed workers and a server that restarts, are whole', async () => {
    // Windows that fit into the limit: one that does not keeps its slot.
    const stage = await openStage(kit(), SUBSCRIPTIONS, LIMIT, { maxResultWindow: 500 });
    try {
      const workers = [stage.startWorker(), stage.startWorker(), stage.startWorker()];
      await ready(workers);
      for (const night of [1, 2]) {
        const over = new AbortController();
        const running = stage.json('run', 'nightly', '--subscription', 'all', ...NIGHTLY);
        const disturbed = disturb(stage, workers, night, over.signal);
        if (night === 1) {
          await pause(4_000);
          await stage.server.restart();
        }
        const ended = await running;
        over.abort();
        await disturbed;
        expect(ended).toMatchObject({
          exitCode: 0,
          subscriptions: SUBSCRIPTIONS.map((subscription) => ({ subscription, result: { state: 'done' } })),
        });
        for (const name of SUBSCRIPTIONS) {
          const simulator = stage.gateways.get(name) as Simulator;
          await expectLakeHoldsTruth(join(stage.folder, 'lake', name), simulator);
          expect(simulator.calls.mostRunning, name).toBeLessThanOrEqual(AT_ONCE);
          expect(
            simulator.calls.all().filter(({ status }) => status === 429),
            name,
          ).toEqual([]);
          simulator.addEvents({ events: 400, range: RANGE, processedAtMs: Date.now() - MS_PER_HOUR });
        }
      }
      expect(stage.saidByWorkers()).toMatch(
        /given back for \d+ s: (?:no request may be sent|work of \d+ requests may not begin) before/,
      );
      for (const { pipeline, state } of await stage.runsOf('acme')) {
        if (pipeline === 'nightly') expect(state).toBe('done');
      }
    } finally {
      await stage.close();
    }
  });
});
