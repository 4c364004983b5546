import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../e2e/command.ts';
import { type CaseGateway, type CaseRequest, startCaseGateway } from './gateway.ts';

const DAY = ['--from', '2021-03-27', '--to', '2021-03-27'];
const START_MS = Date.parse('2021-03-27T10:00:00Z');
const iso = (ms: number) => new Date(ms).toISOString().replace('Z', '+0000');
const EVENTS = Array.from({ length: 45 }, (_, index) => ({
  id: `F_${index}`,
  type: 'FILE',
  dateTime: iso(START_MS + index * 1_000),
  eventProcessedTime: iso(START_MS + index * 1_000),
  asset: { agentId: 'a' },
}));

type Refuse = (request: CaseRequest) => boolean;

let refuse: Refuse;
let gateway: CaseGateway;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-missing-page-'));
  refuse = () => false;
  gateway = await startCaseGateway({ events: EVENTS, answer: (request) => refuse(request) });
});
afterEach(async () => {
  await gateway.close();
  await rm(directory, { recursive: true, force: true });
});

const command = (...args: string[]) =>
  runCommand([...args, '--base-url', gateway.url, '--lake', join(directory, 'lake'), '--page-size', '10']);
const rows = async () => {
  const sql =
    'select (select count(*) from events), (select count(distinct event_id) from events), verdict from coverage';
  const { stdout } = await runCommand(['query', '--format', 'csv', '--lake', join(directory, 'lake'), sql]);
  return stdout.trim().split('\n')[1];
};
const isPage = ({ kind, params }: CaseRequest, ...numbers: number[]) =>
  kind === 'events' && numbers.includes(Number(params.get('pageNumber')));
const blocked = ({ send }: CaseRequest) => {
  send(403, '<html>blocked</html>', { 'content-type': 'text/html' });
  return true;
};

describe('where pages never arrive, the others are in the lake, unproven', () => {
  it.each([
    ['the first', [0], 35],
    ['two', [1, 3], 25],
  ])('%s', async (_, missing, arrived) => {
    refuse = (request) => isPage(request, ...missing) && blocked(request);
    const first = await command('backfill', ...DAY);
    expect(first.exitCode, first.stderr).toBe(3);
    expect(first.stdout).toContain(`${arrived} new`);
    expect(first.stdout.replace(/\s+/g, ' ')).toContain(`${arrived} of their events came and are in the lake`);
    expect(await rows()).toBe(`${arrived},${arrived},partial`);
    // It stays so, without another copy.
    expect((await command('backfill', ...DAY)).exitCode).toBe(3);
    expect(await rows()).toBe(`${arrived},${arrived},partial`);
    refuse = () => false;
    const pages = gateway.asked('events');
    const done = await command('backfill', ...DAY);
    expect(done.exitCode, done.stderr).toBe(0);
    expect(gateway.asked('events') - pages).toBe(missing.length);
    expect(await rows()).toBe('45,45,complete');
  });

  it('holds the watermark of a sync back, and the next sync fetches the page', async () => {
    refuse = (request) => isPage(request, 2) && blocked(request);
    const first = await command('sync', '--since', '2021-03-27', '--json');
    expect(first.exitCode, first.stderr).toBe(3);
    expect(JSON.parse(first.stdout)).toMatchObject({ watermarkAfter: '2021-03-27T00:00:00.000Z', events: { new: 35 } });
    refuse = () => false;
    const second = await command('sync', '--json');
    expect(second.exitCode, second.stderr).toBe(0);
    expect(JSON.parse(second.stdout)).toMatchObject({ events: { new: 10 } });
    expect(await rows()).toMatch(/^45,45,/);
  });
});

describe('a refusal of what was asked is the fault of the settings only where nothing else is answered', () => {
  const refused = (status: number) => (request: CaseRequest) => {
    request.send(status, '{"message":"Bad request"}');
    return true;
  };
  const isNarrow = ({ params }: CaseRequest) => {
    const [, from = '', to = ''] = /'([^']+)' \.\. '([^']+)'/.exec(params.get('filter') ?? '') ?? [];
    return Date.parse(to) - Date.parse(from) < 1_000;
  };

  it.each([400, 414])('%i to one page', async (status) => {
    refuse = (request) => isPage(request, 0) && !isNarrow(request) && refused(status)(request);
    expect((await command('backfill', ...DAY)).exitCode).toBe(3);
    expect(await rows()).toBe('35,35,partial');
    // The only page of the only window.
    const one = await command('backfill', '--from', '2021-03-27T10:00:00Z', '--to', '2021-03-27T10:00:05Z');
    expect(one.exitCode, one.stderr).toBe(3);
  });

  it.each([400, 414])('%i to every page', async (status) => {
    refuse = (request) => request.kind === 'events' && refused(status)(request);
    const ended = await command('backfill', ...DAY);
    expect(ended.exitCode, ended.stdout).toBe(2);
    expect(gateway.asked('events')).toBeLessThanOrEqual(6);
  });

  it.each([400, 414])('%i to a count', async (status) => {
    refuse = (request) => request.kind === 'count' && !isNarrow(request) && refused(status)(request);
    const one = await command('backfill', ...DAY);
    expect(one.exitCode, one.stdout).toBe(3);
    expect(one.stdout).toContain('[REQUEST_REFUSED]');
    refuse = (request) => request.kind === 'count' && refused(status)(request);
    expect((await command('backfill', ...DAY)).exitCode).toBe(2);
    expect(gateway.asked('count')).toBeLessThanOrEqual(6);
  });
});
