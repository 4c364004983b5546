import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand } from '../e2e/command.ts';
import { type CaseEvent, startCaseGateway } from './gateway.ts';

const DAY = ['--from', '2021-03-27', '--to', '2021-03-27'];
const START_MS = Date.parse('2021-03-27T00:00:00Z');
const iso = (ms: number) => new Date(ms).toISOString().replace('Z', '+0000');

/** 500 events of one day, in a form that the platform has changed to overnight. */
function eventsAs(form: (event: Readonly<Record<string, unknown>>, ms: number) => unknown): CaseEvent[] {
  return Array.from({ length: 500 }, (_, n) => {
    const ms = START_MS + n * 1_000;
    const event = { id: `F_${n}`, type: 'FILE', dateTime: iso(ms), eventProcessedTime: iso(ms + 60_000) };
    return {
      at: iso(ms),
      processed: iso(ms + 60_000),
      raw: JSON.stringify(form({ ...event, asset: { agentId: 'a' } }, ms)),
    };
  });
}

it.each([
  ['in an envelope', (event: object, ms: number) => ({ sortValues: [ms], data: event })],
  ['with times in epoch seconds', (event: object, ms: number) => ({ ...event, dateTime: ms / 1_000 })],
])('records %s are read', async (_what, form) => {
  const gateway = await startCaseGateway({ events: eventsAs(form) });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      const run = await runCommand(['backfill', ...DAY, '--base-url', gateway.url, ...lake]);
      expect(run.exitCode, run.stderr).toBe(0);
      const sql = `select counted, in_lake, rejected, verdict, (select count(distinct event_id) from events
        where event_time between '2021-03-27' and '2021-03-27 00:08:19') from coverage`;
      const rows = await runCommand(['query', '--format', 'csv', ...lake, sql]);
      expect(rows.stdout.trim().split('\n')[1], rows.stderr).toBe('500,500,0,complete,500');
    });
  } finally {
    await gateway.close();
  }
});
