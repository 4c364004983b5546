import { EdrlakeError } from '@edrlake/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RetryRules, withRetry } from '../src/http/retry.ts';
import { createFakeClock } from './fake-clock.ts';
import { failureOf } from './gateway.ts';

const NEVER = new AbortController().signal;
const later = (waitMs?: number) =>
  new EdrlakeError('SERVER_ERROR', 'busy', { disposition: 'retry', context: waitMs === undefined ? {} : { waitMs } });

function rules(part: Partial<RetryRules> = {}) {
  const clock = createFakeClock();
  const all: RetryRules = {
    limits: { attempts: 5, totalMs: 900_000 },
    clock,
    random: () => 0.999,
    onRetry: () => {},
    onLimited: async () => {},
    ...part,
  };
  return { clock, rules: all };
}

describe('a retry', () => {
  it('waits longer each time, up to the ceiling, anywhere below it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.double({ min: 0, max: 0.999, noNaN: true }), async (share) => {
        const { clock, rules: given } = rules({ random: () => share, limits: { attempts: 9, totalMs: 9e9 } });
        await failureOf(withRetry(() => Promise.reject(later()), given, NEVER));
        const ceilings = [1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * 1000);
        expect(clock.sleeps).toEqual(ceilings.map((ceilingMs) => Math.round(share * ceilingMs)));
      }),
      { numRuns: 20 },
    );
  });

  it('stops after its attempts and reports their number', async () => {
    const { rules: given } = rules();
    let attempts = 0;
    const error = await failureOf(
      withRetry(
        ({ number }) => {
          attempts++;
          expect(number).toBe(attempts);
          return Promise.reject(later());
        },
        given,
        NEVER,
      ),
    );
    expect(attempts).toBe(5);
    expect(error).toMatchObject({ code: 'SERVER_ERROR', disposition: 'retry', context: { attempts: 5 } });
    expect(error.message).toBe('busy (given up after 5 attempts)');
  });

  it('stops when its time is over, not counting waits in queues', async () => {
    const { clock, rules: given } = rules({ limits: { attempts: 100, totalMs: 30_000 } });
    let attempts = 0;
    await failureOf(
      withRetry(
        async ({ exclude }) => {
          attempts++;
          clock.set(clock.nowMs() + 3_600_000);
          exclude(3_600_000);
          throw later();
        },
        given,
        NEVER,
      ),
    );
    // 1 + 2 + 4 + 8 seconds fit into 30, another 16 do not.
    expect(attempts).toBe(5);
  });

  it('waits at least as long as a server with a problem asks, within reason', async () => {
    const { clock, rules: given } = rules({ limits: { attempts: 3, totalMs: 9e9 } });
    await failureOf(withRetry(() => Promise.reject(later(20_000)), given, NEVER));
    await failureOf(withRetry(() => Promise.reject(later(9e8)), given, NEVER));
    expect(clock.sleeps).toEqual([20_000, 20_000, 300_000, 300_000]);
  });

  it.each(['split', 'reject', 'stop'] as const)('never happens for disposition %s', async (disposition) => {
    const { rules: given } = rules();
    const thrown = new EdrlakeError('FILTER_REJECTED', 'no', { disposition });
    let attempts = 0;
    const failing = () => {
      attempts++;
      return Promise.reject(thrown);
    };
    await expect(withRetry(failing, given, NEVER)).rejects.toBe(thrown);
    expect(attempts).toBe(1);
  });

  it('ends with the abort, also while it waits', async () => {
    const abort = new AbortController();
    const { rules: given } = rules({ onRetry: () => abort.abort(new DOMException('enough', 'AbortError')) });
    let attempts = 0;
    const failing = () => {
      attempts++;
      return Promise.reject(later());
    };
    await expect(withRetry(failing, given, abort.signal)).rejects.toMatchObject({ name: 'AbortError' });
    expect(attempts).toBe(1);
  });
});
