import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand } from '../e2e/command.ts';
import { type CaseEvent, startCaseGateway } from './gateway.ts';

const DAY = ['--from', '2021-03-27', '--to', '2021-03-27'];

const event = (nth: number): CaseEvent => {
  const at = new Date(Date.UTC(2021, 2, 27, nth)).toISOString();
  return { id: `E_${nth}`, type: 'FILE', dateTime: at, eventProcessedTime: at, asset: { agentId: 'a' } };
};

it('a day is not proven without events that the API listed, in this run or an earlier one, until it lists them', async () => {
  const events = Array.from({ length: 10 }, (_, nth) => event(nth));
  let isLosing = true;
  // After the first page the search service has no event of the first three hours.
  const gateway = await startCaseGateway({
    events,
    answer: ({ kind, nth, params, rows, send }) => {
      if (!isLosing || (kind === 'events' ? nth <= 1 : kind !== 'count' || gateway.asked('events') < 1)) return false;
      const left = rows(params).filter((row) => !/"E_[012]"/.test(String(row)));
      const from = Number(params.get('pageNumber') ?? 0) * 5;
      send(
        200,
        kind === 'count' ? JSON.stringify({ count: left.length }) : `[${left.slice(from, from + 5).join(',')}]`,
      );
      return true;
    },
  });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      const small = ['--page-size', '5', '--base-url', gateway.url, '--rate-limit', 'none', '--concurrency', '1'];
      const backfill = () => runCommand(['backfill', ...DAY, ...lake, ...small]);
      const read = async (sql: string) =>
        (await runCommand(['query', sql, ...lake, '--format', 'csv'])).stdout.trim().split('\n').at(-1);
      const first = await backfill();
      expect([first.exitCode, first.stdout + first.stderr]).toEqual([3, expect.stringContaining('EVENTS_VANISHED')]);
      expect(await read('select count(distinct event_id) from events')).toBe('10');
      for (const _ of ['the same run, resumed', 'once more']) {
        const again = await backfill();
        expect([again.exitCode, again.stdout + again.stderr]).toEqual([3, expect.stringContaining('--replace')]);
        expect(await read('select verdict from coverage')).not.toBe('complete');
      }
      isLosing = false;
      expect((await backfill()).exitCode).toBe(0);
      expect(await read('select verdict from coverage')).toBe('complete');
      expect(await read('select count(distinct event_id) from events')).toBe('10');
    });
  } finally {
    await gateway.close();
  }
});

it('an event that the API has deleted for good is given up with --replace', async () => {
  const gone = event(0);
  let hasIt = true;
  const gateway = await startCaseGateway({
    events: [gone, event(1), event(2)],
    answer: ({ kind, params, rows, send }) => {
      const isFirst = kind === 'count' && gateway.asked('events') === 0;
      // The first count is one too many, so that the day is not proven while the event is there.
      if (kind !== 'count' && kind !== 'events') return false;
      const left = rows(params).filter((row) => hasIt || !String(row).includes('"E_0"'));
      send(200, kind === 'count' ? `{"count":${left.length + (hasIt || isFirst ? 1 : 0)}}` : `[${left.join(',')}]`);
      return true;
    },
  });
  try {
    await inFreshDirectory(async (directory) => {
      const args = [...DAY, '--lake', join(directory, 'lake'), '--base-url', gateway.url, '--rate-limit', 'none'];
      expect((await runCommand(['backfill', ...args])).exitCode).toBe(4);
      hasIt = false;
      expect((await runCommand(['backfill', ...args])).exitCode).toBe(3);
      expect((await runCommand(['backfill', ...args, '--replace'])).exitCode).toBe(0);
    });
  } finally {
    await gateway.close();
  }
});
