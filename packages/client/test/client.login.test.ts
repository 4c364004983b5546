import { describe, expect, it } from 'vitest';
import { readToken } from '../src/http/token.ts';
import {
  connect,
  everythingOf,
  failureOf,
  grantToken,
  json,
  jwt,
  NEVER,
  PASSWORD,
  reset,
  startGateway,
  status,
  textOf,
} from './gateway.ts';

const HOUR = 3_600_000;
const COUNT = json('{"count":1}');

describe('a login', () => {
  it('sends form fields that survive any character of a password', async () => {
    const gateway = await startGateway();
    const { client, events, clock } = connect(gateway.url);
    const { expiresAtMs } = await client.login(NEVER);
    const [login] = gateway.logins();
    expect(login?.method).toBe('POST');
    expect(login?.headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect(Object.fromEntries(new URLSearchParams(login?.body))).toEqual({
      username: 'reader',
      password: PASSWORD,
      token: 'true',
      permissions: 'true',
    });
    expect(expiresAtMs).toBe(clock.nowMs() + 4 * HOUR);
    expect(events.filter(({ type }) => type === 'login')).toEqual([{ type: 'login', expiresAtMs }]);
  });

  it('happens once for all concurrent callers, and the token goes with each request', async () => {
    const gateway = await startGateway({ data: [COUNT] });
    const { client } = connect(gateway.url, { concurrency: 8 });
    await Promise.all(Array.from({ length: 8 }, () => client.count({}, NEVER)));
    expect(gateway.logins()).toHaveLength(1);
    const sent = new Set(gateway.data().map(({ headers }) => headers.authorization));
    expect([...sent]).toEqual([`Bearer ${jwt({ sub: 'reader', nth: 1 })}`]);
  });

  it('accepts 200 as well as 201', async () => {
    const gateway = await startGateway({ auth: [status(200, `${jwt({ a: 1 })}\n`)], data: [COUNT] });
    expect(await connect(gateway.url).client.count({}, NEVER)).toBe(1);
  });

  it.each([
    [401, '{"authentication_exceptions":["InvalidCredentialsException"]}', 'AUTH_REJECTED'],
    [400, 'user name is empty', 'AUTH_REJECTED'],
    [403, '<html><body>no</body></html>', 'ACCESS_DENIED'],
  ])(
    'refused with %i is final: no second attempt, and no second login by later calls',
    async (code, body, expected) => {
      const gateway = await startGateway({ auth: [status(code, body), grantToken()] });
      const { client, clock } = connect(gateway.url);
      const failures = await Promise.all([failureOf(client.count({}, NEVER)), failureOf(client.count({}, NEVER))]);
      failures.push(await failureOf(client.events({}, textOf, NEVER)), await failureOf(client.login(NEVER)));
      expect(failures.map((error) => [error.code, error.disposition])).toEqual(Array(4).fill([expected, 'stop']));
      expect(gateway.seen).toHaveLength(1);
      expect(clock.sleeps).toEqual([]);
    },
  );

  it('names the reason of a refusal, never the secret', async () => {
    const gateway = await startGateway({
      auth: [
        (request, response) => {
          const echoes = [
            request.body,
            PASSWORD,
            PASSWORD.replaceAll('&', '&amp;'),
            Buffer.from(PASSWORD).toString('base64'),
          ];
          response.writeHead(401).end(`InvalidCredentialsException for ${echoes.join(' / ')}`);
        },
      ],
    });
    const error = await failureOf(connect(gateway.url).client.login(NEVER));
    expect(error.message).toContain(`POST ${gateway.host}/auth answered 401`);
    expect(error.message).toContain('InvalidCredentialsException');
    expect(everythingOf(error)).not.toContain(PASSWORD);
    expect(everythingOf(error)).not.toContain(PASSWORD.replaceAll('&', '&amp;'));
    expect(everythingOf(error)).not.toContain(Buffer.from(PASSWORD).toString('base64'));
    expect(everythingOf(error)).not.toContain('p%26w');
  });

  it.each([
    ['500', status(500, 'oops')],
    ['503 with HTML', status(503, '<html>busy</html>')],
    ['a reset', reset()],
    ['429', status(429, '', { 'retry-after': '3' })],
  ])('is tried again after %s, and takes nothing from the budget', async (_, fault) => {
    const gateway = await startGateway({ auth: [fault, fault, grantToken()], data: [COUNT] });
    const { client } = connect(gateway.url);
    expect(await client.count({}, NEVER)).toBe(1);
    expect(gateway.logins()).toHaveLength(3);
    expect(client.limits().requestsLeft).toBe(299);
    expect(client.requestsMade()).toEqual({ total: 4, auth: 3, count: 1, events: 0, detail: 0 });
  });

  it.each(['', '<html>Please sign in</html>', '{"jwt":"eyJhbGciOiJSUzI1NiJ9.e30.c2ln"}', '"eyJh'])(
    'whose answer is no token is an error that does not quote it: %s',
    async (body) => {
      const gateway = await startGateway({ auth: [status(200, body)] });
      const error = await failureOf(connect(gateway.url).client.login(NEVER));
      expect(error.code).toBe('RESPONSE_UNEXPECTED');
      expect(error.message).not.toContain('eyJ');
    },
  );

  it('continues for the others when the caller that began it gives up, and ends when all have', async () => {
    let answer = () => {};
    let arrived = () => {};
    const asked = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const gateway = await startGateway({
      auth: [
        (request, response) => {
          answer = () => grantToken()(request, response);
          arrived();
        },
      ],
      data: [COUNT],
    });
    const { client } = connect(gateway.url);
    const first = new AbortController();
    const given = client.login(first.signal).catch((thrown: unknown) => thrown);
    const second = client.login(NEVER);
    await asked;
    first.abort(new DOMException('enough', 'AbortError'));
    expect(await given).toMatchObject({ name: 'AbortError' });
    answer();
    expect((await second).expiresAtMs).toBeGreaterThan(0);
    expect(gateway.logins()).toHaveLength(1);
  });
});

describe('a token', () => {
  it('is renewed a few minutes before its exp', async () => {
    const { clock } = connect('http://127.0.0.1:1');
    const startMs = clock.nowMs();
    const gateway = await startGateway({
      auth: [grantToken((nth) => ({ exp: (startMs + nth * HOUR) / 1000 }))],
      data: [COUNT],
    });
    const { client } = connect(gateway.url, {}, clock);
    await client.count({}, NEVER);
    clock.set(startMs + HOUR - 6 * 60_000);
    await client.count({}, NEVER);
    expect(gateway.logins()).toHaveLength(1);
    clock.set(startMs + HOUR - 4 * 60_000);
    await Promise.all([client.count({}, NEVER), client.count({}, NEVER)]);
    expect(gateway.logins()).toHaveLength(2);
  });

  it('without exp is renewed before four hours are over', async () => {
    const gateway = await startGateway({ data: [COUNT] });
    const { client, clock } = connect(gateway.url);
    await client.count({}, NEVER);
    clock.set(clock.nowMs() + 4 * HOUR - 4 * 60_000);
    await client.count({}, NEVER);
    expect(gateway.logins()).toHaveLength(2);
  });

  it('refused by a data endpoint is replaced once, with one login for all refused requests', async () => {
    const valid = `Bearer ${jwt({ sub: 'reader', nth: 2 })}`;
    const gateway = await startGateway({
      data: [
        (request, response) => {
          const isValid = request.headers.authorization === valid;
          response.writeHead(isValid ? 200 : 401).end(isValid ? '{"count":5}' : 'expired');
        },
      ],
    });
    const { client } = connect(gateway.url, { concurrency: 6 });
    const counts = await Promise.all(Array.from({ length: 6 }, () => client.count({}, NEVER)));
    expect(counts).toEqual(Array(6).fill(5));
    expect(gateway.logins()).toHaveLength(2);
  });

  it('refused twice in a row is ACCESS_DENIED, not a login loop', async () => {
    const gateway = await startGateway({ data: [status(401, 'no')] });
    const error = await failureOf(connect(gateway.url).client.count({}, NEVER));
    expect([error.code, error.disposition]).toEqual(['ACCESS_DENIED', 'stop']);
    expect(gateway.logins()).toHaveLength(2);
    expect(gateway.data()).toHaveLength(2);
  });

  it('refused around one request, while others are answered, is a refusal of that request', async () => {
    const no = status(401, 'no');
    const gateway = await startGateway({ data: [COUNT, no, no, no, COUNT] });
    const { client } = connect(gateway.url);
    await client.count({}, NEVER);
    const error = await failureOf(client.count({}, NEVER));
    expect([error.code, error.disposition]).toEqual(['REQUEST_REFUSED', 'stop']);
    expect(gateway.logins()).toHaveLength(2);
    expect(await client.count({}, NEVER)).toBe(1);
  });

  it('refused for request after request is ACCESS_DENIED in the end', async () => {
    const gateway = await startGateway({ data: [COUNT, status(401, 'no')] });
    const { client } = connect(gateway.url);
    await client.count({}, NEVER);
    const codes: string[] = [];
    for (let n = 0; n < 6; n++) codes.push((await failureOf(client.count({}, NEVER))).code);
    expect(codes).toEqual([...Array(5).fill('REQUEST_REFUSED'), 'ACCESS_DENIED']);
  });

  it('whose replacement is refused ends in AUTH_REJECTED', async () => {
    const gateway = await startGateway({ auth: [grantToken(), status(401, '{}')], data: [status(401)] });
    const { client } = connect(gateway.url);
    expect((await failureOf(client.count({}, NEVER))).code).toBe('AUTH_REJECTED');
    expect((await failureOf(client.count({}, NEVER))).code).toBe('AUTH_REJECTED');
    expect(gateway.logins()).toHaveLength(2);
  });
});

describe('the end of a token', () => {
  const NOW = Date.UTC(2026, 0, 1);
  const seconds = (ms: number) => ms / 1000;

  it.each([
    ['is exp', { exp: seconds(NOW + HOUR) }, NOW + HOUR],
    ['is exp, too, when iat agrees with our clock', { iat: seconds(NOW - 2000), exp: seconds(NOW + HOUR) }, NOW + HOUR],
    [
      'is counted from now when the clocks are apart',
      { iat: seconds(NOW - 9 * HOUR), exp: seconds(NOW - 5 * HOUR) },
      NOW + 4 * HOUR,
    ],
    ['is four hours away without exp', { sub: 'x' }, NOW + 4 * HOUR],
    ['is four hours away with an exp in the past', { exp: seconds(NOW - HOUR) }, NOW + 4 * HOUR],
    ['is four hours away with an exp that is no number', { exp: 'soon' }, NOW + 4 * HOUR],
  ])('%s', (_, claims, expected) => {
    expect(readToken(jwt(claims), NOW)?.expiresAtMs).toBe(expected);
  });

  it.each([
    (token: string) => JSON.stringify(token),
    (token: string) => JSON.stringify({ token }),
    (token: string) => `\n${JSON.stringify({ access_token: token, token_type: 'Bearer' })}\n`,
  ])('is read from JSON as from plain text', (asJson) => {
    const text = jwt({ exp: seconds(NOW + HOUR) });
    expect(readToken(asJson(text), NOW)).toEqual({ text, expiresAtMs: NOW + HOUR, tenant: null });
  });

  it.each([
    [
      { customerUuid: 'e468ee44-ee1e-e89f-8239-5c264e797471', subscriptionId: 7 },
      'e468ee44-ee1e-e89f-8239-5c264e797471',
    ],
    [{ subscriptionId: 7 }, '7'],
    [{ customerId: { id: 7 } }, null],
    [{ customerId: 'two words' }, null],
  ])('comes with the customer that %j says', (claims, tenant) => {
    expect(readToken(jwt(claims), NOW)?.tenant).toBe(tenant);
  });

  it('is four hours away for a token that is not a JWT', () => {
    expect(readToken('0123456789abcdef', NOW)?.expiresAtMs).toBe(NOW + 4 * HOUR);
    expect(readToken('aaaa.!!!!.cccc', NOW)).toBeNull();
    expect(readToken('two words', NOW)).toBeNull();
  });
});
