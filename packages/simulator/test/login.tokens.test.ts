import { describe, expect, it } from 'vitest';
import { gateway, login, reader } from './gateway.ts';

const fixedClock = (startMs: number) => {
  let nowMs = startMs;
  return {
    clock: { nowMs: () => nowMs, sleep: () => Promise.resolve() },
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
};

describe('logging in', () => {
  it('answers 201 with a JWT that ends in four hours', async () => {
    const { clock } = fixedClock(1_600_000_000_000);
    const answer = await login(await gateway({ clock }), { permissions: 'true' });
    expect(answer.status).toBe(201);
    const claims = JSON.parse(Buffer.from(answer.text.split('.')[1] as string, 'base64url').toString());
    expect(claims.exp).toBe(1_600_000_000 + 4 * 3600);
    expect(answer.headers.get('x-ratelimit-limit')).toBeNull();
  });

  it('takes a password with any characters and refuses every other', async () => {
    const simulator = await gateway({ credentials: { username: 'u', password: 'a&b=%+ü "\'' } });
    expect((await login(simulator, { username: 'u', password: 'a&b=%+ü "\'' })).status).toBe(201);
    const refused = await login(simulator, { username: 'u', password: 'secret' });
    expect(refused.status).toBe(401);
    expect(refused.json()).toEqual({ authentication_exceptions: ['InvalidCredentialsException'] });
    expect((await login(simulator, { username: '' })).status).toBe(400);
    expect(JSON.stringify(simulator.calls.all())).not.toContain('secret');
  });

  it('takes only an encoded form', async () => {
    const simulator = await gateway();
    const body = JSON.stringify({ username: 'demo', password: 'demo', token: 'true' });
    const headers = { 'content-type': 'application/json' };
    expect((await fetch(`${simulator.url}/auth`, { method: 'POST', body, headers })).status).toBe(400);
    expect((await fetch(`${simulator.url}/auth`)).status).toBe(405);
  });

  it('refuses data without a token, after its end and after every token was ended', async () => {
    const { clock, pass } = fixedClock(1_600_000_000_000);
    const simulator = await gateway({ clock, tokenShape: 'opaque' });
    expect((await fetch(`${simulator.url}/ioc/events`)).status).toBe(401);
    const read = await reader(simulator);
    pass(4 * 3_600_000 - 1);
    expect((await read('/count')).status).toBe(200);
    pass(1);
    expect((await read('/count')).status).toBe(401);
    const again = await reader(simulator);
    expect((await again('/count')).status).toBe(200);
    simulator.expireTokens();
    expect((await again('/count')).status).toBe(401);
  });
});

describe('limits', () => {
  it('answers 429 with the seconds to wait until the window is over', async () => {
    const { clock, pass } = fixedClock(1_600_000_000_000);
    const read = await reader(await gateway({ clock, rateLimit: { requests: 2, windowSeconds: 60 } }));
    expect((await read('/count')).headers.get('x-ratelimit-remaining')).toBe('1');
    pass(10_000);
    expect((await read('/count')).headers.get('x-ratelimit-window-sec')).toBe('60');
    const refused = await read('/count');
    expect([refused.status, refused.headers.get('x-ratelimit-towait-sec')]).toEqual([429, '50']);
    pass(50_000);
    expect((await read('/count')).status).toBe(200);
  });

  it('answers 409 on older hosts', async () => {
    const read = await reader(await gateway({ rateLimit: { requests: 0, windowSeconds: 60 }, limitStatus: 409 }));
    expect((await read('/count')).status).toBe(409);
  });

  it.each([
    ['joined', 'x-concurrencylimit-limit', '1'],
    ['dashed', 'x-concurrency-limit-limit', '1'],
    ['empty', 'x-concurrencylimit-limit', ''],
    ['none', 'x-concurrencylimit-limit', null],
  ] as const)('spells the concurrency headers %s', async (headerSpelling, name, value) => {
    const read = await reader(await gateway({ concurrencyLimit: 1, headerSpelling }));
    expect((await read('/count')).headers.get(name)).toBe(value);
  });

  it('refuses a request beyond those allowed at once', async () => {
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const clock = { nowMs: () => 1_600_000_000_000, sleep: () => released };
    const simulator = await gateway({ concurrencyLimit: 1, clock });
    const read = await reader(simulator);
    simulator.faults.push({ kind: 'stall', stallMs: 1000 });
    const answers = [read('/count'), read('/count')];
    expect((await Promise.race(answers)).status).toBe(429);
    release();
    expect((await Promise.all(answers)).map((answer) => answer.status).sort()).toEqual([200, 429]);
    expect(simulator.calls.mostRunning).toBe(2);
    expect((await read('/count')).status).toBe(200);
  });
});
