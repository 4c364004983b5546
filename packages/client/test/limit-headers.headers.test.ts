import { describe, expect, it } from 'vitest';
import { readLimits, showsLimit } from '../src/sliding-window/limit-headers.ts';

const NOW = Date.UTC(2026, 0, 1, 12);

describe('limit headers', () => {
  it.each(['x-ratelimit', 'x-rate-limit'])('are read in the spelling %s-…', (name) => {
    const facts = readLimits(
      {
        [`${name}-limit`]: '300',
        [`${name}-window-sec`]: '3600',
        [`${name}-remaining`]: '12',
        [`${name}-towait-sec`]: '0',
      },
      NOW,
    );
    expect(facts).toMatchObject({ requests: 300, windowSeconds: 3600, remaining: 12, toWaitMs: 0 });
  });

  it.each(['x-concurrencylimit', 'x-concurrency-limit'])('are read in the spelling %s-…', (name) => {
    expect(readLimits({ [`${name}-limit`]: '2', [`${name}-running`]: '1' }, NOW)).toMatchObject({
      concurrency: 2,
      running: 1,
    });
  });

  it('count as absent when they are empty, garbage or impossible', () => {
    const absent = {
      requests: null,
      windowSeconds: null,
      remaining: null,
      toWaitMs: null,
      concurrency: null,
      running: null,
    };
    for (const garbage of ['', ' ', 'unlimited', '-1', '1e3', 'NaN', '99999999999999999999', '0x10']) {
      const names = ['limit', 'window-sec', 'remaining', 'towait-sec'].map((part) => `x-ratelimit-${part}`);
      const more = ['x-concurrencylimit-limit', 'x-concurrencylimit-running', 'retry-after'];
      expect(readLimits(Object.fromEntries([...names, ...more].map((name) => [name, garbage])), NOW)).toMatchObject(
        absent,
      );
    }
    expect(readLimits({ 'x-ratelimit-limit': '0', 'x-concurrencylimit-limit': '0' }, NOW)).toMatchObject(absent);
    expect(readLimits({}, NOW)).toMatchObject({ ...absent, serverAtMs: null });
  });

  it.each([
    ['no request at all', { limit: '0' }, ['x-ratelimit-limit: 0']],
    ['one request an hour', { limit: '1', 'window-sec': '3600' }, ['x-ratelimit-limit: 1 in 3600 s']],
    ['one request without a window', { limit: '1' }, ['x-ratelimit-limit: 1 in 3600 s']],
    ['a window in milliseconds', { limit: '300', 'window-sec': '3600000' }, ['x-ratelimit-limit: 300 in 3600000 s']],
    [
      'a window of years',
      { limit: '999999999', 'window-sec': '99999999' },
      ['x-ratelimit-limit: 999999999 in 99999999 s'],
    ],
    ['a negative rest', { remaining: '-1' }, ['x-ratelimit-remaining: -1']],
    ['words', { 'towait-sec': 'soon' }, ['x-ratelimit-towait-sec: soon']],
  ] as const)('are not used if they make no sense, and are named: %s', (_, headers, unusable) => {
    const named = Object.fromEntries(Object.entries(headers).map(([name, text]) => [`x-ratelimit-${name}`, text]));
    const facts = readLimits(named, NOW);
    expect(facts).toMatchObject({ requests: null, windowSeconds: null, remaining: null, toWaitMs: null, unusable });
  });

  it('keep the smallest limit that a subscription has, and say nothing of usable ones', () => {
    const facts = readLimits({ 'x-ratelimit-limit': '50', 'x-ratelimit-window-sec': '86400' }, NOW);
    expect(facts).toMatchObject({ requests: 50, windowSeconds: 86_400 });
    expect(facts.unusable).toBeUndefined();
  });

  it('take an instant for the wait until then, in seconds or milliseconds of the epoch', () => {
    const inAMinute = NOW + 60_000;
    for (const text of [String(inAMinute), String(inAMinute / 1_000)]) {
      expect(readLimits({ 'x-ratelimit-towait-sec': text }, NOW).toWaitMs).toBe(60_000);
      expect(readLimits({ 'retry-after': text }, NOW).toWaitMs).toBe(60_000);
    }
    expect(readLimits({ 'retry-after': String(NOW / 1_000 - 5) }, NOW).toWaitMs).toBe(0);
    expect(readLimits({ 'retry-after': '9999999999' }, NOW).toWaitMs).toBeNull();
  });

  it('fall through to the other spelling when the first is empty, and take the first of repeated ones', () => {
    expect(
      readLimits({ 'x-concurrencylimit-limit': '', 'x-concurrency-limit-limit': ['3', '9'] }, NOW).concurrency,
    ).toBe(3);
  });

  it('take the longer wait of the two ways to ask for one', () => {
    expect(readLimits({ 'x-ratelimit-towait-sec': '7', 'retry-after': '30' }, NOW).toWaitMs).toBe(30_000);
    expect(readLimits({ 'x-ratelimit-towait-sec': '70', 'retry-after': '30' }, NOW).toWaitMs).toBe(70_000);
    expect(readLimits({ 'retry-after': '1.5' }, NOW).toWaitMs).toBe(1500);
  });

  it('compare a Retry-After date with the clock of the server, not with a wrong one here', () => {
    const headers = { 'retry-after': 'Thu, 01 Jan 2026 12:01:00 GMT' };
    expect(readLimits(headers, NOW).toWaitMs).toBe(60_000);
    expect(readLimits({ ...headers, date: 'Thu, 01 Jan 2026 12:00:30 GMT' }, NOW - 86_400_000).toWaitMs).toBe(30_000);
    expect(readLimits({ 'retry-after': 'Thu, 01 Jan 2026 11:00:00 GMT' }, NOW).toWaitMs).toBe(0);
    expect(readLimits({ 'retry-after': '2026' }, NOW).toWaitMs).toBe(2_026_000);
  });
});

describe('evidence that a 409 is about limits', () => {
  it.each([
    [{ 'retry-after': '5' }, true],
    [{ 'x-ratelimit-towait-sec': '12' }, true],
    [{ 'x-ratelimit-limit': '300', 'x-ratelimit-remaining': '0' }, true],
    [{ 'x-ratelimit-limit': '300' }, true],
    [{ 'x-ratelimit-remaining': '200', 'x-concurrencylimit-limit': '2', 'x-concurrencylimit-running': '2' }, true],
    [{ 'x-ratelimit-limit': '300', 'x-ratelimit-remaining': '200', 'x-ratelimit-towait-sec': '0' }, false],
    [{ 'x-concurrencylimit-limit': '2', 'x-concurrencylimit-running': '1' }, false],
    [{ 'x-ratelimit-limit': '' }, false],
    [{}, false],
  ])('%j: %s', (headers, expected) => {
    expect(showsLimit(readLimits(headers, NOW))).toBe(expected);
  });
});
