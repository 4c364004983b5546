import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@edrlake/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildChild, type ChildScript } from './child-build.ts';
import { AFTER, BEFORE, DELIVERED, filled, newS3Server, openRemote, ROWS } from './object-lakes.ts';
import { ask, newDirectory } from './opened-lakes.ts';
import type { S3Fault, S3Request, S3Server } from './s3-server.ts';
import { DAY, deliver } from './small-lake.ts';

let child: ChildScript;
let stored: string;
let first: S3Server;
beforeAll(async () => {
  child = await buildChild(new URL('./commit-child.ts', import.meta.url));
  stored = join(await mkdtemp(join(tmpdir(), 'lake-stored-')), 'work');
  first = await newS3Server();
  await (await filled(first, stored)).close();
}, 60_000);
afterAll(async () => {
  await child.remove();
  await rm(join(stored, '..'), { recursive: true, force: true });
});

/** A server and a work folder with the first events. */
async function beginning(): Promise<{ readonly server: S3Server; readonly work: string }> {
  const server = await newS3Server();
  for (const [key, object] of first.objects) server.objects.set(key, object);
  const work = join(await newDirectory(), 'work');
  await cp(stored, work, { recursive: true });
  return { server, work };
}

/**
 * Lets another process deliver, and kills it when a request arrives that changes something.
 * @param isIt gets the number of the request among those, from 1
 */
async function killedAt(
  { server, work }: { readonly server: S3Server; readonly work: string },
  isIt: (number: number, request: S3Request) => boolean,
  fault: S3Fault,
) {
  let changes = 0;
  let pid = 0;
  server.fault = (request) => {
    if (request.method === 'GET' || request.method === 'HEAD') return null;
    changes += 1;
    if (!isIt(changes, request)) return null;
    process.kill(pid, 'SIGKILL');
    return fault;
  };
  const running = child.start({ directory: work, url: server.url, batches: [DELIVERED], killAt: null });
  pid = running.pid;
  const { signal, errors } = await running.ended;
  server.fault = () => null;
  return { signal, errors };
}

const isCommitted = ({ objects }: S3Server) => objects.has('edr/_log/00000000000000000002.json');

async function expectWhole({ server, work }: { server: S3Server; work: string }): Promise<void> {
  const expected = isCommitted(server) ? AFTER : BEFORE;
  const other = await openRemote(server, { create: false });
  expect(await ask(other, ROWS)).toEqual(expected);
  await other.close();
  const next = await openRemote(server, { work });
  expect(await ask(next, ROWS)).toEqual(expected);
  expect(await deliver(next, DELIVERED)).toMatchObject({ version: 2, newEvents: expected === AFTER ? 0 : 1 });
  expect(await ask(next, ROWS)).toEqual(AFTER);
  await next.close();
  const { signal } = new AbortController();
  const later = await openRemote(server, { work, clock: { ...systemClock, nowMs: () => Date.now() + 8 * DAY } });
  await later.vacuum({}, { signal });
  const { files, idFiles } = await later.snapshot();
  const named = [...Object.values(files).flat(), ...idFiles].map(({ path }) => `edr/${path}`).sort();
  expect([...server.objects.keys()].filter((key) => key.endsWith('.parquet')).sort()).toEqual(named);
  expect(await ask(later, ROWS)).toEqual(AFTER);
}

describe('a writer killed at a request to the object store', () => {
  test('leaves all of its commit or nothing, for each request that changes something', async () => {
    let [changes, before, after] = [1, 0, 0];
    for (let n = 1; n <= changes; n += 1) {
      const place = await beginning();
      const killed = await killedAt(place, (number) => number === n, 'unanswered');
      expect(killed.errors).toBe('');
      if (killed.signal === null) break;
      changes = n + 1;
      if (isCommitted(place.server)) after += 1;
      else before += 1;
      await expectWhole(place);
    }
    expect(before).toBeGreaterThan(3);
    expect(after).toBeGreaterThan(1);
  }, 300_000);

  test('leaves no files missing when its log entry arrives after the next writer has looked', async () => {
    const place = await beginning();
    const { server, work } = place;
    let entry: S3Request | null = null;
    const isEntry = (_: number, request: S3Request) => {
      if (request.key.includes('/_log/')) entry = request;
      return entry !== null;
    };
    const killed = await killedAt(place, isEntry, 'lost');
    expect(killed).toEqual({ signal: 'SIGKILL', errors: '' });
    expect(entry).toMatchObject({ key: 'edr/_log/00000000000000000002.json' });
    const uploaded = [...server.objects.keys()].filter((key) => !first.objects.has(key));
    expect(uploaded.length).toBeGreaterThan(3);
    // The next writer on this machine recovers, and a vacuum without grace runs. Then the network delivers the entry.
    const next = await openRemote(server, { work });
    await next.vacuum({ graceMs: 0 }, { signal: new AbortController().signal });
    await next.close();
    const late = (entry as S3Request | null)?.body ?? Buffer.alloc(0);
    server.objects.set('edr/_log/00000000000000000002.json', { body: late, changedAtMs: 0 });
    await expectWhole(place);
  }, 120_000);
});
