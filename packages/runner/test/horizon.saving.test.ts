import { MS_PER_DAY, MS_PER_HOUR, NO_FILTER, type PlannedWindow, seededRandom, windowOf } from '@edrlake/core';
import { requestsOf } from '@edrlake/pager';
import { expect, it } from 'vitest';
import { type HorizonObservation, oldestOf, retentionOf } from '../src/horizon/retention.ts';
import { scarcestFirst } from '../src/horizon/scarcest-first.ts';

const SEEDS = 200;
const PAGE_SIZE = 1_000;
const WINDOW = 10_000;
/** Days that are added to the backlog; then the nights go on until all is fetched or lost. */
const NIGHTS = 30;

interface World {
  readonly retentionMs: number;
  readonly nights: number;
  readonly windows: readonly PlannedWindow[];
  /** Of each night: half of what all windows need. */
  readonly budget: number;
}

/** A backlog as old as the API remembers, and days that are added to it; weekends, busy days and quiet hours. */
function worldOf(seed: number): World {
  const random = seededRandom(seed);
  const retention = 10 + Math.floor(random() * 15) + random();
  const nights = NIGHTS + Math.ceil(retention) + 1;
  const usual = 500_000 * 2 ** random();
  const windows: PlannedWindow[] = [];
  for (let day = -Math.floor(retention); day < NIGHTS; day += 1) {
    const weekday = ((day % 7) + 7) % 7;
    const events = Math.round(usual * (weekday > 4 ? 0.15 : 1) * 3 ** (random() - 0.5));
    const parts = Math.ceil(events / (WINDOW * (0.5 + 0.5 * random()))) + (random() < 0.2 ? 2 : 0);
    for (let part = 0; part < parts; part += 1) {
      const [startMs, endMs] = [part, part + 1].map((each) => Math.round((day + each / parts) * MS_PER_DAY)) as [
        number,
        number,
      ];
      const count = Math.round((events / parts) * (part === 0 ? 0.3 : 1));
      windows.push({
        window: windowOf({ axis: 'event', range: { startMs, endMs }, cuts: [], scope: NO_FILTER }),
        count,
      });
    }
  }
  const needed = windows.reduce((sum, { count }) => sum + requestsOf(count, PAGE_SIZE), 0);
  return { retentionMs: retention * MS_PER_DAY, nights, windows, budget: Math.floor(needed / nights / 2) };
}

type Order = (
  windows: readonly PlannedWindow[],
  nowMs: number,
  looks: readonly HorizonObservation[],
) => readonly PlannedWindow[];

/**
 * Lives through the nights: each plans what is left and still there, and fetches in its order what the budget holds.
 */
function savedBy(order: Order, { windows, nights, retentionMs, budget }: World): number {
  const fetched = new Set<PlannedWindow>();
  const looks: HorizonObservation[] = [];
  let saved = 0;
  for (let night = 1; night <= nights; night += 1) {
    const nowMs = night * MS_PER_DAY;
    const there = windows.filter(
      ({ window }) => window.range.endMs <= nowMs && window.range.endMs + retentionMs > nowMs,
    );
    const oldestMs = oldestOf(
      there.map(({ window, count }) => {
        const startMs = Math.floor(Math.max(window.range.startMs, nowMs - retentionMs) / MS_PER_HOUR) * MS_PER_HOUR;
        return { range: { startMs, endMs: startMs + MS_PER_HOUR }, count };
      }),
    );
    if (oldestMs !== null) looks.push({ atMs: nowMs, oldestMs });
    const left = there.filter((planned) => !fetched.has(planned));
    // The plan counts what is left of a window of which the first events are gone.
    const fromMs = nowMs - retentionMs;
    const whole = new Map<PlannedWindow, PlannedWindow>();
    const planned = left.map((each) => {
      if (each.window.range.startMs >= fromMs) return each;
      const rest = restOf(each, fromMs);
      whole.set(rest, each);
      return rest;
    });
    let free = budget;
    for (const part of order(planned, nowMs, looks.slice(-14))) {
      const requests = requestsOf(part.count, PAGE_SIZE);
      if (requests > free) continue;
      free -= requests;
      saved += part.count;
      fetched.add(whole.get(part) ?? part);
    }
  }
  return saved;
}

function restOf({ window, count }: PlannedWindow, fromMs: number): PlannedWindow {
  const { startMs, endMs } = window.range;
  const share = (endMs - fromMs) / (endMs - startMs);
  const range = { startMs: Math.ceil(fromMs), endMs };
  return { window: windowOf({ axis: 'event', range, cuts: [], scope: NO_FILTER }), count: Math.round(count * share) };
}

/**
 * No plan saves more, even one that knows all from the start: requests are taken one by one, the most worth first, as
 * long as all that are taken fit between the night when their window is there and the last one on which some of it is.
 * For single requests with such intervals taking the most worth first is optimal; that a window is taken whole, and
 * that it loses events before it is lost, only makes the true optimum smaller.
 */
function bestPossible({ windows, nights, retentionMs, budget }: World): number {
  const intervals = new Map<string, Interval>();
  const groups = windows.map(({ window, count }) => {
    const first = Math.max(1, Math.ceil(window.range.endMs / MS_PER_DAY));
    const last = Math.min(nights, Math.ceil((window.range.endMs + retentionMs) / MS_PER_DAY) - 1);
    const interval = intervals.get(`${first} ${last}`) ?? { first, last, taken: 0 };
    intervals.set(`${first} ${last}`, interval);
    const requests = requestsOf(count, PAGE_SIZE);
    return { interval, requests, worth: count / requests };
  });
  // What is there first is lost first, so taking by deadline decides whether all of it fits.
  const byTime = [...intervals.values()].sort((a, b) => a.first - b.first || a.last - b.last);
  let best = 0;
  for (const { interval, requests, worth } of groups.sort((a, b) => b.worth - a.worth)) {
    const before = interval.taken;
    let [low, high] = [0, requests];
    for (let tried = high; low < high; tried = Math.ceil((low + high) / 2)) {
      interval.taken = before + tried;
      if (allFit(byTime, budget)) low = tried;
      else high = tried - 1;
    }
    interval.taken = before + low;
    best += low * worth;
  }
  return best;
}

/** Nights on which some of a window can be asked for, and the requests that are taken from them. */
interface Interval {
  readonly first: number;
  readonly last: number;
  taken: number;
}

function allFit(byTime: readonly Interval[], budget: number): boolean {
  let [night, free] = [1, budget];
  for (const { first, last, taken } of byTime) {
    if (taken === 0) continue;
    if (first > night) [night, free] = [first, budget];
    const spent = budget - free + taken;
    night += Math.ceil(spent / budget) - 1;
    free = budget * Math.ceil(spent / budget) - spent;
    if (night > last) return false;
  }
  return true;
}

it('with half of the requests that are needed, and a horizon that has to be learned, nearly all that can be saved is', () => {
  const sums = { saved: 0, best: 0 };
  const shares = { scarcest: [] as number[], newest: [] as number[] };
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const world = worldOf(seed);
    const best = bestPossible(world);
    const about = { pageSize: PAGE_SIZE, requestsPerDay: world.budget };
    const learned = savedBy(
      (windows, nowMs, looks) => scarcestFirst(windows, { ...about, nowMs, retentionMs: retentionOf(looks) }),
      world,
    );
    sums.saved += learned;
    sums.best += best;
    shares.scarcest.push(learned / best);
    if (seed > SEEDS / 10) continue;
    const newest = savedBy((windows, nowMs) => scarcestFirst(windows, { ...about, nowMs, retentionMs: null }), world);
    shares.newest.push(newest / best);
  }
  const figures = (values: readonly number[]) => {
    const sorted = values.toSorted((a, b) => a - b);
    const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
    return `${(mean * 100).toFixed(2)} % on average, ${((sorted[0] ?? 0) * 100).toFixed(2)} % at least`;
  };
  process.stdout.write(`of the offline optimum, ${SEEDS} seeds: what is lost first ${figures(shares.scarcest)}\n`);
  process.stdout.write(
    `of the offline optimum, ${shares.newest.length} seeds: newest first ${figures(shares.newest)}\n`,
  );
  expect(sums.saved / sums.best).toBeGreaterThanOrEqual(0.98);
  expect(Math.min(...shares.scarcest)).toBeGreaterThanOrEqual(0.97);
});
