import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../e2e/command.ts';
import { type CaseGateway, startCaseGateway } from './gateway.ts';

const START_MS = Date.parse('2021-03-27T00:00:00Z');
const DAY = ['--from', '2021-03-27', '--to', '2021-03-27'];

function eventOf(index: number, hostName = 'h') {
  const at = new Date(START_MS + index * 30_000).toISOString().replace('Z', '+0000');
  return { id: `F_${index}`, type: 'FILE', dateTime: at, eventProcessedTime: at, asset: { agentId: 'a', hostName } };
}

/** 2,100 events of which one in 300 is listed twice; the second copy is a newer version. */
const LISTED = Array.from({ length: 2_100 }, (_, index) => index).flatMap((index) => {
  if (index % 300 !== 7) return [eventOf(index)];
  return [eventOf(index), { ...eventOf(index, 'newer'), eventProcessedTime: '2021-03-28T00:00:00.000+0000' }];
});

let gateway: CaseGateway;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-twice-'));
});
afterEach(async () => {
  await gateway.close();
  await rm(directory, { recursive: true, force: true });
});

describe.each([
  ['counts them twice', false],
  ['counts them once', true],
])('a gateway that lists events twice and %s', (_, countsIds) => {
  it('has its day proven, with the number reported, and later commands have nothing to do', async () => {
    gateway = await startCaseGateway({
      events: LISTED,
      answer: ({ kind, params, rows, send }) => {
        if (kind !== 'count' || !countsIds) return false;
        const ids = new Set(rows(params).map((text) => JSON.parse(String(text)).id));
        send(200, JSON.stringify({ count: ids.size }));
        return true;
      },
    });
    const lake = ['--lake', join(directory, 'lake')];
    const ends = ['--base-url', gateway.url, ...lake];
    const first = await runCommand(['backfill', ...DAY, ...ends]);
    expect(first.exitCode, first.stdout + first.stderr).toBe(0);
    expect(first.stdout).toContain('7 records listed twice by the API, stored once');

    const status = await runCommand(['status', ...lake]);
    expect(status.stdout).toContain('7 records listed twice by the API, stored once');
    const proofs = 'select sum(duplicates)::int as twice from windows';
    expect((await runCommand(['query', proofs, '--format', 'csv', ...lake])).stdout).toContain('twice\n7\n');
    const pages = gateway.asked('events');
    const second = await runCommand(['backfill', ...DAY, ...ends]);
    expect(second.exitCode, second.stdout).toBe(0);
    expect(gateway.asked('events')).toBe(pages);
    const compared = await runCommand(['reconcile', ...DAY, ...ends]);
    expect(compared.exitCode, compared.stdout).toBe(0);

    const sql =
      "select count(*) as n, count(distinct event_id) as ids, count(*) filter (host_name = 'newer') as newer from events";
    const { stdout } = await runCommand(['query', sql, '--format', 'csv', ...lake]);
    expect(stdout).toContain('2100,2100,7');
    const coverage = await runCommand([
      'query',
      'select counted, in_lake, verdict from coverage',
      '--format',
      'csv',
      ...lake,
    ]);
    expect(coverage.stdout).toContain('2100,2100,complete');
  });
});

it('proves each day of a window over several days in which events are listed twice', async () => {
  const again = { ...eventOf(7, 'newer'), dateTime: '2021-03-29T10:00:00.000+0000' };
  gateway = await startCaseGateway({
    events: [
      ...Array.from({ length: 300 }, (_, index) => eventOf(index)),
      eventOf(9),
      eventOf(9),
      { ...again, eventProcessedTime: '2021-03-30T00:00:00.000+0000' },
    ],
  });
  const lake = ['--lake', join(directory, 'lake')];
  const range = ['--from', '2021-03-26', '--to', '2021-03-30'];
  const first = await runCommand(['backfill', ...range, '--base-url', gateway.url, ...lake]);
  expect(first.exitCode, first.stdout + first.stderr).toBe(0);
  const sql =
    "select string_agg(event_date || ' ' || in_lake || ' ' || verdict, ', ' order by event_date) as days from coverage";
  const days = await runCommand(['query', sql, '--format', 'json', ...lake]);
  expect(days.stdout).toContain('2021-03-27 299 complete');
  expect(days.stdout).toContain('2021-03-29 1 complete');
  expect(days.stdout).not.toContain('mismatched');
  const pages = gateway.asked('events');
  const second = await runCommand(['backfill', ...range, '--base-url', gateway.url, ...lake]);
  expect(second.exitCode, second.stdout).toBe(0);
  expect(gateway.asked('events')).toBe(pages);
  for (const days of [range, ['--from', '2021-03-27', '--to', '2021-03-27']]) {
    const compared = await runCommand(['reconcile', ...days, '--base-url', gateway.url, ...lake]);
    expect(compared.exitCode, compared.stdout).toBe(0);
  }
});
