// Contract: every request of every command is in the log, by hour, command, endpoint and answer; a line that a crash
// cut off spoils no other; a log that cannot be written stops nothing.
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, MS_PER_DAY, MS_PER_HOUR, type RunEvent, seededRandom, systemClock } from '@edrlake/core';
import { startSimulator } from '@edrlake/simulator';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { openRequestLog, requestLogFolder } from '../src/connect/request-log.ts';
import { connectSharing } from '../src/connect/shared-connection.ts';
import { readRequestHistory } from '../src/history/request-history.ts';

const NEVER = new AbortController().signal;
const NOON = Date.UTC(2026, 10, 29, 12);

async function lakeFolder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-request-log-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function request(status: number | null, attempt = 1): RunEvent {
  return { type: 'request', endpoint: 'events', status, durationMs: 1, attempt, requestsLeft: 1 };
}

/** A log whose clock the test sets. */
function logOf(lakeDirectory: string, command: string, others: number | null = 0) {
  const time = { nowMs: NOON };
  const clock: Clock = { nowMs: () => time.nowMs, sleep: async () => {} };
  const limiter = { limit: () => ({ requests: 300, windowSeconds: 3600 }), usedByOthers: () => others };
  const events: RunEvent[] = [];
  const about = { lakeDirectory, account: 'a', command };
  const log = openRequestLog(about, limiter, { clock, emit: (event) => events.push(event) });
  return { log, time, events };
}

it('holds what a gateway was asked, refusals and repetitions included', async () => {
  const lakeDirectory = await lakeFolder();
  const simulator = await startSimulator({ events: 100, range: { startMs: NOON - MS_PER_DAY, endMs: NOON } });
  onTestFinished(() => simulator.close());
  const settings = { baseUrl: simulator.url, username: 'demo', password: 'demo', rateLimit: null };
  const services = { clock: systemClock, random: seededRandom(1), emit: () => {} };
  const startedMs = Date.now();
  for (const command of ['sync', 'backfill']) {
    const connection = await connectSharing(settings, { lakeDirectory, priority: 'normal', command }, services);
    for (let n = 0; n < 30; n++) await connection.client.count({}, NEVER);
    await connection.close();
  }
  const { requests, hours, unreadableLines } = await readRequestHistory(lakeDirectory, startedMs, Date.now());
  const byStatus = new Map<string, number>();
  for (const { command, endpoint, status, requests: sent } of requests) {
    const key = `${command} ${endpoint} ${status}`;
    byStatus.set(key, (byStatus.get(key) ?? 0) + sent);
  }
  expect(Object.fromEntries(byStatus)).toEqual({
    'backfill auth 201': 1,
    'backfill count 200': 30,
    'sync auth 201': 1,
    'sync count 200': 30,
  });
  expect(requests.reduce((sum, each) => sum + each.requests, 0)).toBe(simulator.calls.total);
  expect(hours.every(({ repeated, others }) => repeated === 0 && others === 0)).toBe(true);
  expect(unreadableLines).toBe(0);
});

it('adds up to the requests of any processes at any times, hour by hour', async () => {
  const sent = fc.record({
    log: fc.nat(2),
    afterMs: fc.nat(2 * MS_PER_HOUR),
    status: fc.constantFrom(200, 204, 429, 500, null),
    isAgain: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(sent, { maxLength: 120 }), async (all) => {
      const lakeDirectory = await mkdtemp(join(tmpdir(), 'edrlake-request-log-'));
      try {
        const logs = ['sync', 'backfill', 'run nightly'].map((command) => logOf(lakeDirectory, command));
        let nowMs = NOON;
        const expected = new Map<string, number>();
        const again = new Map<number, number>();
        for (const { log, afterMs, status, isAgain } of all) {
          nowMs += afterMs;
          const { log: chosen, time } = logs[log] as (typeof logs)[number];
          time.nowMs = nowMs;
          chosen.observe(request(status, isAgain ? 2 : 1));
          const hourMs = Math.floor(nowMs / MS_PER_HOUR) * MS_PER_HOUR;
          const key = `${hourMs} ${['sync', 'backfill', 'run nightly'][log]} ${status}`;
          expected.set(key, (expected.get(key) ?? 0) + 1);
          again.set(hourMs, (again.get(hourMs) ?? 0) + (isAgain ? 1 : 0));
        }
        for (const { log } of logs) await log.close();
        const { requests, hours } = await readRequestHistory(lakeDirectory, NOON, nowMs);
        const found = requests.map((each) => [`${each.hourMs} ${each.command} ${each.status}`, each.requests] as const);
        expect(new Map(found)).toEqual(expected);
        expect(new Map(hours.map(({ hourMs, repeated }) => [hourMs, repeated]))).toEqual(again);
      } finally {
        await rm(lakeDirectory, { recursive: true, force: true });
      }
    }),
    { numRuns: 20 },
  );
});

it('is written before a wait and after every 25 requests, not only at the end', async () => {
  const lakeDirectory = await lakeFolder();
  const { log, time } = logOf(lakeDirectory, 'sync', 42);
  const read = () => readFile(join(requestLogFolder(lakeDirectory), '2026-11-29.jsonl'), 'utf8').catch(() => '');
  for (let n = 0; n < 25; n++) log.observe(request(200));
  await expect.poll(read).toContain('"events 200":25');
  log.observe(request(429));
  log.observe({ type: 'pace', reason: 'rate-limit', delayMs: 1, untilMs: 1 });
  await expect.poll(read).toContain('"events 429":1');
  await log.close();
  expect(await readRequestHistory(lakeDirectory, NOON, time.nowMs)).toMatchObject({ hours: [{ others: 42 }] });
});

it('reads past a line that was cut off, and says so', async () => {
  const lakeDirectory = await lakeFolder();
  const first = logOf(lakeDirectory, 'sync');
  first.log.observe(request(200));
  await first.log.close();
  await appendFile(join(requestLogFolder(lakeDirectory), '2026-11-29.jsonl'), '\n{"at":"2026-11-29T12:0');
  const second = logOf(lakeDirectory, 'sync', null);
  second.log.observe(request(null));
  await second.log.close();
  const { requests, unreadableLines } = await readRequestHistory(lakeDirectory, NOON, NOON);
  expect(requests.map(({ status, requests: sent }) => [status, sent])).toEqual([
    [null, 1],
    [200, 1],
  ]);
  expect(unreadableLines).toBe(1);
});

it('says once that it cannot be written, and stops nothing', async () => {
  const lakeDirectory = await lakeFolder();
  await mkdir(join(lakeDirectory, '_runs'));
  await writeFile(requestLogFolder(lakeDirectory), 'a file where the folder belongs');
  const { log, events } = logOf(lakeDirectory, 'sync');
  for (let n = 0; n < 60; n++) log.observe(request(200));
  await log.close();
  expect(events.map(({ type }) => type)).toEqual(['requests-unlogged']);
});

it('keeps a hundred days', async () => {
  const lakeDirectory = await lakeFolder();
  const folder = requestLogFolder(lakeDirectory);
  await mkdir(folder, { recursive: true });
  const dayFile = (back: number) => `${new Date(NOON - back * MS_PER_DAY).toISOString().slice(0, 10)}.jsonl`;
  for (const back of [99, 100, 101, 500]) await writeFile(join(folder, dayFile(back)), '');
  const { log } = logOf(lakeDirectory, 'sync');
  log.observe(request(200));
  await log.close();
  expect((await readdir(folder)).sort()).toEqual([dayFile(100), dayFile(99), dayFile(0)]);
});
