import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Simulator } from '@edrlake/simulator';
import { afterAll, expect, test } from 'vitest';
import { S3_KEY } from '../../../packages/lake/test/object-address.ts';
import { type S3Server, startS3Server } from '../../../packages/lake/test/s3-server.ts';
import { definePart } from '../part.ts';
import { installTemporal, type TemporalKit } from './cluster.ts';
import { AT_ONCE, EVENTS, type ListedRun, NIGHTLY, openStage, ready } from './stage.ts';

const LIMIT = { requests: 25, windowSeconds: 30 };
const SUBSCRIPTIONS = ['acme', 'globex'];

definePart<TemporalKit>('temporal', installTemporal, (kit) => {
  let objects: S3Server;

  afterAll(() => objects?.close());

  test('machines with nothing but an object store in common do a night together, and one is lost', async () => {
    objects = await startS3Server();
    const variables = {
      ...{ AWS_ENDPOINT_URL: objects.url, AWS_REGION: 'eu-central-1' },
      ...{ AWS_ACCESS_KEY_ID: S3_KEY.accessKeyId, AWS_SECRET_ACCESS_KEY: S3_KEY.secretAccessKey },
    };
    // Several windows fit into the limit, so that work which gives its slot back has committed some.
    const settings = { lake: 's3://lake/{subscription}', maxResultWindow: 500 };
    const stage = await openStage(kit(), SUBSCRIPTIONS, LIMIT, settings, variables);
    try {
      // The work folder of a machine is its own.
      const machine = (name: string) => stage.startWorker('--work', join(stage.folder, name, '{subscription}'));
      const workers = [machine('one'), machine('two')];
      await ready(workers);
      const running = stage.json('run', 'nightly', '--subscription', 'all', ...NIGHTLY);
      await Promise.any(workers.map((worker) => worker.said(/version 1: /)));
      await pause(1_000);
      workers[0]?.kill('SIGKILL');
      expect(await running).toMatchObject({
        exitCode: 0,
        subscriptions: SUBSCRIPTIONS.map((subscription) => ({ subscription, result: { state: 'done' } })),
      });
      for (const name of SUBSCRIPTIONS) {
        const simulator = stage.gateways.get(name) as Simulator;
        const sql = 'select count(*) as n, count(distinct event_id) as ids from events';
        const reader = ['--subscription', name, '--work', join(stage.folder, 'reader', name)];
        const { stdout } = await stage.start('query', sql, '--format', 'csv', ...reader).ended;
        expect(stdout.trim().split('\n').at(-1)).toBe(`${EVENTS},${EVENTS}`);
        expect(simulator.truth.count()).toBe(EVENTS);
        // A third machine, which did nothing of it, shows the run.
        const { runs } = (await stage.json('runs', ...reader)) as { readonly runs: readonly ListedRun[] };
        expect(runs).toMatchObject([{ pipeline: 'nightly', state: 'done' }]);
        expect(simulator.calls.mostRunning, name).toBeLessThanOrEqual(AT_ONCE);
        expect(
          simulator.calls.all().filter(({ status }) => status === 429),
          name,
        ).toEqual([]);
      }
      expect([...objects.objects.keys()].some((key) => key.startsWith('acme/_requests/'))).toBe(true);
    } finally {
      await stage.close();
    }
  });
});
