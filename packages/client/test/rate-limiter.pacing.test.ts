import type { RunEvent } from '@edrlake/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRateLimiter, type RequestPermit } from '../src/index.ts';
import { createFakeClock } from './fake-clock.ts';
import { densest, NEVER, NOTHING, START } from './shared-stage.ts';

describe('a rate limiter', () => {
  it('never grants more than the limit in any window, however slow the answers are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.record({ idleMs: fc.nat(9000), answerMs: fc.nat(20_000), hasAnswer: fc.boolean() }), {
          maxLength: 30,
        }),
        async (requests, windowSeconds, calls) => {
          const clock = createFakeClock(START, false);
          const budget = createRateLimiter({ requests, windowSeconds }, { clock, emit: () => {} });
          const sentAtMs: number[] = [];
          const countedAtMs: number[] = [];
          const work = calls.map(async ({ answerMs, hasAnswer, idleMs }, index) => {
            await clock.sleep(idleMs * index, NEVER);
            const permit = await budget.acquire(NEVER);
            sentAtMs.push(clock.nowMs());
            // The server may count the request at any moment until its answer.
            await clock.sleep(answerMs, NEVER);
            countedAtMs.push(clock.nowMs());
            permit.answered(hasAnswer ? NOTHING : null);
          });
          const all = Promise.all(work);
          await clock.advance(100_000_000);
          await all;
          expect(sentAtMs).toHaveLength(calls.length);
          expect(densest(sentAtMs, windowSeconds * 1000)).toBeLessThanOrEqual(requests);
          expect(densest(countedAtMs, windowSeconds * 1000)).toBeLessThanOrEqual(requests);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('stays under the limit of a server that others use, too', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 8 }),
        fc.array(fc.nat(3), { minLength: 1, maxLength: 25 }),
        async (requests, others) => {
          const windowMs = 60_000;
          const clock = createFakeClock(START, false);
          const budget = createRateLimiter(null, { clock, emit: () => {} });
          const usedAtMs: number[] = [];
          const used = () => usedAtMs.filter((ms) => ms > clock.nowMs() - windowMs).length;
          const work = async () => {
            for (const [index, foreign] of others.entries()) {
              const permit = await budget.acquire(NEVER);
              // The first request is sent before anything is known about the others.
              if (index > 0) expect(used()).toBeLessThan(requests);
              usedAtMs.push(clock.nowMs());
              for (let n = 0; n < foreign && used() < requests; n++) usedAtMs.push(clock.nowMs());
              permit.answered({ ...NOTHING, requests, windowSeconds: 60, remaining: requests - used() });
            }
          };
          const all = work();
          await clock.advance(100_000_000);
          await all;
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is granted in the order of asking', async () => {
    const clock = createFakeClock(START, false);
    const budget = createRateLimiter({ requests: 1, windowSeconds: 10 }, { clock, emit: () => {} });
    const order: number[] = [];
    const all = Promise.all(
      [0, 1, 2, 3].map(async (n) => {
        (await budget.acquire(NEVER)).answered(null);
        order.push(n);
      }),
    );
    await clock.advance(30_000);
    await all;
    expect(order).toEqual([0, 1, 2, 3]);
    expect(clock.nowMs()).toBe(START + 30_000);
  });

  it('grants all that the limit allows at once, and the next one when the window has passed', async () => {
    const clock = createFakeClock(START, false);
    const budget = createRateLimiter({ requests: 5, windowSeconds: 10 }, { clock, emit: () => {} });
    const grantedAfterMs: number[] = [];
    const all = Promise.all(
      Array.from({ length: 6 }, async () => {
        (await budget.acquire(NEVER)).answered(null);
        grantedAfterMs.push(clock.nowMs() - START);
      }),
    );
    await clock.advance(10_000);
    expect(grantedAfterMs).toEqual([0, 0, 0, 0, 0, 10_000]);
    await all;
    expect(budget.requestsLeft()).toBe(4);
  });

  it('lets the next one pass when the first in the queue gives up', async () => {
    const clock = createFakeClock(START, false);
    const budget = createRateLimiter({ requests: 1, windowSeconds: 10 }, { clock, emit: () => {} });
    (await budget.acquire(NEVER)).answered(null);
    const abort = new AbortController();
    const first = budget.acquire(abort.signal);
    const second = budget.acquire(NEVER);
    abort.abort(new DOMException('enough', 'AbortError'));
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    await clock.advance(10_000);
    (await second).unused();
    expect(budget.requestsLeft()).toBe(1);
  });

  it('waits for an answer, not for time, while requests in flight use up the limit', async () => {
    const clock = createFakeClock(START, false);
    const events: RunEvent[] = [];
    const budget = createRateLimiter({ requests: 2, windowSeconds: 10 }, { clock, emit: (e) => events.push(e) });
    const first = await budget.acquire(NEVER);
    await budget.acquire(NEVER);
    let third: RequestPermit | null = null;
    const waiting = budget.acquire(NEVER).then((permit) => {
      third = permit;
    });
    await clock.advance(3_600_000);
    expect(third).toBeNull();
    first.answered(null);
    await clock.advance(9_999);
    expect(third).toBeNull();
    await clock.advance(1);
    await waiting;
    expect(events).toMatchObject([
      { type: 'pace', reason: 'rate-limit', delayMs: null },
      { type: 'pace', reason: 'rate-limit', delayMs: 10_000 },
      { type: 'pace-end', reason: 'rate-limit', waitedMs: 3_610_000 },
    ]);
  });

  it('replaces an earlier number of the server with a later one', async () => {
    const clock = createFakeClock(START, false);
    const budget = createRateLimiter(null, { clock, emit: () => {} });
    const facts = { ...NOTHING, requests: 300, windowSeconds: 3600 };
    (await budget.acquire(NEVER)).answered({ ...facts, remaining: 3 });
    expect(budget.requestsLeft()).toBe(3);
    (await budget.acquire(NEVER)).answered({ ...facts, remaining: 200 });
    expect(budget.requestsLeft()).toBe(200);
  });

  it('trusts the answer of the later request when answers overtake each other', async () => {
    const clock = createFakeClock(START, false);
    const budget = createRateLimiter(null, { clock, emit: () => {} });
    const early = await budget.acquire(NEVER);
    const late = await budget.acquire(NEVER);
    late.answered({ ...NOTHING, remaining: 10 });
    early.answered({ ...NOTHING, remaining: 250 });
    expect(budget.requestsLeft()).toBeLessThanOrEqual(10);
  });

  it('does not stop for hours when the machine’s clock is set back', async () => {
    const clock = createFakeClock(START, false);
    const budget = createRateLimiter({ requests: 1, windowSeconds: 10 }, { clock, emit: () => {} });
    (await budget.acquire(NEVER)).answered(null);
    clock.set(START - 86_400_000);
    const next = budget.acquire(NEVER);
    await clock.advance(10_000);
    (await next).answered(null);
    expect(clock.nowMs()).toBe(START - 86_400_000 + 10_000);
  });
});

it.each([
  ['without a time', {}],
  ['and nothing to wait for', { toWaitMs: 0 }],
  ['for years', { toWaitMs: 999_999_999_000 }],
])(
  'a gateway that always says that nothing is left, %s, holds a request back for a minute at most',
  async (_, more) => {
    const clock = createFakeClock(START, false);
    const events: RunEvent[] = [];
    const budget = createRateLimiter(null, { clock, emit: (event) => events.push(event) });
    for (let nth = 0; nth < 3; nth += 1) {
      const startedAtMs = clock.nowMs();
      const next = budget.acquire(NEVER);
      if (nth > 0) await clock.advance(60_000);
      (await next).answered({ ...NOTHING, remaining: 0, ...more });
      expect(clock.nowMs() - startedAtMs).toBe(nth === 0 ? 0 : 60_000);
    }
    const wait = { reason: 'rate-limit', delayMs: 60_000 };
    const ofOne = [
      { ...wait, type: 'pace' },
      { type: 'pace-end', reason: 'rate-limit', waitedMs: 60_000 },
    ];
    expect(events).toMatchObject([...ofOne, ...ofOne]);
  },
);

it('an absurd header costs no memory: a limit of a billion counts as one that is never reached', async () => {
  const clock = createFakeClock(START, false);
  const budget = createRateLimiter(null, { clock, emit: () => {} });
  (await budget.acquire(NEVER)).answered({ ...NOTHING, requests: 999_999_999, remaining: 0, toWaitMs: 5_000 });
  expect(budget.requestsLeft()).toBe(0);
  const next = budget.acquire(NEVER);
  await clock.advance(5_000);
  (await next).unused();
  expect(budget.requestsLeft()).toBeGreaterThan(1_000);
});
