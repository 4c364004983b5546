import { rm } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SharedLimiter } from '../src/index.ts';
import { createFakeClock } from './fake-clock.ts';
import { densest, isSettled, NEVER, NOTHING, oneRequest, START, shareBudget } from './shared-stage.ts';

const limit = (requests: number, windowSeconds: number) => ({ requests, windowSeconds });

describe('a shared rate limiter', () => {
  it('never grants more than the limit in any window, nor more at once, for any process', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(
          fc.record({
            who: fc.nat(2),
            idleMs: fc.nat(9_000),
            answerMs: fc.nat(10_000),
            readMs: fc.nat(2_000),
            end: fc.constantFrom('answered', 'lost', 'unused'),
          }),
          { maxLength: 16 },
        ),
        async (requests, windowSeconds, concurrency, calls) => {
          const clock = createFakeClock(START, false);
          const { open, directory } = await shareBudget(clock);
          const options = { userLimit: limit(requests, windowSeconds), concurrency };
          const budgets = [
            await open({ ...options, priority: 'high' }),
            await open(options),
            await open(options),
          ] as const;
          const countedAtMs: number[] = [];
          const sentAtMs: number[] = [];
          let running = 0;
          const work = calls.map(async ({ who, idleMs, answerMs, readMs, end }, index) => {
            await clock.sleep(idleMs * index, NEVER);
            const permit = await (budgets[who] as SharedLimiter).acquire(NEVER);
            running++;
            expect(running).toBeLessThanOrEqual(concurrency);
            if (end !== 'unused') sentAtMs.push(clock.nowMs());
            await clock.sleep(answerMs, NEVER);
            if (end !== 'unused') countedAtMs.push(clock.nowMs());
            if (end === 'unused') permit.unused();
            else permit.answered(end === 'lost' ? null : NOTHING);
            await clock.sleep(readMs, NEVER);
            running--;
            permit.ended();
          });
          const all = Promise.all(work);
          await clock.advance(2_000_000);
          await all;
          expect(densest(sentAtMs, windowSeconds * 1000)).toBeLessThanOrEqual(requests);
          expect(densest(countedAtMs, windowSeconds * 1000)).toBeLessThanOrEqual(requests);
          for (const budget of budgets) await budget.close();
          await rm(directory, { recursive: true });
        },
      ),
      { numRuns: 25 },
    );
  });

  it('counts requests of other processes, also of dead ones', async () => {
    const { open, clock } = await shareBudget();
    const first = await open({ userLimit: limit(3, 60) });
    await oneRequest(first);
    await oneRequest(first);
    await first.close();
    const second = await open({ userLimit: limit(3, 60) });
    expect(second.requestsLeft()).toBe(1);
    await oneRequest(second);
    const next = second.acquire(NEVER);
    expect(await isSettled(next)).toBe(false);
    await clock.advance(60_000);
    (await next).unused();
    expect(clock.nowMs()).toBe(START + 60_000);
  });

  it('gives the second what the first has learned', async () => {
    const { open } = await shareBudget();
    const first = await open({ concurrency: 4 });
    await oneRequest(first, { ...NOTHING, requests: 1000, windowSeconds: 1800, remaining: 400, concurrency: 1 });
    const second = await open({ concurrency: 4 });
    expect(second.limit()).toEqual(limit(1000, 1800));
    expect(second.requestsLeft()).toBe(400);
    const permit = await second.acquire(NEVER);
    expect(await isSettled(first.acquire(NEVER))).toBe(false);
    permit.unused();
    permit.ended();
  });

  it('makes all wait when the server asks one of them to', async () => {
    const { open, clock, events } = await shareBudget();
    const budgets = [await open(), await open()] as const;
    budgets[0].blockUntil(START + 90_000);
    const next = budgets[1].acquire(NEVER);
    await clock.advance(89_999);
    expect(await isSettled(next)).toBe(false);
    await clock.advance(1);
    await next;
    expect(events).toEqual([
      { type: 'pace', reason: 'server-asked', delayMs: 90_000, untilMs: START + 90_000 },
      { type: 'pace-end', reason: 'server-asked', waitedMs: 90_000 },
    ]);
  });

  it('follows the number of requests left at the server, once for all processes', async () => {
    const { open } = await shareBudget();
    const budgets = [await open(), await open()] as const;
    await oneRequest(budgets[0], { ...NOTHING, requests: 300, windowSeconds: 3600, remaining: 5 });
    await oneRequest(budgets[1], { ...NOTHING, requests: 300, windowSeconds: 3600, remaining: 4 });
    expect(budgets[0].requestsLeft()).toBe(budgets[1].requestsLeft());
    expect(budgets[1].requestsLeft()).toBe(4);
  });

  it('serves each one in the order of arrival, so none starves', async () => {
    const { open, clock } = await shareBudget();
    const budgets = [await open({ concurrency: 1 }), await open({ concurrency: 1 }), await open({ concurrency: 1 })];
    const served = [0, 0, 0];
    const work = budgets.map(async (budget, who) => {
      for (let n = 0; n < 10; n++) {
        await oneRequest(budget, NOTHING, () => clock.sleep(500, NEVER));
        served[who] = (served[who] ?? 0) + 1;
        expect(Math.max(...served) - Math.min(...served)).toBeLessThanOrEqual(2);
      }
    });
    const all = Promise.all(work);
    await clock.advance(60_000);
    await all;
    expect(served).toEqual([10, 10, 10]);
  });

  it('makes no process wait for one that sleeps through its turn', async () => {
    const { open, clock } = await shareBudget();
    const [holder, sleeper, other] = [
      await open({ concurrency: 1 }),
      await open({ concurrency: 1 }),
      await open({ concurrency: 1 }),
    ];
    const permit = await holder.acquire(NEVER);
    const abort = new AbortController();
    const asleep = sleeper.acquire(abort.signal);
    await isSettled(asleep);
    // The process is suspended: time passes without a poll.
    clock.set(clock.nowMs() + 10_000);
    permit.answered(null);
    permit.ended();
    await oneRequest(other);
    abort.abort(new DOMException('enough', 'AbortError'));
    await expect(asleep).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('wakes at once when its own answer makes room', async () => {
    const { open, clock } = await shareBudget();
    const budget = await open({ concurrency: 1 });
    const permit = await budget.acquire(NEVER);
    const next = budget.acquire(NEVER);
    expect(await isSettled(next)).toBe(false);
    permit.answered(null);
    expect(await isSettled(next)).toBe(false);
    permit.ended();
    await next;
    expect(clock.nowMs()).toBe(START);
  });

  it('removes the ticket of a waiter that gives up', async () => {
    const { open } = await shareBudget();
    const [first, second] = [await open({ concurrency: 1 }), await open({ concurrency: 1 })];
    const permit = await first.acquire(NEVER);
    const abort = new AbortController();
    const waiting = second.acquire(abort.signal);
    await isSettled(waiting);
    abort.abort(new DOMException('enough', 'AbortError'));
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    permit.unused();
    permit.ended();
    await oneRequest(first);
    expect(first.requestsLeft()).toBe(299);
  });

  it('ends all waiting when it is closed, and gives its places away', async () => {
    const { open } = await shareBudget();
    const [first, second] = [await open({ concurrency: 1 }), await open({ concurrency: 1 })];
    const permit = await first.acquire(NEVER);
    const waiting = first.acquire(NEVER);
    const failed = expect(waiting).rejects.toMatchObject({ code: 'INTERRUPTED' });
    await first.close();
    await first.close();
    await failed;
    permit.answered(null);
    permit.ended();
    await oneRequest(second);
    // The server may have counted the request that was in flight.
    expect(second.requestsLeft()).toBe(298);
    await expect(first.acquire(NEVER)).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });

  it('keeps a log of thousands of requests small', async () => {
    const { open, clock } = await shareBudget();
    const userLimit = limit(2_000, 3600);
    const budget = await open({ userLimit });
    for (let n = 0; n < 1_500; n++) {
      await oneRequest(budget);
      clock.set(clock.nowMs() + 700);
    }
    expect(budget.requestsLeft()).toBe(500);
    clock.set(START + 3_600_000 - 1);
    expect(budget.requestsLeft()).toBe(500);
    // Combined entries count a little longer, never shorter.
    clock.set(START + 3_600_000 + 1_050_000 + 12_000);
    expect(budget.requestsLeft()).toBe(2_000);
  });

  it('does not stop for hours when the machine’s clock is set back', async () => {
    const { open, clock } = await shareBudget();
    const budgets = [await open({ userLimit: limit(1, 10) }), await open({ userLimit: limit(1, 10) })] as const;
    await oneRequest(budgets[0]);
    clock.set(START - 86_400_000);
    const next = budgets[1].acquire(NEVER);
    await clock.advance(10_000);
    (await next).unused();
    expect(clock.nowMs()).toBe(START - 86_400_000 + 10_000);
  });

  it.each([{ concurrency: 0 }, { userLimit: { requests: 1.5, windowSeconds: 1 } }])(
    'refuses numbers that cannot work: %j',
    async (options) => {
      const { open } = await shareBudget();
      await expect(open(options)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    },
  );
});

describe('priority', () => {
  it('leaves a fifth of the window to a nightly run that is open', async () => {
    const { open } = await shareBudget();
    const backfill = await open({ userLimit: limit(10, 60) });
    const nightly = await open({ userLimit: limit(10, 60), priority: 'high' });
    for (let n = 0; n < 8; n++) await oneRequest(backfill);
    expect([backfill.requestsLeft(), nightly.requestsLeft()]).toEqual([0, 2]);
    await oneRequest(nightly);
    await oneRequest(nightly);
    expect([backfill.requestsLeft(), nightly.requestsLeft()]).toEqual([0, 0]);
  });

  it('the reserve is usable when the nightly run has ended, without waiting for the window', async () => {
    const { open, clock } = await shareBudget();
    const backfill = await open({ userLimit: limit(10, 3600) });
    const nightly = await open({ userLimit: limit(10, 3600), priority: 'high' });
    for (let n = 0; n < 8; n++) await oneRequest(backfill);
    const held = backfill.acquire(NEVER);
    await isSettled(held);
    await nightly.close();
    await clock.advance(6_000);
    (await held).unused();
  });

  it('lets the nightly run go first when there is one place', async () => {
    const { open, clock } = await shareBudget();
    const [running, backfill, nightly] = [
      await open({ concurrency: 1 }),
      await open({ concurrency: 1 }),
      await open({ concurrency: 1, priority: 'high' }),
    ];
    const permit = await running.acquire(NEVER);
    const order: string[] = [];
    const first = oneRequest(backfill).then(() => order.push('backfill'));
    await isSettled(first);
    const second = oneRequest(nightly).then(() => order.push('nightly'));
    await isSettled(second);
    permit.answered(null);
    permit.ended();
    await clock.advance(2_000);
    await Promise.all([first, second]);
    expect(order).toEqual(['nightly', 'backfill']);
  });

  it('always leaves one request to the others, however small the limit', async () => {
    const { open } = await shareBudget();
    await open({ priority: 'high' });
    const backfill = await open({ userLimit: limit(1, 60) });
    await oneRequest(backfill);
    expect(backfill.requestsLeft()).toBe(0);
  });

  it('a nightly run that was killed reserves nothing', async () => {
    const { open, kill, clock } = await shareBudget();
    const backfill = await open({ userLimit: limit(10, 3600) });
    await open({ pid: 99, userLimit: limit(10, 3600), priority: 'high' });
    for (let n = 0; n < 8; n++) await oneRequest(backfill);
    const held = backfill.acquire(NEVER);
    await isSettled(held);
    kill(99);
    await clock.advance(6_000);
    (await held).unused();
  });
});
