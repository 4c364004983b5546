// Contract: what others use of the subscription is known from what the answers say is left, within 5 requests an hour,
// and with a limit that leaves them their share no request is refused.
import { seededRandom } from '@edrlake/core';
import { expect, it } from 'vitest';
import { createSlidingWindow } from '../src/sliding-window/sliding-window.ts';

const HOUR_MS = 3_600_000;
const LIMIT = 300;
const UNSAID = { concurrency: null, running: null, serverAtMs: null };

/** The gateway: a sliding window over the requests of all. */
function gateway() {
  const times: number[] = [];
  return {
    /** @returns what is left, or null where the request is refused */
    ask(nowMs: number): number | null {
      while ((times[0] ?? nowMs) <= nowMs - HOUR_MS) times.shift();
      if (times.length >= LIMIT) return null;
      times.push(nowMs);
      return LIMIT - times.length;
    },
  };
}

it('is estimated within 5 over 1,000 hours in which another client sends 40 to 160, and no request is refused', () => {
  const random = seededRandom(14);
  const server = gateway();
  // A window that spans two hours may hold a few more than 160 of theirs.
  const window = createSlidingWindow({ requests: 100, windowSeconds: 3600 });
  const worst = { error: 0, refused: 0 };
  let nowMs = Date.UTC(2026, 0, 1);
  for (let hour = 0; hour < 1_000; hour++) {
    const endMs = nowMs + HOUR_MS;
    const count = 40 + Math.floor(random() * 121);
    const theirs = Array.from({ length: count }, () => nowMs + random() * HOUR_MS).sort((a, b) => a - b);
    let sentByOthers = 0;
    while (nowMs < endMs) {
      const nextOfOthers = theirs[sentByOthers] ?? Number.POSITIVE_INFINITY;
      const mine = Math.max(nowMs, window.freeAtMs(nowMs)) + 1_000 + random() * 20_000;
      if (nextOfOthers <= mine) {
        nowMs = nextOfOthers;
        sentByOthers++;
        if (server.ask(nowMs) === null) worst.refused++;
        continue;
      }
      if (mine >= endMs) break;
      nowMs = mine;
      if (window.freeAtMs(nowMs) > nowMs) continue;
      const sequence = window.begin();
      const left = server.ask(nowMs);
      if (left === null) worst.refused++;
      const facts = { requests: LIMIT, windowSeconds: 3600, remaining: left ?? 0, toWaitMs: null, ...UNSAID };
      window.end(sequence, facts, nowMs);
    }
    for (; sentByOthers < theirs.length; sentByOthers++)
      if (server.ask(theirs[sentByOthers] ?? 0) === null) worst.refused++;
    nowMs = endMs;
    // The last request of the hour asks what is gone.
    const sequence = window.begin();
    const left = server.ask(nowMs) ?? 0;
    const facts = { requests: LIMIT, windowSeconds: 3600, remaining: left, toWaitMs: null, ...UNSAID };
    window.end(sequence, facts, nowMs);
    worst.error = Math.max(worst.error, Math.abs((window.usedByOthers(nowMs) ?? 0) - count));
  }
  expect(worst.refused).toBe(0);
  expect(worst.error).toBeLessThanOrEqual(5);
});

it('is unknown until an answer says what is left', () => {
  const window = createSlidingWindow(null);
  const silent = { requests: null, windowSeconds: null, remaining: null, toWaitMs: null, ...UNSAID };
  expect(window.usedByOthers(0)).toBeNull();
  window.end(window.begin(), silent, 0);
  expect(window.usedByOthers(0)).toBeNull();
  window.end(window.begin(), { ...silent, requests: 300, windowSeconds: 3600, remaining: 290 }, 1);
  expect(window.usedByOthers(1)).toBe(8);
});
