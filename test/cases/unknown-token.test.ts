import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand } from '../e2e/command.ts';
import { type CaseGateway, startCaseGateway } from './gateway.ts';

const DAY = ['--from', '2021-03-27', '--to', '2021-03-27'];
const at = '2021-03-27T10:00:00.000+0000';
const EVENTS = [{ id: 'F_1', type: 'FILE', dateTime: at, eventProcessedTime: at, asset: { agentId: 'a' } }];

/** A platform that spells the time token otherwise: with another one no event matches, and nothing is refused. */
async function onPlatform(token: string, work: (gateway: CaseGateway, lake: string) => Promise<void>): Promise<void> {
  const gateway = await startCaseGateway({
    events: EVENTS,
    answer: ({ kind, params, send }) => {
      const filter = params.get('filter') ?? '';
      if ((kind !== 'count' && kind !== 'events') || filter === '' || filter.includes(token)) return false;
      send(200, kind === 'count' ? '{"count":0}' : '[]');
      return true;
    },
  });
  try {
    await inFreshDirectory((directory) => work(gateway, join(directory, 'lake')));
  } finally {
    await gateway.close();
  }
}

it('a token that matches nothing proves no day empty, and says so', async () => {
  await onPlatform('event.datetime', async (gateway, lake) => {
    const to = ['--base-url', gateway.url, '--lake', lake];
    const backfill = await runCommand(['backfill', ...DAY, ...to]);
    expect(backfill.exitCode, backfill.stdout).toBe(3);
    expect(backfill.stdout.replace(/\s+/g, ' ')).toContain('none of any time by the token event.dateTime');
    expect(backfill.stdout).toContain('edrlake doctor');
    const sync = await runCommand(['sync', '--since', '2021-03-01', ...to]);
    expect(sync.exitCode, sync.stdout).toBe(3);
    expect(sync.stdout).toContain('event.eventProcessedTime');
    const right = await runCommand(['backfill', ...DAY, ...to, '--event-time-token', 'event.datetime']);
    expect(right.exitCode, right.stderr).toBe(0);
    expect(right.stdout).toContain('1 new');
    // The lake holds events by the right token now, which says nothing for the wrong one.
    const wrong = await runCommand(['backfill', '--from', '2021-03-01', '--to', '2021-03-26', ...to]);
    expect(wrong.exitCode, wrong.stdout).toBe(3);
  });
});

it('a quiet day is proven, with one more request, which shows that the API counts events at all', async () => {
  await onPlatform('event.', async (gateway, lake) => {
    const quiet = ['backfill', '--from', '2021-03-20', '--to', '2021-03-20', '--base-url', gateway.url, '--lake', lake];
    expect((await runCommand(quiet)).exitCode).toBe(0);
    expect([gateway.asked('count'), gateway.asked('events')]).toEqual([2, 1]);
  });
});
