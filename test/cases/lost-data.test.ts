import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand } from '../e2e/command.ts';
import { type CaseEvent, type CaseGateway, startCaseGateway } from './gateway.ts';

const MINUTE_MS = 60_000;
const VERDICTS = 'select event_date::text, verdict from coverage order by 1';
type Run = (...args: string[]) => ReturnType<typeof runCommand>;

const event = (id: string, ms: number): CaseEvent => {
  const at = new Date(ms).toISOString();
  return { id, type: 'FILE', dateTime: at, eventProcessedTime: at, asset: { agentId: 'a' } };
};

/** A gateway whose search service has no data from one request on: it counts and lists nothing, with status 200. */
async function onGateway(
  events: readonly CaseEvent[],
  work: (lost: { fromRequest: number }, gateway: CaseGateway, run: Run) => Promise<void>,
): Promise<void> {
  const lost = { fromRequest: Number.POSITIVE_INFINITY };
  const gateway = await startCaseGateway({
    events,
    answer: ({ kind, send }) => {
      if (kind !== 'count' && kind !== 'events') return false;
      lost.fromRequest -= 1;
      if (lost.fromRequest > 0) return false;
      send(200, kind === 'count' ? '{"count":0}' : '[]');
      return true;
    },
  });
  try {
    await inFreshDirectory((directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      const run: Run = (command = '', ...args) =>
        runCommand([command, ...args, ...lake, ...(command === 'query' ? [] : ['--base-url', gateway.url])]);
      return work(lost, gateway, run);
    });
  } finally {
    await gateway.close();
  }
}

it('a comparison calls no day equal, or empty, of which the API has lost everything', async () => {
  const noon = Date.UTC(2021, 2, 27, 12);
  await onGateway([event('F_1', noon), event('F_2', noon + 48 * 60 * MINUTE_MS)], async (lost, gateway, run) => {
    expect((await run('backfill', '--from', '2021-03-27', '--to', '2021-03-27')).exitCode).toBe(0);
    const range = ['--from', '2021-03-27', '--to', '2021-03-30'];
    lost.fromRequest = 1;
    const blind = await run('reconcile', ...range);
    expect([blind.exitCode, blind.stdout]).toEqual([4, expect.stringContaining('0 of 4 days match: 4 unverified')]);
    expect(gateway.asked('events')).toBe(1);
    lost.fromRequest = Number.POSITIVE_INFINITY;
    expect((await run('reconcile', ...range)).stdout).toContain('2021-03-29');
    expect((await run('reconcile', '--from', '2021-03-28', '--to', '2021-03-28')).exitCode).toBe(0);
  });
});

it('a sync passes no event whose data the API loses after any of its requests', async () => {
  const nowMs = Date.now();
  const old = [100, 101, 102].map((minutes) => event(`F_${minutes}`, nowMs - minutes * MINUTE_MS));
  const fresh = [40, 41].map((minutes) => event(`G_${minutes}`, nowMs - minutes * MINUTE_MS));
  const since = new Date(nowMs - 300 * MINUTE_MS).toISOString();
  for (const fromRequest of [1, 2, 3, 4, 5]) {
    await onGateway([...old, ...fresh], async (lost, _, run) => {
      expect((await run('sync', '--since', since, '--settle-lag', '60m')).exitCode).toBe(0);
      lost.fromRequest = fromRequest;
      const sync = await run('sync', '--settle-lag', '1m');
      const rows = await run('query', "select count(*) from events where event_id like 'G%'", '--format', 'csv');
      expect([fromRequest, sync.exitCode, rows.stdout.trim().split('\n').at(-1)]).toEqual(
        sync.exitCode === 0 ? [fromRequest, 0, '2'] : [fromRequest, 3, '0'],
      );
    });
  }
});

it('a backfill proves no part empty whose data the API loses while it is counted', async () => {
  const events = Array.from({ length: 18 }, (_, nth) => event(`F_${nth}`, Date.UTC(2021, 2, 20, nth * 8 + 1)));
  const small = ['--page-size', '5', '--max-result-window', '10', '--rate-limit', 'none'];
  for (const fromRequest of [2, 3, 4, 5, 6]) {
    await onGateway(events, async (lost, _, run) => {
      lost.fromRequest = fromRequest;
      await run('backfill', '--from', '2021-03-20', '--to', '2021-03-25', ...small);
      const days = (await run('query', VERDICTS, '--format', 'csv')).stdout;
      const rows = (await run('query', 'select distinct event_date::text from events', '--format', 'csv')).stdout;
      for (const [, day = ''] of days.matchAll(/(\S+),complete/g))
        expect([fromRequest, rows]).toEqual([fromRequest, expect.stringContaining(day)]);
    });
  }
});
