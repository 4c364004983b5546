import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Lake } from '../src/index.ts';
import { newS3Server, openRemote } from './object-lakes.ts';
import { ask, newDirectory } from './opened-lakes.ts';
import type { S3Server } from './s3-server.ts';
import { DAY_1, deliver, HOUR, type SmallEvent } from './small-lake.ts';

const event = (id: string, hour: number): SmallEvent => ({ id, timeMs: DAY_1 + hour * HOUR });
const idsIn = async (lake: Lake) => (await ask(lake, 'select event_id from events order by all')).flat();

let server: S3Server;
let restore: () => void;

/** Commits from a machine of its own, unless a work folder is given. */
async function commit(events: readonly SmallEvent[], work?: string): Promise<void> {
  const lake = await openRemote(server, work === undefined ? {} : { work });
  for (const one of events) await deliver(lake, [one]);
  await lake.close();
}

/** A bucket with a lake at version 2, which can be made what it was. */
beforeEach(async () => {
  server = await newS3Server();
  await commit([event('a', 0), event('b', 1)]);
  const before = new Map(server.objects);
  restore = () => {
    server.objects.clear();
    for (const [key, object] of before) server.objects.set(key, object);
  };
});

afterEach(() => {
  vi.useRealTimers();
});

test.each([
  ['holds less', [], ['a', 'b']],
  ['went on to fewer versions', [event('new', 2)], ['a', 'b', 'new']],
  ['went on to the same version', [event('new', 2), event('newer', 3)], ['a', 'b', 'new', 'newer']],
  ['went on beyond', [event('new', 2), event('newer', 3), event('newest', 4)], ['a', 'b', 'new', 'newer', 'newest']],
])('a machine with copies of a log that is lost opens the one that was restored, which %s', async (_, more, ids) => {
  const work = join(await newDirectory(), 'work');
  await commit([event('lost', 2), event('lost-too', 3)], work);
  restore();
  await commit(more);
  const reader = await openRemote(server, { work, readOnly: true });
  expect(await reader.snapshot()).toMatchObject({ version: 2 + more.length });
  expect(await idsIn(reader)).toEqual(ids);
  await reader.close();
  await commit([event('x', 9)], work);
  expect(await idsIn(await openRemote(server, { readOnly: true }))).toEqual([...ids, 'x']);
});

test('a machine with copies of a log that is lost writes on the one that was restored', async () => {
  const work = join(await newDirectory(), 'work');
  await commit([event('lost', 2), event('lost-too', 3)], work);
  restore();
  await commit([event('x', 9)], work);
  expect(await idsIn(await openRemote(server, { readOnly: true }))).toEqual(['a', 'b', 'x']);
});

test('a copy of a checkpoint of a lost version is not the log', async () => {
  const work = join(await newDirectory(), 'work');
  // So many that the newest version is the one of the checkpoint.
  const many = (name: string) => Array.from({ length: 14 }, (_, n) => event(`${name}-${n}`, n));
  await commit(many('lost'), work);
  expect(server.objects.has('edr/_log/00000000000000000016.checkpoint.json')).toBe(true);
  restore();
  await commit(many('new'));
  const reader = await openRemote(server, { work, readOnly: true });
  expect(await idsIn(reader)).toEqual(await idsIn(await openRemote(server, { readOnly: true })));
});

test('a reader that is open shows what the log has by then, after a minute or with its next version', async () => {
  await commit([event('lost', 2)]);
  const [reader, other] = [await openRemote(server, { readOnly: true }), await openRemote(server, { readOnly: true })];
  for (const one of [reader, other]) expect(await idsIn(one)).toEqual(['a', 'b', 'lost']);
  restore();
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
  expect(await idsIn(reader)).toEqual(['a', 'b']);
  vi.useRealTimers();
  await commit([event('new', 2)]);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 122_000 });
  expect(await idsIn(reader)).toEqual(['a', 'b', 'new']);
  vi.useRealTimers();
  await commit([event('newer', 3)]);
  expect(await idsIn(other)).toEqual(['a', 'b', 'new', 'newer']);
});

test.each([
  ['holds less', [], ['a', 'b']],
  ['went on to the same version', [event('new', 2)], ['a', 'b', 'new']],
])('a writer that is open puts nothing on a log that was restored meanwhile, which %s', async (_, more, ids) => {
  const writer = await openRemote(server);
  await deliver(writer, [event('lost', 2)]);
  restore();
  await commit(more);
  await expect(deliver(writer, [event('lost-too', 3)])).rejects.toMatchObject({ code: 'LAKE_CORRUPT' });
  await writer.close().catch(() => undefined);
  expect(await idsIn(await openRemote(server, { readOnly: true }))).toEqual(ids);
});
