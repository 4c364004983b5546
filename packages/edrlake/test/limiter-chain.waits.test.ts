import { createRateLimiter } from '@edrlake/client';
import { type RunEvent, systemClock } from '@edrlake/core';
import { expect, it } from 'vitest';
import { limiterChain } from '../src/source/limiter-chain.ts';

it('of several requests only the head of the queue waits, and its event names what holds back all of them', async () => {
  const events: RunEvent[] = [];
  const tools = { clock: systemClock, emit: (event: RunEvent) => events.push(event) };
  const chain = limiterChain(createRateLimiter(null, tools, 2), systemClock);
  chain.add(createRateLimiter({ requests: 1, windowSeconds: 3_600 }, tools));
  const ended = new AbortController();
  const permit = await chain.acquire(ended.signal);
  const waiting = [1, 2, 3].map(() => chain.acquire(ended.signal).catch((thrown: unknown) => thrown));
  permit.answered(null);
  permit.ended();
  await new Promise((resolve) => setImmediate(resolve));
  const reasons = events.map((event) => event.type === 'pace' && event.reason);
  expect(new Set(reasons)).toEqual(new Set(['rate-limit']));
  // What was given up leaves its permits: the first limiter has both of its slots again.
  const enough = new DOMException('enough', 'AbortError');
  ended.abort(enough);
  expect(await Promise.all(waiting)).toEqual([enough, enough, enough]);
  expect(events.at(-1)).toMatchObject({ type: 'pace-end', reason: 'rate-limit' });
  expect(chain.requestsLeft()).toBe(0);
});
