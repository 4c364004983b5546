import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand } from '../e2e/command.ts';
import { type CaseRequest, startCaseGateway } from './gateway.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2021, 2, 27);
const EVENTS = 2_400;
const RANGE = ['--from', '2021-03-27', '--to', '2021-03-28'];

/** Evenly over two days. */
const EVENT_LIST = Array.from({ length: EVENTS }, (_, index) => {
  const at = new Date(START_MS + Math.floor((index * 2 * DAY_MS) / EVENTS)).toISOString();
  return { id: `F_${index}`, type: 'FILE', dateTime: at, eventProcessedTime: at, asset: { agentId: 'a' } };
});

type Lie = (buckets: readonly number[]) => readonly number[];
const LIES: Readonly<Record<string, Lie>> = {
  'has nothing in every second bucket': (buckets) => buckets.map((count, index) => (index % 2 === 0 ? 0 : count)),
  'has all of its events a bucket too late': (buckets) => [0, ...buckets.slice(0, -1)],
  'has twice as many': (buckets) => buckets.map((count) => 2 * count),
  'is empty': (buckets) => buckets.map(() => 0),
};

/** `/events/count/time-buckets`, which is never right. */
function answerBuckets({ params, send }: CaseRequest, lie: Lie): void {
  const [fromMs, toMs] = ['fromDate', 'toDate'].map((name) => Date.parse(params.get(name) ?? '')) as [number, number];
  const wanted = Number(params.get('bucketCount'));
  const bucketMs = Math.max(1, Math.ceil((toMs - fromMs) / wanted));
  const starts = Array.from({ length: Math.ceil((toMs - fromMs) / bucketMs) }, (_, n) => fromMs + n * bucketMs);
  const counts = starts.map(
    (start) =>
      EVENT_LIST.filter(({ dateTime }) => {
        const atMs = Date.parse(dateTime);
        return atMs >= start && atMs < Math.min(toMs, start + bucketMs);
      }).length,
  );
  const told = lie(counts);
  const name = (ms: number) => new Date(ms).toISOString();
  const entries = starts.map((start, index) => [
    `${name(start)}_${name(Math.min(toMs, start + bucketMs))}`,
    told[index] ?? 0,
  ]);
  send(200, JSON.stringify(Object.fromEntries(entries)));
}

it.each(Object.keys(LIES))('where the histogram %s, every event arrives, or its range is not proven', async (name) => {
  let lied = 0;
  const gateway = await startCaseGateway({
    events: EVENT_LIST,
    answer: (request) => {
      if (!request.url.pathname.endsWith('/time-buckets')) return false;
      lied += 1;
      answerBuckets(request, LIES[name] ?? ((buckets) => buckets));
      return true;
    },
  });
  try {
    await inFreshDirectory(async (directory) => {
      const to = ['--base-url', gateway.url, '--lake', join(directory, 'lake')];
      // Of at most 300 events a window, so that the days have to be divided.
      const small = ['--page-size', '100', '--max-result-window', '300'];
      const { exitCode, stdout } = await runCommand(['backfill', ...RANGE, ...small, ...to]);
      expect(lied, 'the planner has used it').toBeGreaterThan(0);
      const sql = 'select count(*), count(distinct event_id) from events';
      const { stdout: rows } = await runCommand(['query', sql, '--format', 'csv', ...to.slice(2)]);
      expect({ exitCode, rows: rows.split('\n')[1] }, stdout).toEqual({ exitCode: 0, rows: `${EVENTS},${EVENTS}` });
      const gate = await runCommand(['gate', ...RANGE, ...to.slice(2)]);
      expect(gate.exitCode, gate.stdout).toBe(0);
    });
  } finally {
    await gateway.close();
  }
});
