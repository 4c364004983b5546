import { join } from 'node:path';
import type { Simulator } from '@edrlake/simulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { S3_KEY } from '../../../packages/lake/test/object-address.ts';
import { type S3Server, startS3Server } from '../../../packages/lake/test/s3-server.ts';
import { definePart } from '../part.ts';
import { installTemporal, type TemporalKit } from './cluster.ts';
import { AT_ONCE, DAYS, EVENTS, openStage, ready } from './stage.ts';

/** Pages of the events, the least that they take. */
const PAGES = EVENTS / 100;

definePart<TemporalKit>('temporal', installTemporal, (kit) => {
  let objects: S3Server;

  beforeAll(async () => {
    objects = await startS3Server();
  });
  afterAll(() => objects?.close());

  test.each([
    { name: 'fits into the limit', limit: { requests: 20, windowSeconds: 60 }, maxResultWindow: 700 },
    // All events are one window, which takes more than twice the limit.
    { name: 'does not', limit: { requests: 10, windowSeconds: 40 }, maxResultWindow: 10_000 },
  ])('machines with work folders of their own ask for no page twice, where a window $name', async (about) => {
    const { limit, maxResultWindow } = about;
    const variables = {
      ...{ AWS_ENDPOINT_URL: objects.url, AWS_REGION: 'eu-central-1' },
      ...{ AWS_ACCESS_KEY_ID: S3_KEY.accessKeyId, AWS_SECRET_ACCESS_KEY: S3_KEY.secretAccessKey },
    };
    const settings = { lake: `s3://lake/${maxResultWindow}/{subscription}`, maxResultWindow };
    const stage = await openStage(kit(), ['acme'], limit, settings, variables);
    try {
      const machines = ['one', 'two', 'three'].map((name) =>
        stage.startWorker('--work', join(stage.folder, name, '{subscription}')),
      );
      await ready(machines);
      const running = stage.json('backfill', ...DAYS, '--subscription', 'acme');
      // A machine that gives work back is taken away, so that another one goes on with it; the last one stays.
      let there = machines.length;
      for (const machine of machines) {
        const takeAway = () => {
          there -= 1;
          if (there > 0) machine.kill('SIGINT');
        };
        machine.said(/given back for \d+ s/).then(takeAway, () => undefined);
      }
      expect(await running).toMatchObject({ state: 'done', bad: [] });
      const reader = ['--subscription', 'acme', '--work', join(stage.folder, 'reader')];
      const sql = 'select count(*) as n, count(distinct event_id) as ids from events';
      const { stdout } = await stage.start('query', sql, '--format', 'csv', ...reader).ended;
      expect(stdout.trim().split('\n').at(-1)).toBe(`${EVENTS},${EVENTS}`);

      const { calls } = stage.gateways.get('acme') as Simulator;
      const asked = calls.of('events').map(({ params }) => JSON.stringify(params));
      expect(asked.filter((page, place) => asked.indexOf(page) !== place)).toEqual([]);
      expect(asked.length).toBeLessThanOrEqual(PAGES + Math.ceil(EVENTS / maxResultWindow));
      // Beginning again costs a few counts, and no page.
      const { length: timesGivenBack } = stage.saidByWorkers().match(/given back for \d+ s/g) ?? [];
      expect(calls.dataTotal - asked.length).toBeLessThanOrEqual(4 * (1 + timesGivenBack));
      expect(calls.all().filter(({ status }) => status === 429)).toEqual([]);
      expect(calls.mostRunning).toBeLessThanOrEqual(AT_ONCE);
    } finally {
      await stage.close();
    }
  });
});
