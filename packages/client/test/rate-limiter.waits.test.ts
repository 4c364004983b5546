import type { RunEvent } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { createRateLimiter } from '../src/index.ts';
import { createFakeClock } from './fake-clock.ts';
import { isSettled, NEVER, NOTHING, START, shareBudget } from './shared-stage.ts';

/** A limiter of one process in virtual time. */
function limiterOf(requests: number, maxConcurrency: number) {
  const clock = createFakeClock(START, false);
  const events: RunEvent[] = [];
  const userLimit = { requests, windowSeconds: 10 };
  const limiter = createRateLimiter(userLimit, { clock, emit: (event) => events.push(event) }, maxConcurrency);
  return { clock, events, limiter };
}

const wait = (reason: string) => ({ type: 'pace', reason, delayMs: null, untilMs: null });
const over = (reason: string, waitedMs: number) => ({ type: 'pace-end', reason, waitedMs });

describe('a request that waits for its turn reports what it waits for', () => {
  it('the concurrency of this process, until a request ends', async () => {
    const { events, limiter, clock } = limiterOf(100, 1);
    const permit = await limiter.acquire(NEVER);
    const next = limiter.acquire(NEVER);
    permit.answered(NOTHING);
    expect(await isSettled(next)).toBe(false);
    expect(events).toEqual([wait('concurrency')]);
    permit.ended();
    await next;
    expect(events).toEqual([wait('concurrency'), over('concurrency', 0)]);
    expect([clock.nowMs(), clock.sleeps]).toEqual([START, []]);
  });

  it('the rate limit of the subscription, with its end as soon as that is known', async () => {
    const { events, limiter, clock } = limiterOf(1, 2);
    const permit = await limiter.acquire(NEVER);
    const next = limiter.acquire(NEVER);
    await isSettled(next);
    permit.answered(null);
    permit.ended();
    await clock.advance(10_000);
    await next;
    const untilMs = START + 10_000;
    expect(events).toEqual([
      wait('rate-limit'),
      { type: 'pace', reason: 'rate-limit', delayMs: 10_000, untilMs },
      over('rate-limit', 10_000),
    ]);
  });

  it('the time that the server asked for', async () => {
    const { events, limiter, clock } = limiterOf(100, 2);
    limiter.blockUntil(START + 45_000);
    const next = limiter.acquire(NEVER);
    await clock.advance(45_000);
    await next;
    expect(events).toEqual([
      { type: 'pace', reason: 'server-asked', delayMs: 45_000, untilMs: START + 45_000 },
      over('server-asked', 45_000),
    ]);
  });

  it('a wait that is given up is over, and one that never began has no event', async () => {
    const { events, limiter } = limiterOf(100, 1);
    const permit = await limiter.acquire(NEVER);
    const abort = new AbortController();
    const [head, behind] = [limiter.acquire(abort.signal), limiter.acquire(abort.signal)];
    await isSettled(head);
    abort.abort(new DOMException('enough', 'AbortError'));
    await expect(head).rejects.toMatchObject({ name: 'AbortError' });
    await expect(behind).rejects.toMatchObject({ name: 'AbortError' });
    await isSettled(limiter.acquire(abort.signal));
    expect(events).toEqual([wait('concurrency'), over('concurrency', 0)]);
    permit.unused();
    permit.ended();
  });

  it('requests of another process, once the wait has lasted for two seconds', async () => {
    const { open, clock, events } = await shareBudget();
    const [holder, waiter] = [await open({ concurrency: 1 }), await open({ concurrency: 1 })];
    const permit = await holder.acquire(NEVER);
    const next = waiter.acquire(NEVER);
    await clock.advance(1_900);
    expect(events).toEqual([]);
    await clock.advance(1_000);
    expect(events).toEqual([wait('other-process')]);
    permit.answered(null);
    permit.ended();
    await clock.advance(1_000);
    await next;
    expect(events.slice(1)).toMatchObject([{ type: 'pace-end', reason: 'other-process' }]);
  });

  it('the concurrency of this process under a shared limiter, without a look at the shared file', async () => {
    const { open, events, versions } = await shareBudget();
    const limiter = await open({ concurrency: 1 });
    const permit = await limiter.acquire(NEVER);
    const before = await versions();
    const next = limiter.acquire(NEVER);
    expect(await isSettled(next)).toBe(false);
    expect(events).toEqual([wait('concurrency')]);
    expect(await versions()).toEqual(before);
    permit.answered(null);
    permit.ended();
    await next;
  });
});

describe('the concurrency limit of a rate limiter', () => {
  it('admits up to the limit, the others in their order', async () => {
    const { limiter } = limiterOf(100, 2);
    const order: number[] = [];
    const [first, second] = [await limiter.acquire(NEVER), await limiter.acquire(NEVER)];
    const waiting = [3, 4, 5].map(async (n) => {
      const permit = await limiter.acquire(NEVER);
      order.push(n);
      permit.answered(null);
      return permit;
    });
    expect(order).toEqual([]);
    first.answered(null);
    first.ended();
    const third = await waiting[0];
    expect(order).toEqual([3]);
    third?.ended();
    second.unused();
    second.ended();
    await Promise.all(waiting);
    expect(order).toEqual([3, 4, 5]);
  });

  it('an aborted waiter leaves the queue', async () => {
    const { limiter } = limiterOf(100, 1);
    const permit = await limiter.acquire(NEVER);
    const abort = new AbortController();
    const aborted = limiter.acquire(abort.signal);
    const patient = limiter.acquire(NEVER);
    abort.abort(new DOMException('enough', 'AbortError'));
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
    await expect(limiter.acquire(abort.signal)).rejects.toMatchObject({ name: 'AbortError' });
    permit.unused();
    permit.ended();
    await patient;
  });

  it('is lowered by an answer, never raised above its start, and lets running requests finish', async () => {
    const { limiter } = limiterOf(100, 2);
    const permits = [await limiter.acquire(NEVER), await limiter.acquire(NEVER)] as const;
    permits[0].answered({ ...NOTHING, concurrency: 1 });
    expect(limiter.concurrency()).toBe(1);
    const next = limiter.acquire(NEVER);
    permits[0].ended();
    expect(await isSettled(next)).toBe(false);
    permits[1].answered({ ...NOTHING, concurrency: 50 });
    expect(limiter.concurrency()).toBe(2);
    permits[1].ended();
    await next;
  });
});
