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

/** A text in the place of the event time that cannot be read. */
const unreadable = (event: object) => ({ ...event, dateTime: 'yesterday' });

const csv = async (lake: readonly string[], sql: string) => {
  const { stdout, stderr } = await runCommand(['query', '--format', 'csv', ...lake, sql]);
  return stdout === '' ? stderr : stdout.trim().split('\n').slice(1);
};
const COVERAGE = "select counted, in_lake, rejected, verdict from coverage where event_date = '2021-03-27'";

/** A gateway whose records can be read only after `repair` was called. */
async function withUnreadable(
  work: (about: { readonly to: readonly string[]; readonly lake: readonly string[]; repair(): void }) => Promise<void>,
) {
  let form: (event: object) => object = unreadable;
  const gateway = await startCaseGateway({
    events: eventsAs((event) => event),
    answer: ({ kind, params, rows, send }) => {
      if (kind !== 'events') return false;
      const [size, page] = [Number(params.get('pageSize')), Number(params.get('pageNumber'))];
      const some = rows(params).slice(page * size, (page + 1) * size);
      send(200, JSON.stringify(some.map((row) => form(JSON.parse(String(row)) as object))));
      return true;
    },
  });
  const repair = () => {
    form = (event) => event;
  };
  try {
    await inFreshDirectory(async (directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      await work({ to: ['--base-url', gateway.url, ...lake], lake, repair });
    });
  } finally {
    await gateway.close();
  }
}

it('records that cannot be read have a result of their own: in text, exit code, status and coverage', () =>
  withUnreadable(async ({ to, lake }) => {
    const run = await runCommand(['backfill', ...DAY, ...to]);
    expect(run.exitCode, run.stderr).toBe(6);
    expect(run.stderr).toContain('500 of 500 records could not become rows\n(100.0 %, allowed are 1 %).');
    expect(run.stderr).toMatch(/ {2}500 × unreadable event time, such as\n {4}\{"id":"F_0".*\n/);
    expect(run.stdout).toContain('Too many records were rejected');
    expect(await csv(lake, COVERAGE)).toEqual(['500,0,500,rejected']);
    const status = await runCommand(['status', ...lake, '--json']);
    expect(JSON.parse(status.stdout)).toMatchObject({ days: { rejected: 1, complete: 0 } });
    const compared = await runCommand(['reconcile', ...DAY, ...to, '--json']);
    expect(compared.exitCode).toBe(6);
    expect(JSON.parse(compared.stdout)).toMatchObject({ outcome: 'rejected', days: [{ verdict: 'rejected' }] });
  }));

it('a night of records that cannot be read does not succeed', () =>
  withUnreadable(async ({ to }) => {
    const params = ['--param', 'since=2021-03-27', '--param', 'byEventTime=true', '--param', 'days=1'];
    const nightly = await runCommand(['run', 'nightly', ...params, ...to, '--json']);
    expect(nightly.exitCode, nightly.stderr).toBe(6);
    expect(JSON.parse(nightly.stdout)).toMatchObject({ state: 'rejected' });
  }));

it('rejects may be allowed, and become rows as soon as they can be read', () =>
  withUnreadable(async ({ to, lake, repair }) => {
    const allowed = await runCommand(['backfill', ...DAY, ...to, '--max-reject-share', '100%']);
    expect(allowed.exitCode, allowed.stderr).toBe(0);
    expect(await csv(lake, COVERAGE)).toEqual(['500,0,500,complete']);
    repair();
    const readable = await runCommand(['backfill', ...DAY, ...to]);
    expect(readable.exitCode, readable.stderr).toBe(0);
    expect(await csv(lake, COVERAGE)).toEqual(['500,500,0,complete']);
    expect((await runCommand(['reconcile', ...DAY, ...to])).stdout).toContain('It matches.');
  }));

it.each([
  ['ten of 500 in one window', 10, [], 6, '500,490,10,rejected'],
  [
    'five of each ten in windows of ten',
    250,
    ['--max-result-window', '10', '--page-size', '10'],
    6,
    '500,250,250,rejected',
  ],
] as const)('%s', async (_what, count, more, exitCode, coverage) => {
  const gateway = await startCaseGateway({
    events: eventsAs((event, ms) => {
      const n = (ms - START_MS) / 1_000;
      return (count === 250 ? n % 2 === 0 : n < count) ? unreadable(event) : event;
    }),
  });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      const run = await runCommand(['backfill', ...DAY, '--base-url', gateway.url, ...lake, ...more]);
      expect(run.exitCode, run.stderr).toBe(exitCode);
      expect(await csv(lake, COVERAGE)).toEqual([coverage]);
    });
  } finally {
    await gateway.close();
  }
});
