import { EdrlakeError } from '@edrlake/core';
import { expect, it } from 'vitest';
import { NEVER, oneRequest, START, shareBudget } from './shared-stage.ts';

const userLimit = { requests: 6, windowSeconds: 60 };

it('a request that would wait longer than its work may fails, and says when a third of the limit is free', async () => {
  const { open, clock } = await shareBudget();
  let patienceMs = 15_000;
  const limiter = await open({ userLimit, concurrency: 2, patienceMs: () => patienceMs });
  for (let sent = 0; sent < 6; sent += 1) {
    await oneRequest(limiter);
    await clock.advance(2_000);
  }
  const refused = await limiter.acquire(NEVER).catch((thrown: unknown) => thrown);
  expect(refused).toBeInstanceOf(EdrlakeError);
  // The second of the six requests that count was answered after two seconds.
  expect(refused).toMatchObject({
    code: 'REQUESTS_SPENT',
    context: { untilMs: START + 60_000, readyAtMs: START + 62_000 },
  });
  // Nothing is left of it: with more patience the same request waits its turn.
  patienceMs = Number.POSITIVE_INFINITY;
  const waiting = oneRequest(limiter);
  await clock.advance(48_000);
  await waiting;
  expect(clock.nowMs()).toBe(START + 60_000);
  await limiter.close();
});

it('a wait within the patience is waited for', async () => {
  const { open, clock } = await shareBudget();
  const limiter = await open({ userLimit: { requests: 1, windowSeconds: 10 }, patienceMs: () => 15_000 });
  await oneRequest(limiter);
  const waiting = oneRequest(limiter);
  await clock.advance(10_000);
  await waiting;
  await limiter.close();
});
