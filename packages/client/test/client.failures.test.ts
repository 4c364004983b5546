import { describe, expect, it } from 'vitest';
import {
  connect,
  everythingOf,
  failureOf,
  grantToken,
  json,
  NEVER,
  PASSWORD,
  type Reply,
  reset,
  startGateway,
  status,
  textOf,
} from './gateway.ts';

const HTML = '<html><head><title>502 Bad Gateway</title><style>a{}</style></head><body>nginx</body></html>';

describe('an answer that is not a success', () => {
  it.each([
    ['events', 400, 'invalid filter', 'FILTER_REJECTED', 'stop', 1],
    ['events', 413, '', 'QUERY_TOO_LONG', 'stop', 1],
    ['events', 414, HTML, 'QUERY_TOO_LONG', 'stop', 1],
    ['count', 431, '', 'QUERY_TOO_LONG', 'stop', 1],
    ['events', 403, HTML, 'REQUEST_REFUSED', 'stop', 1],
    ['events', 403, 'no role', 'ACCESS_DENIED', 'stop', 1],
    ['events', 404, 'no such path', 'RESPONSE_UNEXPECTED', 'stop', 1],
    ['detail', 404, 'no such event', 'NOT_FOUND', 'stop', 1],
    ['detail', 404, HTML, 'RESPONSE_UNEXPECTED', 'stop', 1],
    ['events', 409, 'conflict', 'CONFLICT', 'stop', 1],
    ['events', 418, 'teapot', 'RESPONSE_UNEXPECTED', 'stop', 1],
    ['events', 501, '', 'RESPONSE_UNEXPECTED', 'stop', 1],
    ['events', 206, '[', 'RESPONSE_UNEXPECTED', 'retry', 3],
    ['events', 408, '', 'TIMEOUT', 'retry', 3],
    ['events', 500, 'java.lang.NullPointerException', 'SERVER_ERROR', 'retry', 3],
    ['count', 502, HTML, 'SERVER_ERROR', 'retry', 3],
    ['detail', 503, HTML, 'SERVER_ERROR', 'retry', 3],
    ['events', 504, HTML, 'SERVER_ERROR', 'retry', 3],
  ])(
    '%s %i (%s) is %s, disposition %s, after %i attempts',
    async (endpoint, code, body, expected, disposition, attempts) => {
      const gateway = await startGateway({ data: [status(code, body)] });
      const { client } = connect(gateway.url, { retryAttempts: 3 });
      const call = {
        events: () => client.events({ filter: 'type: FILE' }, textOf, NEVER),
        count: () => client.count({}, NEVER),
        detail: () => client.eventDetail('agent', 'event', {}, NEVER),
      }[endpoint as 'events' | 'count' | 'detail'];
      const error = await failureOf(call());
      expect([error.code, error.disposition]).toEqual([expected, disposition]);
      expect(gateway.data()).toHaveLength(attempts);
      expect(error.message).toContain(`GET ${gateway.host}${gateway.data()[0]?.path} answered ${code}: `);
      expect(error.message).not.toContain('<');
      expect(error.context).toMatchObject({ status: code, endpoint, host: gateway.host });
      expect(error.hint).toBeTruthy();
    },
  );

  it('is quoted with its first characters on one line', async () => {
    const gateway = await startGateway({ data: [status(400, `bad\r\n\u001b[31mtoken ${'x'.repeat(5000)}`)] });
    const { message } = await failureOf(connect(gateway.url).client.count({}, NEVER));
    expect(message).toContain('bad [31mtoken xxx');
    expect(message.length).toBeLessThan(400);
  });

  it('reports that the order was refused where the answer says so', async () => {
    const gateway = await startGateway({
      data: [status(400, '{"message":"sort: event.dateTime cannot be sorted by"}')],
    });
    const error = await failureOf(connect(gateway.url).client.events({ filter: 'type: FILE' }, textOf, NEVER));
    expect(error.message).toContain('the order of the pages was refused');
    expect(error.hint).toContain('edrlake doctor');
  });

  it('with a web page is a refusal of that request once others have been answered', async () => {
    const gateway = await startGateway({ data: [json('[]'), status(403, HTML), status(400, HTML), status(403, '{}')] });
    const { client } = connect(gateway.url);
    await client.events({}, textOf, NEVER);
    for (let n = 0; n < 3; n++) {
      expect((await failureOf(client.events({}, textOf, NEVER))).code).toBe('REQUEST_REFUSED');
    }
  });

  it('shows the filter that was refused', async () => {
    const gateway = await startGateway({ data: [status(400)] });
    const error = await failureOf(connect(gateway.url).client.count({ filter: 'typ: FILE' }, NEVER));
    expect(error.context.filter).toBe('typ: FILE');
  });
});

describe('a secret', () => {
  const tellAll: Reply = (request, response) => {
    const echoed = [
      JSON.stringify(request.headers),
      `token=${request.headers.authorization?.slice(7)}`,
      `{"password":"${PASSWORD.replaceAll('"', '\\"')}"}`,
      encodeURIComponent(PASSWORD),
      new URLSearchParams({ password: PASSWORD }).toString(),
    ];
    // Each of them at the beginning of an answer, because only the beginning is quoted.
    const text = echoed[Math.floor(Number(request.query.get('pageNumber')))] ?? '';
    response.writeHead(400).end(text);
  };

  it.each([0, 1, 2, 3, 4])('that an answer echoes (%i) is in no error and no event', async (pageNumber) => {
    const gateway = await startGateway({ auth: [grantToken()], data: [tellAll] });
    const { client, events } = connect(gateway.url);
    const error = await failureOf(client.events({ pageNumber }, textOf, NEVER));
    const shown = `${everythingOf(error)}${JSON.stringify(events)}`;
    const token = gateway.data()[0]?.headers.authorization?.slice(7) ?? 'missing';
    for (const secret of [token, token.split('.')[1] ?? '', PASSWORD, encodeURIComponent(PASSWORD), 'p%26w']) {
      expect(shown).not.toContain(secret);
    }
    expect(error.message).toMatch(/\[removed\]|\[token\]/);
  });
});

describe('a redirect', () => {
  it('is not followed: the token stays with its host', async () => {
    const other = await startGateway();
    const gateway = await startGateway({ data: [status(302, '', { location: `${other.url}/login?x=1` })] });
    const error = await failureOf(connect(gateway.url).client.count({}, NEVER));
    expect([error.code, error.disposition]).toEqual(['RESPONSE_UNEXPECTED', 'stop']);
    expect(error.message).toContain(other.host);
    expect(other.seen).toEqual([]);
  });

  it('of the login is not followed either', async () => {
    const other = await startGateway();
    const gateway = await startGateway({ auth: [status(307, '', { location: `${other.url}/auth` })] });
    expect((await failureOf(connect(gateway.url).client.login(NEVER))).code).toBe('RESPONSE_UNEXPECTED');
    expect(other.seen).toEqual([]);
  });
});

describe('a host that does not answer', () => {
  it('is HOST_UNREACHABLE with the reason', async () => {
    const { client } = connect('http://127.0.0.1:1', { retryAttempts: 2 });
    const error = await failureOf(client.login(NEVER));
    expect([error.code, error.disposition]).toEqual(['HOST_UNREACHABLE', 'retry']);
    expect(error.message).toContain('no connection to 127.0.0.1:1: the connection was refused (ECONNREFUSED)');
  });

  it('and resets each connection is one, too', async () => {
    const gateway = await startGateway({ data: [reset()] });
    const error = await failureOf(connect(gateway.url, { retryAttempts: 4 }).client.count({}, NEVER));
    expect(error.code).toBe('HOST_UNREACHABLE');
    expect(gateway.data()).toHaveLength(4);
  });

  it('with https where http is spoken is not tried again', async () => {
    const gateway = await startGateway();
    const { client, clock } = connect(gateway.url.replace('http:', 'https:'));
    const error = await failureOf(client.login(NEVER));
    expect([error.code, error.disposition]).toEqual(['HOST_UNREACHABLE', 'stop']);
    expect(clock.sleeps).toEqual([]);
  });
});

describe('a page beyond the result window', () => {
  it.each([400, 404, 409, 413, 422, 500, 503])('refused with %i is a query that was too large', async (code) => {
    const gateway = await startGateway({ data: [status(code, 'Result window is too large')] });
    const { client } = connect(gateway.url);
    const error = await failureOf(client.events({ pageNumber: 10, pageSize: 1000 }, textOf, NEVER));
    expect([error.code, error.disposition]).toEqual(['RESULT_WINDOW_EXCEEDED', 'split']);
    expect(gateway.data()).toHaveLength(1);
  });

  it('is still subject to limits and access', async () => {
    const gateway = await startGateway({ data: [status(429, '', { 'retry-after': '1' }), status(403)] });
    const { client } = connect(gateway.url);
    const error = await failureOf(client.events({ pageNumber: 10, pageSize: 1000 }, textOf, NEVER));
    expect(error.code).toBe('ACCESS_DENIED');
    expect(gateway.data()).toHaveLength(2);
  });

  it('begins after the last page that fits', async () => {
    const gateway = await startGateway({ data: [status(400)] });
    const { client } = connect(gateway.url);
    const error = await failureOf(client.events({ pageNumber: 9, pageSize: 1000 }, textOf, NEVER));
    expect(error.code).toBe('FILTER_REJECTED');
  });
});

describe('an answer with status 200 that is not what was asked for', () => {
  it('is BODY_BROKEN and tried again where it is not JSON', async () => {
    const gateway = await startGateway({ data: [status(200, HTML), json('{"count":'), json('{"count":3}')] });
    expect(await connect(gateway.url).client.count({}, NEVER)).toBe(3);
  });
});
