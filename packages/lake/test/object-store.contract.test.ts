import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openS3 } from '../src/object-store/s3-object-store.ts';
import { objectsOn } from './object-address.ts';
import { newS3Server } from './object-lakes.ts';
import { newDirectory } from './opened-lakes.ts';
import type { S3Fault } from './s3-server.ts';

async function newStore() {
  const server = await newS3Server();
  const objects = await openS3('lake', objectsOn(server).s3 ?? {});
  return { server, objects };
}

describe('a conditional write', () => {
  test('creates an object once', async () => {
    const { server, objects } = await newStore();
    expect(await objects.putIfAbsent('log/1', 'mine')).toBe('created');
    expect(await objects.putIfAbsent('log/1', 'other')).toBe('taken');
    expect(`${await objects.get('log/1')}`).toBe('mine');
    // One request for each call: a refusal by the condition needs no second look.
    expect(server.requests.map(({ method }) => method)).toEqual(['PUT', 'PUT', 'GET']);
  });

  test('has one winner of twenty', async () => {
    const { objects } = await newStore();
    for (let round = 0; round < 10; round += 1) {
      const writers = Array.from({ length: 20 }, (_, writer) => `writer ${writer}`);
      const outcomes = await Promise.all(writers.map((text) => objects.putIfAbsent(`log/${round}`, text)));
      const winners = writers.filter((_, writer) => outcomes[writer] === 'created');
      expect(winners).toEqual([`${await objects.get(`log/${round}`)}`]);
    }
  });

  const faults: readonly S3Fault[] = ['lost', 'unanswered', 'failed-after', 'late', 500, 503, 409];
  test.each(faults)('of which the answer is %s ends as created', async (fault) => {
    const { server, objects } = await newStore();
    server.fault = (_, number) => (number === 1 ? fault : null);
    expect(await objects.putIfAbsent('log/1', 'mine')).toBe('created');
    expect(`${await objects.get('log/1')}`).toBe('mine');
  });

  test.each(faults)('of which the answer is %s, while another writer wins, ends as taken', async (fault) => {
    const { server, objects } = await newStore();
    server.fault = (request, number) => {
      if (number === 1 && fault !== 'unanswered' && fault !== 'failed-after') {
        server.objects.set(request.key, { body: Buffer.from('other'), changedAtMs: 0 });
      }
      return number === 1 ? fault : null;
    };
    const isFirst = fault === 'unanswered' || fault === 'failed-after';
    expect(await objects.putIfAbsent('log/1', 'mine')).toBe(isFirst ? 'created' : 'taken');
    expect(`${await objects.get('log/1')}`).toBe(isFirst ? 'mine' : 'other');
  });

  test('without any answer is in doubt', async () => {
    const { server, objects } = await newStore();
    server.fault = () => 'lost';
    expect(await objects.putIfAbsent('log/1', 'mine')).toMatchObject({ doubt: { code: 'STORE_UNREACHABLE' } });
  });

  test('that is refused says so, without a secret', async () => {
    const server = await newS3Server();
    const credentials = { accessKeyId: 'unknown', secretAccessKey: 'not-for-messages' };
    const objects = await openS3('lake', { ...objectsOn(server).s3, credentials });
    const refused = await objects.putIfAbsent('log/1', 'mine').catch((thrown: unknown) => thrown);
    expect(refused).toMatchObject({ code: 'STORE_REFUSED', message: expect.stringContaining('InvalidAccessKeyId') });
    expect(JSON.stringify(refused)).not.toContain('not-for-messages');
  });
});

describe('files', () => {
  const small = 1_000;
  const large = 40 * 1024 * 1024;

  test.each([small, large])('of %i bytes arrive as they were, in either direction', async (size) => {
    const { server, objects } = await newStore();
    const [from, to] = await fileOf(size);
    await objects.putFile('events/a.parquet', from);
    expect(await objects.stat('events/a.parquet')).toMatchObject({ bytes: size });
    expect(await objects.getToFile('events/a.parquet', to)).toBe(true);
    expect((await readFile(to)).equals(await readFile(from))).toBe(true);
    expect(server.requests.some(({ query }) => query.has('uploads'))).toBe(size === large);
    expect(objects.traffic()).toMatchObject({ sentBytes: size, receivedBytes: size, requests: server.requests.length });
  });

  test('that are large leave no parts behind when the upload fails', async () => {
    const { server, objects } = await newStore();
    const [from] = await fileOf(large);
    server.fault = ({ query }) => (query.get('partNumber') === '2' ? 403 : null);
    await expect(objects.putFile('events/a.parquet', from)).rejects.toMatchObject({ code: 'STORE_REFUSED' });
    expect(server.uploads.size).toBe(0);
    expect(server.objects.size).toBe(0);
  });

  test('that are large arrive although each request fails once', async () => {
    const { server, objects } = await newStore();
    const [from, to] = await fileOf(large);
    const failed = new Set<string>();
    server.fault = ({ method, query }) => {
      const request = `${method} ${query.get('partNumber') ?? query.has('uploads')}`;
      if (failed.has(request)) return null;
      failed.add(request);
      return method === 'POST' ? 'unanswered' : 503;
    };
    await objects.putFile('events/a.parquet', from);
    expect(await objects.getToFile('events/a.parquet', to)).toBe(true);
    expect((await readFile(to)).equals(await readFile(from))).toBe(true);
  });

  test('that are missing are not downloaded', async () => {
    const { objects } = await newStore();
    const [, to] = await fileOf(small);
    expect(await objects.getToFile('events/none.parquet', to)).toBe(false);
    expect(await objects.get('none')).toBeNull();
    expect(await objects.stat('none')).toBeNull();
    await objects.delete('none');
  });
});

test('a list goes on after a key, over several pages', async () => {
  const { server, objects } = await newStore();
  server.behaviour = { pageKeys: 3 };
  for (let n = 0; n < 10; n += 1) await objects.put(`log/${n}`, '');
  await objects.put('other', '');
  expect((await objects.list('log/', 'log/3')).map(({ key }) => key)).toEqual(
    ['4', '5', '6', '7', '8', '9'].map((n) => `log/${n}`),
  );
});

test('objects are encrypted as asked', async () => {
  const server = await newS3Server();
  const objects = await openS3('lake', { ...objectsOn(server).s3, encryption: 'aws:kms' });
  await objects.putIfAbsent('log/1', 'mine');
  await objects.put('log/2', 'mine');
  expect(server.requests.map(({ encryption }) => encryption)).toEqual(['aws:kms', 'aws:kms']);
});

async function fileOf(size: number): Promise<[string, string]> {
  const directory = await newDirectory();
  await mkdir(directory);
  const from = join(directory, 'from');
  await writeFile(from, randomBytes(size));
  return [from, join(directory, 'to')];
}
