import { expect, it } from 'vitest';
import type { SharedLimiter } from '../src/index.ts';
import { NEVER, oneRequest, START, shareBudget } from './shared-stage.ts';

const userLimit = { requests: 30, windowSeconds: 60 };
const patienceMs = () => 15_000;

function reserve(limiter: SharedLimiter, requests: number) {
  if (limiter.reserve === undefined) throw new Error('there are no reservations');
  return limiter.reserve(requests);
}

it('work begins only if its requests are free, and says when they and those of beginning again are', async () => {
  const { open, clock } = await shareBudget();
  const limiter = await open({ userLimit, concurrency: 2, patienceMs });
  for (let sent = 0; sent < 25; sent += 1) {
    await oneRequest(limiter);
    await clock.advance(1_000);
  }
  // Five are left; a sixth is free in 35 seconds, and eleven by 5 seconds later.
  const sixth = await reserve(limiter, 6).catch((thrown: unknown) => thrown);
  expect(sixth).toMatchObject({
    code: 'REQUESTS_SPENT',
    message: 'work of 6 requests may not begin before 2026-01-01T00:01:00.000Z',
    context: { untilMs: START + 60_000, readyAtMs: START + 65_000 },
  });
  const fitting = await reserve(limiter, 5);
  // All that is left is for that work.
  await expect(reserve(limiter, 1)).rejects.toMatchObject({ code: 'REQUESTS_SPENT' });
  fitting.end();
  (await reserve(limiter, 1)).end();
  await limiter.close();
});

it('requests of work that has begun wait as long as it takes', async () => {
  const { open, clock } = await shareBudget();
  const limiter = await open({ userLimit, concurrency: 2, patienceMs });
  const work = await reserve(limiter, 20);
  for (let sent = 0; sent < 30; sent += 1) await oneRequest(limiter);
  const waiting = oneRequest(limiter);
  await clock.advance(60_000);
  await waiting;
  work.end();
  for (let sent = 0; sent < 29; sent += 1) await oneRequest(limiter);
  await expect(limiter.acquire(NEVER)).rejects.toMatchObject({ code: 'REQUESTS_SPENT' });
  await limiter.close();
});

it('two processes do not both begin with the same requests, and a dead one reserves none', async () => {
  const { open, kill, clock } = await shareBudget();
  const one = await open({ pid: 1, userLimit, concurrency: 2, patienceMs });
  const other = await open({ pid: 2, userLimit, concurrency: 2, patienceMs });
  await reserve(one, 20);
  await expect(reserve(other, 11)).rejects.toMatchObject({ code: 'REQUESTS_SPENT' });
  // What the first one has sent counts once.
  for (let sent = 0; sent < 15; sent += 1) await oneRequest(one);
  (await reserve(other, 10)).end();
  await expect(reserve(other, 11)).rejects.toMatchObject({ code: 'REQUESTS_SPENT' });
  kill(1);
  await clock.advance(1_000);
  (await reserve(other, 15)).end();
  await other.close();
});

it('work that no wait would make fit begins with the first free request, and is never begun in vain', async () => {
  const { open, clock } = await shareBudget();
  const limiter = await open({ userLimit, concurrency: 2, patienceMs });
  for (const requests of [26, 90]) {
    const work = await reserve(limiter, requests);
    for (let sent = 0; sent < requests; sent += 1) {
      const request = oneRequest(limiter);
      await clock.advance(3_000);
      await request;
    }
    work.end();
  }
  await limiter.close();
});

it('without a bound of patience nothing is reserved', async () => {
  const { open } = await shareBudget();
  const limiter = await open({ userLimit });
  expect(limiter.reserve).toBeUndefined();
  await limiter.close();
});
