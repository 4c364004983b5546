import { gzipSync } from 'node:zlib';
import { EdrlakeError } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { connect, failureOf, json, NEVER, type Reply, reset, startGateway, status, textOf } from './gateway.ts';

const PAGE = JSON.stringify(Array.from({ length: 2000 }, (_, n) => ({ id: `F_é_${n}`, n })));

const gzipped =
  (cutBytes = 0): Reply =>
  (_, response) => {
    const whole = gzipSync(PAGE);
    const sent = whole.subarray(0, whole.length - cutBytes);
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(sent);
  };

describe('a page', () => {
  it.each([
    ['plain', json(PAGE)],
    ['gzip', gzipped()],
    [
      'in pieces that cut characters and gzip blocks',
      ((_, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' });
        const whole = gzipSync(PAGE);
        for (let at = 0; at < whole.length; at += 100) response.write(whole.subarray(at, at + 100));
        response.end();
      }) satisfies Reply,
    ],
  ])('%s arrives decoded, byte for byte', async (_, reply) => {
    const gateway = await startGateway({ data: [reply] });
    expect(await connect(gateway.url).client.events({}, textOf, NEVER)).toBe(PAGE);
  });

  it.each([
    ['204', status(204)],
    ['[]', json('[]')],
  ])('%s is an empty array', async (_, reply) => {
    const gateway = await startGateway({ data: [reply] });
    expect(await connect(gateway.url).client.events({}, textOf, NEVER)).toBe('[]');
  });

  it.each([
    ['reset before the answer', reset()],
    ['reset inside the body', reset('[{"id":"F_1"},')],
    ['truncated gzip', gzipped(50)],
    ['text that claims to be gzip', status(200, 'not gzip at all', { 'content-encoding': 'gzip' })],
    ['status 200 with nothing, then a reset', status(200), [status(200), reset()]],
  ])('%s is asked for again, and read from its beginning', async (_, fault, faults = [fault, fault]) => {
    const gateway = await startGateway({ data: [...faults, json(PAGE)] });
    const { client, events } = connect(gateway.url);
    let readers = 0;
    const text = await client.events(
      {},
      (body) => {
        readers++;
        return textOf(body);
      },
      NEVER,
    );
    expect(text).toBe(PAGE);
    expect(gateway.data()).toHaveLength(3);
    expect(readers).toBeGreaterThanOrEqual(1);
    expect(events.filter(({ type }) => type === 'retry')).toHaveLength(2);
  });

  it('that is broken each time is BODY_BROKEN after the last attempt', async () => {
    const gateway = await startGateway({ data: [reset('[{"id":')] });
    const { client } = connect(gateway.url, { retryAttempts: 3 });
    const error = await failureOf(client.events({}, textOf, NEVER));
    expect([error.code, error.disposition, error.context.attempts]).toEqual(['BODY_BROKEN', 'retry', 3]);
    expect(gateway.data()).toHaveLength(3);
  });

  it('that the reader rejects as broken is requested again', async () => {
    const gateway = await startGateway({ data: [json('[{"id":1}'), json('<html>'), json('[1]')] });
    const read = async (body: AsyncIterable<Uint8Array>) => {
      const text = await textOf(body);
      if (text === '[1]') return text;
      throw new EdrlakeError('BODY_BROKEN', `no array: ${text}`, { disposition: 'retry' });
    };
    expect(await connect(gateway.url).client.events({}, read, NEVER)).toBe('[1]');
    expect(gateway.data()).toHaveLength(3);
  });

  const broken = async (body: AsyncIterable<Uint8Array>) => {
    for await (const _ of body) throw new EdrlakeError('BODY_BROKEN', 'no array', { disposition: 'retry' });
  };

  it('that is broken twice with the same bytes is not requested a third time', async () => {
    // In pieces of another length: the reader stops after the first, and the checksum covers the whole body.
    const pieces =
      (bytes: number): Reply =>
      (_, response) => {
        response.writeHead(200);
        for (let at = 0; at < PAGE.length; at += bytes) response.write(PAGE.slice(at, at + bytes));
        response.end();
      };
    const gateway = await startGateway({ data: [pieces(1_000), pieces(7_000), gzipped()] });
    const error = await failureOf(connect(gateway.url).client.events({}, broken, NEVER));
    expect([error.code, error.disposition]).toEqual(['BODY_BROKEN', 'retry']);
    expect(error.message).toMatch(/no array \(the same answer came twice: \d+ bytes, CRC-32 [0-9a-f]{8}\)/);
    expect(gateway.data()).toHaveLength(2);
  });

  it.each([
    ['nothing at all', status(200)],
    ['white space', status(200, ' ')],
  ])('that is %s twice is not asked for a third time', async (_, reply) => {
    const gateway = await startGateway({ data: [reply] });
    const error = await failureOf(connect(gateway.url).client.events({}, broken, NEVER));
    expect(error.message).toMatch(/the same answer came twice: [01] bytes/);
    expect(gateway.data()).toHaveLength(2);
  });

  it.each([
    ['other bytes', [json('[1'), json('[2'), json('[1'), json('[2')]],
    ['the same bytes that were cut off', [reset('[1'), reset('[1'), reset('[1'), reset('[1')]],
    ['another failure in between', [json('[1'), status(500), json('[2'), status(500)]],
  ])('keeps its attempts with %s', async (_, data) => {
    const gateway = await startGateway({ data });
    const error = await failureOf(connect(gateway.url, { retryAttempts: 4 }).client.events({}, broken, NEVER));
    expect(error.message).toContain('given up after 4 attempts');
    expect(gateway.data()).toHaveLength(4);
  });

  it('is not requested again when the reader fails for another reason', async () => {
    const gateway = await startGateway({ data: [json(PAGE)] });
    const { client } = connect(gateway.url);
    const full = new EdrlakeError('LAKE_UNWRITABLE', 'disk full');
    const fail = async () => {
      throw full;
    };
    await expect(client.events({}, fail, NEVER)).rejects.toBe(full);
    const bug = new TypeError('x is not a function');
    const stumble = async (body: AsyncIterable<Uint8Array>) => {
      for await (const _ of body) throw bug;
    };
    await expect(client.events({}, stumble, NEVER)).rejects.toBe(bug);
    expect(gateway.data()).toHaveLength(2);
    expect(await client.events({}, textOf, NEVER)).toBe(PAGE);
  });

  it.each([
    ['is asked for again, and the page that comes counts', [status(204), json(PAGE)], PAGE, 2],
    ['is an empty page if it comes twice', [status(204), status(204), json(PAGE)], '[]', 2],
    ['is an empty page if it comes twice, with a failure in between', [status(204), status(500), status(204)], '[]', 3],
  ])('of status 204 %s', async (_, data, page, requests) => {
    const gateway = await startGateway({ data });
    const { client, events } = connect(gateway.url);
    expect(await client.events({}, textOf, NEVER)).toBe(page);
    expect(gateway.data()).toHaveLength(requests);
    // The failure in between is one, the 204 is not.
    expect(events.filter(({ type }) => type === 'retry')).toHaveLength(requests - 2);
  });

  it('in another encoding than asked for is an error that names it', async () => {
    const gateway = await startGateway({ data: [status(200, 'x', { 'content-encoding': 'br' })] });
    const error = await failureOf(connect(gateway.url).client.events({}, textOf, NEVER));
    expect(error).toMatchObject({ code: 'RESPONSE_UNEXPECTED', disposition: 'stop' });
    expect(gateway.data()).toHaveLength(2);
  });
});

it('all requests of a client share kept-alive connections, with any answers', async () => {
  const empty = [status(204), status(204)];
  const round = [json(PAGE), gzipped(), ...empty, status(500, 'oops'), json('[]'), status(404, 'gone'), json('[]')];
  const gateway = await startGateway({ data: [...round, ...round, ...round] });
  const { client } = connect(gateway.url, { concurrency: 1 });
  for (let n = 0; n < 3; n++) {
    for (let page = 0; page < 4; page++) await client.events({}, textOf, NEVER);
    await failureOf(client.eventDetail('a', 'b', {}, NEVER));
    await client.events({}, textOf, NEVER);
  }
  expect(gateway.data()).toHaveLength(24);
  // One for the cap of one request at once, and one so that a login never waits for a page.
  expect(gateway.connections()).toBeLessThanOrEqual(2);
});

describe('a timeout', () => {
  const silent: Reply = () => {};
  const stalled: Reply = (_, response) => {
    response.writeHead(200);
    response.write('[');
  };

  it('ends a request whose answer does not begin, which is tried again', async () => {
    const gateway = await startGateway({ data: [silent, json('[]')] });
    const { client, events } = connect(gateway.url, { headersTimeoutMs: 50 });
    expect(await client.events({}, textOf, NEVER)).toBe('[]');
    expect(events).toContainEqual(expect.objectContaining({ type: 'retry', code: 'TIMEOUT' }));
  });

  it('ends a body that stalls, and the request is tried again', async () => {
    const gateway = await startGateway({ data: [stalled, json('[1]')] });
    const { client, events } = connect(gateway.url, { bodyTimeoutMs: 50 });
    expect(await client.events({}, textOf, NEVER)).toBe('[1]');
    expect(events).toContainEqual(expect.objectContaining({ type: 'retry', code: 'TIMEOUT' }));
  });

  it('ends a body that comes byte by byte, and the request is tried again', async () => {
    const trickling: Reply = (_, response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write(' '), 5);
      response.on('close', () => clearInterval(drip));
    };
    const gateway = await startGateway({ data: [trickling, json('[1]')] });
    const { client, events } = connect(gateway.url, { bodyTimeoutMs: 200 });
    expect(await client.events({}, textOf, NEVER)).toBe('[1]');
    expect(events).toContainEqual(expect.objectContaining({ type: 'retry', code: 'TIMEOUT' }));
  });

  it('is the final error when it repeats', async () => {
    const gateway = await startGateway({ data: [silent] });
    const { client } = connect(gateway.url, { headersTimeoutMs: 30, retryAttempts: 2 });
    expect(await failureOf(client.count({}, NEVER))).toMatchObject({ code: 'TIMEOUT', disposition: 'retry' });
  });
});

describe('an abort', () => {
  it.each([
    ['before the answer', ((_, response) => void response) satisfies Reply],
    [
      'inside the body',
      ((_, response) => {
        response.writeHead(200);
        response.write('[');
      }) satisfies Reply,
    ],
  ])('%s ends the call with its reason, and nothing is tried again', async (_, reply) => {
    const abort = new AbortController();
    const reason = new DOMException('ctrl-c', 'AbortError');
    const gateway = await startGateway({
      data: [
        (request, response) => {
          reply(request, response);
          setImmediate(() => abort.abort(reason));
        },
      ],
    });
    const { client } = connect(gateway.url);
    await expect(client.events({}, textOf, abort.signal)).rejects.toBe(reason);
    await expect(client.events({}, textOf, abort.signal)).rejects.toBe(reason);
    expect(gateway.data()).toHaveLength(1);
  });

  it('by close ends calls in progress, and later ones fail', async () => {
    const gateway = await startGateway({
      data: [() => setImmediate(() => client.close())],
    });
    const { client } = connect(gateway.url);
    expect((await failureOf(client.count({}, NEVER))).code).toBe('INTERRUPTED');
    expect((await failureOf(client.count({}, NEVER))).code).toBe('INTERRUPTED');
    expect(gateway.data()).toHaveLength(1);
  });
});
