import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  countText,
  dayOf,
  durationText,
  MS_PER_DAY,
  MS_PER_HOUR,
  MS_PER_SECOND,
  seededRandom,
  startOfDayMs,
  sum,
} from '@edrlake/core';
import type { EdrlakeProcess, TemporalKit } from '../services/temporal/cluster.ts';
import { openScaleStage, type ScaleStage, scaleKit } from './scale-stage.ts';
import { say, tableOf } from './scale-text.ts';
import { ONE_MILLION_EACH, simulateNights } from './thousand-nights.ts';

// npm run bench:scale -- [--part all|paper|nights|large] [--subscriptions 20] [--nights 3] [--kills 4]
//                        [--events 200000] [--page-size 100] [--answer-ms 1000] [--workers 1,2,4] [--slots 1]
//
// paper: nights of 1,000 subscriptions in virtual time. nights: those of many subscriptions with and without killed
// workers. large: one subscription with more and more workers. The default of the last has as many requests as
// 2,000,000 events, in smaller pages, so that on a small machine waiting for answers takes most of the time; with
// --events 5000000 --page-size 1000 it is the whole, for a machine with a core for each worker.

const { values } = parseArgs({
  options: {
    subscriptions: { type: 'string', default: '20' },
    nights: { type: 'string', default: '3' },
    kills: { type: 'string', default: '4' },
    events: { type: 'string', default: '200000' },
    'page-size': { type: 'string', default: '100' },
    'answer-ms': { type: 'string', default: '1000' },
    workers: { type: 'string', default: '1,2,4' },
    slots: { type: 'string', default: '1' },
    part: { type: 'string', default: 'all' },
  },
});

const endMs = startOfDayMs(dayOf(Date.now()));
const LIMIT = { requests: 30, windowSeconds: 20 };
/** Requests at once that the gateway of the large subscription allows. */
const AT_ONCE = 10;
/** How long it takes until a lost worker is noticed. */
const TIME_OUT_MS = 15_000;

const { part } = values;
if (!['all', 'paper', 'nights', 'large'].includes(part)) throw new Error(`there is no part ${part}`);
if (part === 'all' || part === 'paper') onPaper();
if (part !== 'paper') {
  const kit = await scaleKit();
  if (part !== 'large') await disturbedNights(kit);
  if (part !== 'nights' && !(await large(kit))) process.exitCode = 1;
}

function onPaper(): void {
  for (const slots of [10, 25, 50, 100, 200]) {
    const end = simulateNights({ ...ONE_MILLION_EACH, subscriptions: 1_000, slots });
    const perSecond = (amount: number) => (amount / (end.tookMs / 1_000)).toFixed(1);
    say(
      `1,000 subscriptions of 1,000,000 events, ${slots} slots: ${durationText(end.tookMs)}, ` +
        `${countText(end.attempts)} attempts, ${perSecond(end.heartbeats)} heartbeats a second, ` +
        `${countText(end.extraRequests)} requests for beginning again`,
    );
  }
}

async function disturbedNights(kit: TemporalKit): Promise<void> {
  const calm = await nights(kit, 0);
  const disturbed = await nights(kit, Number(values.kills));
  const bound = 1.2 * calm + Number(values.nights) * (Number(values.kills) + 1) * TIME_OUT_MS;
  say(`undisturbed ${durationText(calm)}, disturbed ${durationText(disturbed)}, allowed ${durationText(bound)}`);
  if (disturbed > bound) process.exitCode = 1;
}

/** @returns how long the nights took, in milliseconds */
async function nights(installed: TemporalKit, kills: number): Promise<number> {
  const subscriptions = Array.from({ length: Number(values.subscriptions) }, (_, n) => `customer-${n + 1}`);
  const range = { startMs: endMs - 3 * MS_PER_DAY, endMs };
  const stage = await openScaleStage(installed, {
    ...{ subscriptions, events: 2_400, range, limit: LIMIT, requestsAtOnce: 2, pageSize: 100, slots: 4, answerMs: 20 },
  });
  try {
    const workers = await Promise.all([1, 2, 3].map(stage.startWorker));
    const since = ['--param', `since=${dayOf(range.startMs)}`, '--param', 'days=3'];
    let tookMs = 0;
    for (let night = 1; night <= Number(values.nights); night += 1) {
      const over = new AbortController();
      const startedMs = performance.now();
      const running = stage.start('run', 'nightly', '--subscription', 'all', ...since);
      const disturbing = disturb(stage, workers, kills, night, over.signal);
      if (kills > 0 && night === 2) await stage.server.restart();
      const { exitCode, stdout, stderr } = await running.ended;
      over.abort();
      await disturbing;
      tookMs += performance.now() - startedMs;
      if (exitCode !== 0) throw new Error(`a night ended with ${exitCode}: ${stdout}${stderr}`);
      const compared = await Promise.all(subscriptions.map(stage.compare));
      say(`night ${night} with ${kills} kills\n${tableOf(compared)}`);
      const bad = compared.filter(({ events, rows, distinct, refused, mostAtOnce }) => {
        return rows !== events || distinct !== events || refused > 0 || mostAtOnce > 2;
      });
      if (bad.length > 0) process.exitCode = 1;
      for (const gateway of stage.gateways.values()) {
        gateway.addEvents({ events: 400, range, processedAtMs: Date.now() - MS_PER_HOUR });
      }
    }
    return tookMs;
  } finally {
    await stage.close();
  }
}

async function disturb(
  stage: ScaleStage,
  workers: EdrlakeProcess[],
  kills: number,
  seed: number,
  signal: AbortSignal,
): Promise<void> {
  const random = seededRandom(seed);
  for (let kill = 0; kill < kills; kill += 1) {
    await pause(3_000 + random() * 12_000, null, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const place = Math.floor(random() * workers.length);
    workers[place]?.kill('SIGKILL');
    workers[place] = await stage.startWorker();
  }
}

/** One subscription of 5,000 requests an hour, 10 at once, by 1, 2 and 4 workers. @returns whether requests were few */
async function large(kit: TemporalKit): Promise<boolean> {
  const [events, pageSize, answerMs] = [
    Number(values.events),
    Number(values['page-size']),
    Number(values['answer-ms']),
  ];
  const slots = Number(values.slots);
  const range = { startMs: endMs - 28 * MS_PER_DAY, endMs };
  const lowerBound = Math.ceil(events / pageSize);
  const limit = { requests: Math.max(5_000, 2 * lowerBound), windowSeconds: 3_600 };
  const settings = { subscriptions: ['large'], events, range, limit, pageSize, answerMs };
  let first: number | null = null;
  let isFew = true;
  for (const count of values.workers.split(',').map(Number)) {
    const stage = await openScaleStage(kit, { ...settings, requestsAtOnce: AT_ONCE, slots });
    try {
      const workers = await Promise.all(Array.from({ length: count }, stage.startWorker));
      const before = await cpuSecondsOf(workers);
      const startedMs = performance.now();
      const days = ['--from', dayOf(range.startMs), '--to', dayOf(endMs - MS_PER_DAY)];
      const { exitCode, stderr } = await stage.start('backfill', ...days, '--subscription', 'large').ended;
      const tookMs = performance.now() - startedMs;
      const cpuMs = ((await cpuSecondsOf(workers)) - before) * MS_PER_SECOND;
      if (exitCode !== 0) throw new Error(`the backfill ended with ${exitCode}: ${stderr}`);
      const compared = await stage.compare('large');
      first ??= tookMs;
      const share = compared.requests / lowerBound;
      isFew &&= share <= 1.05;
      const percent = (part: number) => `${Math.round(part * 100)} %`;
      say(
        `${count} workers with ${slots} slots: ${durationText(tookMs)}, ${(first / tookMs).toFixed(2)} times as fast, ` +
          `${share.toFixed(3)} requests for each of the lower bound; ` +
          `${compared.meanAtOnce.toFixed(1)} of ${AT_ONCE} requests at once; the limit alone makes that ` +
          `${durationText((compared.requests * answerMs) / AT_ONCE)}, and a worker was at the processor for ` +
          `${percent(cpuMs / count / tookMs)} of the time`,
      );
      say(`\n${tableOf([compared])}`);
    } finally {
      await stage.close();
    }
  }
  return isFew;
}

async function cpuSecondsOf(workers: readonly EdrlakeProcess[]): Promise<number> {
  return sum(await Promise.all(workers.map((worker) => worker.cpuSeconds())), (seconds) => seconds);
}
