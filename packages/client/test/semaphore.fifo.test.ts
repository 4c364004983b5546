import { describe, expect, it } from 'vitest';
import { createSemaphore } from '../src/rate-limit/semaphore.ts';

const NEVER = new AbortController().signal;

describe('a concurrency gate', () => {
  it('lets in as many as allowed, the others in order', async () => {
    const gate = createSemaphore(2);
    const order: number[] = [];
    const leave = await Promise.all([gate.enter(NEVER), gate.enter(NEVER)]);
    const waiting = [3, 4, 5].map((n) =>
      gate.enter(NEVER).then((leaveNow) => {
        order.push(n);
        return leaveNow;
      }),
    );
    expect(order).toEqual([]);
    leave[0]?.();
    leave[0]?.();
    const third = await waiting[0]!;
    expect(order).toEqual([3]);
    third();
    (await waiting[1]!)();
    await waiting[2];
    expect(order).toEqual([3, 4, 5]);
  });

  it('forgets who gave up', async () => {
    const gate = createSemaphore(1);
    const leave = await gate.enter(NEVER);
    const abort = new AbortController();
    const quitter = gate.enter(abort.signal);
    const patient = gate.enter(NEVER);
    abort.abort(new DOMException('enough', 'AbortError'));
    await expect(quitter).rejects.toMatchObject({ name: 'AbortError' });
    await expect(gate.enter(abort.signal)).rejects.toMatchObject({ name: 'AbortError' });
    leave();
    await patient;
  });

  it('admits more at once when the limit rises, and fewer when it falls, but always one', async () => {
    const gate = createSemaphore(1);
    const first = await gate.enter(NEVER);
    const second = gate.enter(NEVER);
    gate.setLimit(2);
    const leaveSecond = await second;
    gate.setLimit(0);
    expect(gate.limit()).toBe(1);
    let isIn = false;
    const third = gate.enter(NEVER).then(() => {
      isIn = true;
    });
    first();
    await new Promise((resolve) => setImmediate(resolve));
    expect(isIn).toBe(false);
    leaveSecond();
    await third;
  });
});
