import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand, runJson } from '../e2e/command.ts';
import { type CaseGateway, type Scenario, startCaseGateway } from './gateway.ts';

const START_MS = Date.parse('2021-03-27T00:00:00Z');
const LARGEST = 500;
const EVENTS = Array.from({ length: 2_500 }, (_, index) => {
  const at = new Date(START_MS + index * 30_000).toISOString().replace('Z', '+0000');
  return { id: `F_${index}`, type: 'FILE', dateTime: at, eventProcessedTime: at, asset: { agentId: 'a' } };
});
const DAY = ['--from', '2021-03-27', '--to', '2021-03-27'];

/** Delivers at most 500 events a page: without saying so, or refusing more with these words. */
function capped(refusal: string | null): Scenario {
  return {
    events: EVENTS,
    answer: ({ kind, params, rows, send }) => {
      if (kind !== 'events') return false;
      const asked = Number(params.get('pageSize') ?? 10);
      if (refusal !== null && asked > LARGEST) {
        send(400, refusal);
        return true;
      }
      const size = Math.min(LARGEST, asked);
      const from = Number(params.get('pageNumber') ?? 0) * size;
      send(
        200,
        `[${rows(params)
          .slice(from, from + size)
          .join(',')}]`,
      );
      return true;
    },
  };
}

let gateway: CaseGateway;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-cap-'));
});
afterEach(async () => {
  await gateway.close();
  await rm(directory, { recursive: true, force: true });
});

describe.each([
  ['in silence', null],
  ['with a 400 that names the largest', '{"message":"pageSize must not exceed 500"}'],
  ['with a 400 in other words', '{"errors":[{"code":"E42","detail":"limit must be between 1 and 500"}]}'],
])('a gateway that gives 500 events a page, %s', (_, refusal) => {
  const ends = () => ['--base-url', gateway.url, '--lake', join(directory, 'lake')];

  it('is noticed by a backfill, which fetches all events and reports it', async () => {
    gateway = await startCaseGateway(capped(refusal));
    const ended = await runCommand(['backfill', ...DAY, ...ends()]);
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(ended.stdout).toContain('2,500 new');
    expect(ended.stdout).toContain('of 500 events: the gateway gives no 1,000, set --page-size 500');
    expect(ended.stderr).toContain('the gateway gives 500 events a page, not 1,000');
    // Three pages without use, five of the size that the gateway delivers, and an empty one after them.
    expect(gateway.asked('events')).toBeLessThanOrEqual(9);
    const counted = await runJson(['query', 'select count(distinct event_id) as n from events', ...ends().slice(2)]);
    expect(JSON.stringify(counted)).toContain('2500');
  });

  it('is reported by doctor before an export, with the setting', async () => {
    gateway = await startCaseGateway(capped(refusal));
    // Neither the last 30 days, which are empty, nor the day itself prevent that.
    for (const range of [[], DAY]) {
      const ended = await runCommand(['doctor', ...range, ...ends()]);
      expect(ended.stdout.replace(/\s+/g, ' ')).toContain('Set --page-size 500');
    }
  });
});

describe('a gateway whose pages are far smaller than asked for', () => {
  const answering = (give: (asked: number) => number): Scenario => ({
    events: EVENTS.slice(0, 90),
    answer: ({ kind, params, rows, send }) => {
      if (kind !== 'events') return false;
      const size = give(Number(params.get('pageSize')));
      const from = Number(params.get('pageNumber')) * Math.min(Number(params.get('pageSize')), 7);
      send(200, `[${rows(params).slice(from, from + size)}]`);
      return true;
    },
  });
  const run = (...more: string[]) =>
    runCommand(['backfill', ...DAY, '--base-url', gateway.url, '--lake', join(directory, 'lake'), ...more]);

  it('of one constant size, is adapted to', async () => {
    gateway = await startCaseGateway(answering((asked) => Math.min(7, asked)));
    const ended = await run();
    expect(ended.exitCode, ended.stdout).toBe(0);
    expect(ended.stdout).toContain('90 new');
    expect(ended.stdout).toContain('set --page-size 7');
  });

  it('of varying size, is named as the cause of the mismatch', async () => {
    let nth = 0;
    gateway = await startCaseGateway(answering(() => 3 + (nth++ % 3)));
    const ended = await run();
    expect(ended.exitCode, ended.stdout).toBe(4);
    expect(ended.stdout).toContain('gave pages of');
    expect(ended.stdout).toContain('--page-size');
  });
});

it('two machines behind one address, one of which gives 500 events a page, are adapted to', async () => {
  gateway = await startCaseGateway({
    events: EVENTS,
    answer: ({ kind, nth, params, rows, send }) => {
      if (kind !== 'events') return false;
      const size = Math.min(nth % 2 === 0 ? LARGEST : 1_000, Number(params.get('pageSize')));
      const from = Number(params.get('pageNumber')) * size;
      send(200, `[${rows(params).slice(from, from + size)}]`);
      return true;
    },
  });
  const ended = await runCommand(['backfill', ...DAY, '--base-url', gateway.url, '--lake', join(directory, 'lake')]);
  expect(ended.exitCode, ended.stdout).toBe(0);
  expect(ended.stdout).toContain('2,500 new');
});

describe('a gateway that refuses pages', () => {
  const refusing = (isRefused: (filter: string) => boolean, text: string): Scenario => ({
    events: EVENTS,
    answer: ({ kind, params, send }) => {
      if (kind !== 'events' || !isRefused(params.get('filter') ?? '')) return false;
      send(400, text);
      return true;
    },
  });
  const ends = () => ['--base-url', gateway.url, '--lake', join(directory, 'lake')];

  it('of any size is not asked for pages of one event with the advice to ask for one', async () => {
    gateway = await startCaseGateway(refusing(() => true, '{"message":"Invalid pageSize"}'));
    const ended = await runCommand(['backfill', ...DAY, ...ends()]);
    expect(ended.exitCode, ended.stdout).toBe(2);
    expect(ended.stderr).toContain('[PAGE_SIZE_REFUSED]');
    expect(ended.stderr).toContain('No smaller page exists');
    expect(ended.stderr).not.toContain('Set --page-size');
  });

  it('by processing time, but not their count, is not said to know no processing time', async () => {
    gateway = await startCaseGateway(refusing((filter) => filter.includes('eventProcessedTime'), ''));
    const ended = await runCommand(['sync', '--since', '2021-03-26', ...ends()]);
    expect(ended.exitCode, ended.stdout).toBe(2);
    expect(ended.stderr).not.toContain('refuses to search by processing time');
    expect(ended.stderr.replace(/\s+/g, ' ')).toContain('the size or the order of pages is what it refuses');
  });
});

it('doctor has no finding for pages of the requested size', async () => {
  gateway = await startCaseGateway({ events: EVENTS });
  const args = ['doctor', ...DAY, '--base-url', gateway.url, '--lake', join(directory, 'lake')];
  expect((await runCommand(args)).stdout.replace(/\s+/g, ' ')).toContain('of 1000 events, as asked for');
});
