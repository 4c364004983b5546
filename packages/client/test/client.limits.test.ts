import { describe, expect, it } from 'vitest';
import { createQualysSource } from '../src/index.ts';
import { createFakeClock } from './fake-clock.ts';
import { connect, failureOf, json, NEVER, type Reply, startGateway, status, textOf } from './gateway.ts';

const limitHeaders = (remaining: number, toWait = 0, limit = 300, windowSeconds = 3600) => ({
  'X-RateLimit-Limit': String(limit),
  'X-RateLimit-Window-Sec': String(windowSeconds),
  'X-RateLimit-Remaining': String(remaining),
  'X-RateLimit-ToWait-Sec': String(toWait),
});

describe('an answer over the limit', () => {
  it.each([
    ['429 with ToWait', status(429, '', limitHeaders(0, 120)), 120_000],
    ['409 with limit headers', status(409, '', limitHeaders(0, 90)), 90_000],
    ['429 with Retry-After in seconds', status(429, '', { 'Retry-After': '45' }), 45_000],
    ['409 with Retry-After', status(409, '', { 'Retry-After': '45' }), 45_000],
    [
      '429 with Retry-After as a date',
      status(429, '', { Date: 'Thu, 01 Jan 2026 00:00:00 GMT', 'Retry-After': 'Thu, 01 Jan 2026 00:01:40 GMT' }),
      100_000,
    ],
  ])('%s waits as long as asked, then asks again', async (_, fault, waitMs) => {
    const gateway = await startGateway({ data: [fault, json('{"count":4}')] });
    const { client, clock, events } = connect(gateway.url);
    await client.login(NEVER);
    const startedAtMs = clock.nowMs();
    expect(await client.count({}, NEVER)).toBe(4);
    expect(clock.nowMs() - startedAtMs).toBe(waitMs);
    expect(gateway.data()).toHaveLength(2);
    expect(events).toContainEqual({
      type: 'pace',
      reason: 'server-asked',
      delayMs: waitMs,
      untilMs: startedAtMs + waitMs,
    });
  });

  it('without any hint waits about a minute first, then longer, and gives up as RATE_LIMITED', async () => {
    const gateway = await startGateway({ data: [status(429)] });
    const { client, clock } = connect(gateway.url);
    const startedAtMs = clock.nowMs();
    const error = await failureOf(client.count({}, NEVER));
    expect([error.code, error.disposition]).toEqual(['RATE_LIMITED', 'retry']);
    expect(gateway.data()).toHaveLength(8);
    expect(clock.nowMs() - startedAtMs).toBeGreaterThan(3_600_000);
  });

  it('that asks to wait for a day fails at once and says so', async () => {
    const gateway = await startGateway({ data: [status(429, '', limitHeaders(0, 86_400))] });
    const { client, clock } = connect(gateway.url);
    const error = await failureOf(client.count({}, NEVER));
    expect(error.code).toBe('RATE_LIMITED');
    expect(error.message).toContain('86400 seconds');
    expect(clock.sleeps).toEqual([]);
  });

  it('holds back every other request too', async () => {
    const gateway = await startGateway({ data: [status(429, '', { 'Retry-After': '60' }), json('{"count":1}')] });
    const { client, clock } = connect(gateway.url, { concurrency: 1 });
    const startedAtMs = clock.nowMs();
    await Promise.all([client.count({}, NEVER), client.count({}, NEVER)]);
    expect(clock.nowMs() - startedAtMs).toBe(60_000);
    expect(gateway.data()).toHaveLength(3);
  });

  it('does not use up the attempts of a request', async () => {
    const limited = status(429, '', { 'Retry-After': '600' });
    const gateway = await startGateway({
      data: [limited, status(500), limited, limited, limited, json('{"count":1}')],
    });
    expect(await connect(gateway.url, { retryAttempts: 2, retryTotalMs: 60_000 }).client.count({}, NEVER)).toBe(1);
  });

  it('409 without evidence of a limit is a conflict, sent once', async () => {
    const gateway = await startGateway({ data: [status(409, 'busy', limitHeaders(250))] });
    expect((await failureOf(connect(gateway.url).client.count({}, NEVER))).code).toBe('CONFLICT');
    expect(gateway.data()).toHaveLength(1);
  });
});

describe('pacing', () => {
  /** A gateway that allows `limit` requests in any window and refuses more, on the test's clock. */
  function strict(limit: number, windowMs: number, nowMs: () => number, withHeaders: boolean): Reply {
    const atMs: number[] = [];
    return (_, response) => {
      const now = nowMs();
      const used = atMs.filter((ms) => ms > now - windowMs).length;
      if (used >= limit) {
        response.writeHead(429).end();
        return;
      }
      atMs.push(now);
      const headers = limitHeaders(limit - used - 1, 0, limit, windowMs / 1000);
      response.writeHead(200, withHeaders ? headers : {}).end('{"count":1}');
    };
  }

  it.each([true, false])('never reaches the limit of the server (headers: %s)', async (withHeaders) => {
    const clock = createFakeClock();
    const gateway = await startGateway({ data: [strict(5, 60_000, clock.nowMs, withHeaders)] });
    const { client, events } = connect(gateway.url, { rateLimit: { requests: 5, windowSeconds: 60 } }, clock);
    await Promise.all(Array.from({ length: 23 }, () => client.count({}, NEVER)));
    expect(gateway.data()).toHaveLength(23);
    expect(events.filter((event) => event.type === 'request' && event.status === 429)).toEqual([]);
    expect(events.some((event) => event.type === 'pace' && event.reason === 'rate-limit')).toBe(true);
  });

  it('learns a lower limit from the first answer', async () => {
    const clock = createFakeClock();
    const gateway = await startGateway({ data: [strict(4, 60_000, clock.nowMs, true)] });
    const { client, events } = connect(gateway.url, {}, clock);
    for (let n = 0; n < 14; n++) await client.count({}, NEVER);
    expect(gateway.data()).toHaveLength(14);
    expect(client.limits()).toMatchObject({ requests: 4, windowSeconds: 60, fromHeaders: true });
    expect(events).toContainEqual({ type: 'limits', requests: 4, windowSeconds: 60, concurrency: null });
  });

  it('follows the server when others use the same subscription', async () => {
    const gateway = await startGateway({ data: [json('{"count":1}', limitHeaders(0, 300))] });
    const { client, clock } = connect(gateway.url);
    await client.count({}, NEVER);
    expect(client.limits().requestsLeft).toBe(0);
    const startedAtMs = clock.nowMs();
    await client.count({}, NEVER);
    expect(clock.nowMs() - startedAtMs).toBe(300_000);
  });

  it('a limit of the user is lowered by headers, never raised', async () => {
    const gateway = await startGateway({
      data: [json('{"count":1}', limitHeaders(1999, 0, 2000)), json('{"count":1}', limitHeaders(8, 0, 10))],
    });
    const { client } = connect(gateway.url, { rateLimit: { requests: 100, windowSeconds: 3600 } });
    await client.count({}, NEVER);
    expect(client.limits()).toMatchObject({ requests: 100, requestsLeft: 99 });
    await client.count({}, NEVER);
    expect(client.limits()).toMatchObject({ requests: 10, requestsLeft: 8 });
  });

  it('without a limit of the user headers raise the default', async () => {
    const gateway = await startGateway({ data: [json('{"count":1}', limitHeaders(1999, 0, 2000))] });
    const { client } = connect(gateway.url);
    expect(client.limits()).toMatchObject({ requests: 300, windowSeconds: 3600, fromHeaders: false });
    await client.count({}, NEVER);
    expect(client.limits()).toMatchObject({ requests: 2000, requestsLeft: 1999 });
  });

  it('a wait for the rate limiter ends with the abort', async () => {
    const clock = createFakeClock(undefined, false);
    const gateway = await startGateway({ data: [json('{"count":1}')] });
    const { client } = connect(gateway.url, { rateLimit: { requests: 1, windowSeconds: 60 } }, clock);
    await client.count({}, NEVER);
    const abort = new AbortController();
    const waiting = [client.count({}, abort.signal), client.count({}, abort.signal), client.count({}, abort.signal)];
    abort.abort(new DOMException('enough', 'AbortError'));
    for (const call of waiting) await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    expect(clock.sleeping()).toBe(0);
    expect(gateway.data()).toHaveLength(1);
  });

  it('a token that ends during the wait is renewed before the request goes out', async () => {
    const gateway = await startGateway({ data: [json('{"count":1}')] });
    const { client } = connect(gateway.url, { rateLimit: { requests: 1, windowSeconds: 5 * 3600 } });
    await client.count({}, NEVER);
    await client.count({}, NEVER);
    expect(gateway.logins()).toHaveLength(2);
    const [first, second] = gateway.data();
    expect(second?.headers.authorization).not.toBe(first?.headers.authorization);
  });
});

describe('concurrency', () => {
  /** Answers only when no further request comes in, and records how many there were at once. */
  function crowd(headers: Record<string, string> = {}) {
    const inside = new Set<object>();
    const most: number[] = [];
    const reply: Reply = (request, response) => {
      inside.add(request);
      most.push(inside.size);
      setImmediate(() =>
        setImmediate(() => {
          inside.delete(request);
          response.writeHead(200, headers).end('[]');
        }),
      );
    };
    return { reply, most: () => Math.max(...most) };
  }

  it('is two by default', async () => {
    const { reply, most } = crowd();
    const gateway = await startGateway({ data: [reply] });
    const { client } = connect(gateway.url);
    await Promise.all(Array.from({ length: 12 }, () => client.events({}, textOf, NEVER)));
    expect(most()).toBe(2);
  });

  it.each(['X-ConcurrencyLimit-Limit', 'X-Concurrency-Limit-Limit'])('is lowered by %s', async (name) => {
    const { reply, most } = crowd({ [name]: '1' });
    const gateway = await startGateway({ data: [json('[]', { [name]: '1' }), reply] });
    const { client } = connect(gateway.url, { concurrency: 4 });
    await client.events({}, textOf, NEVER);
    await Promise.all(Array.from({ length: 6 }, () => client.events({}, textOf, NEVER)));
    expect(most()).toBe(1);
    expect(client.limits().concurrency).toBe(1);
  });

  it('is never raised by headers above what was set', async () => {
    const gateway = await startGateway({ data: [json('[]', { 'X-ConcurrencyLimit-Limit': '50' })] });
    const { client } = connect(gateway.url, { concurrency: 3 });
    await client.events({}, textOf, NEVER);
    expect(client.limits().concurrency).toBe(3);
  });

  it('holds the slot until the body is read', async () => {
    const gateway = await startGateway({ data: [json('[]')] });
    const { client } = connect(gateway.url, { concurrency: 1 });
    let isReading = false;
    const read = async (body: AsyncIterable<Uint8Array>) => {
      expect(isReading).toBe(false);
      isReading = true;
      const text = await textOf(body);
      await new Promise((resolve) => setImmediate(resolve));
      isReading = false;
      return text;
    };
    await Promise.all(Array.from({ length: 4 }, () => client.events({}, read, NEVER)));
    expect(gateway.data()).toHaveLength(4);
  });
});

it('each request is reported, with what is left', async () => {
  const gateway = await startGateway({ data: [status(503), json('{"count":1}', limitHeaders(41))] });
  const { client, events } = connect(gateway.url);
  await client.count({}, NEVER);
  const requests = events.filter((event) => event.type === 'request');
  expect(requests).toMatchObject([
    { endpoint: 'auth', status: 201, attempt: 1, requestsLeft: 299 },
    { endpoint: 'count', status: 503, attempt: 1 },
    { endpoint: 'count', status: 200, attempt: 2, requestsLeft: 41 },
  ]);
});

it('the difference of the clocks is learned from the last answer that is a success and not from a cache', async () => {
  const gateway = await startGateway({
    data: [
      json('{"count":1}', { Date: 'Thu, 01 Jan 2026 00:05:00 GMT' }),
      json('{"count":1}', { Date: 'Thu, 01 Jan 2026 09:00:00 GMT', Age: '3600' }),
      json('{"count":1}', { Date: 'tomorrow' }),
      status(503, '{}', { Date: 'Thu, 01 Jan 2026 09:00:00 GMT' }),
      json('{"count":1}', { Date: 'Thu, 01 Jan 2026 00:06:00 GMT', Age: '0' }),
    ],
  });
  const { client, clock } = connect(gateway.url);
  expect(client.limits().clockSkew).toBeNull();
  expect(client.serverTimeMs()).toBeNull();
  const source = createQualysSource(client);
  const startedAtMs = clock.nowMs();
  for (let asked = 0; asked < 3; asked += 1) {
    await client.count({}, NEVER);
    expect(client.serverTimeMs()).toBe(Date.parse('2026-01-01T00:05:00Z'));
    // The fake clock does not move: the only uncertainty is the second that the header rounds down to.
    const minMs = Date.parse('2026-01-01T00:05:00Z') - startedAtMs;
    expect(client.limits().clockSkew).toEqual({ minMs, maxMs: minMs + 999 });
  }
  const logins = client.requestsMade().auth;
  expect(await source.serverClock?.ask(NEVER)).toBe(Date.parse('2026-01-01T00:05:00Z'));
  await client.count({}, NEVER);
  expect(source.serverClock?.lastMs()).toBe(Date.parse('2026-01-01T00:06:00Z'));
  expect(client.requestsMade().auth).toBe(logins);
});
