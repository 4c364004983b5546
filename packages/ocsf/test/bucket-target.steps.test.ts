import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ObjectAddress, objectAddress, type ProcessTable } from '@edrlake/core';
import { beforeEach, describe, expect, test } from 'vitest';
import { S3_KEY } from '../../lake/test/object-address.ts';
import { type S3Server, startS3Server } from '../../lake/test/s3-server.ts';
import { openBucketTarget } from '../src/publish/bucket-target.ts';
import { putInPlace } from '../src/publish/publish-day.ts';
import { type DayFile, finishDays, isMixed, type Target } from '../src/publish/state.ts';

const DAY = '2020-08-17';
const MINUTE = 60_000;
const ADDRESS = objectAddress('s3://lake/ocsf') as ObjectAddress;

let folder: string;
let server: S3Server;
/** Processes that have ended. */
let dead: Set<number>;
let pid: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edrlake-bucket-'));
  server = await startS3Server();
  dead = new Set();
  pid = 0;
  return async () => {
    await server.close();
    await rm(folder, { recursive: true });
  };
});

/** The ids that each file of a day holds, by class and part of the day. */
type Files = Readonly<Record<string, readonly string[]>>;

/** A day before and after a commit: one file more, one less, and one divided in two. */
const BEFORE: Files = { 'file 0000-2400': ['a', 'b', 'c', 'd'], 'net 0000-2400': ['n'], 'kernel 0000-2400': ['k'] };
const AFTER: Files = {
  ...{ 'file 0000-1200': ['a', 'b'], 'file 1200-2400': ['c', 'd', 'e'] },
  ...{ 'net 0000-2400': ['n', 'm'], 'process 0000-2400': ['p'] },
};

const SETTINGS = {
  layout: 'plain',
  region: null,
  accountId: 'x',
  dataset: 'd',
  ocsfVersion: '1.8.0',
  lake: 'l',
} as const;

interface Opening {
  /** Its host and its folder; a process of another host cannot be seen. */
  readonly machine?: string;
  readonly claims?: boolean;
}

/** Opens the target as a new process would. */
async function open({ machine = 'here', claims = true }: Opening = {}): Promise<Target> {
  pid += 1;
  const own = { host: machine, pid, startIdentity: 'boot' };
  const processes: ProcessTable = {
    current: () => own,
    stateOf: (owner) => (owner.host !== machine ? 'elsewhere' : dead.has(owner.pid) ? 'dead' : 'alive'),
  };
  const retries = { pause: async () => {}, random: () => 0 };
  const s3 = { endpoint: server.url, region: 'eu-central-1', credentials: S3_KEY, retries };
  return openBucketTarget(join(folder, machine), { address: ADDRESS, s3 }, { onStep: () => {}, claims, processes });
}

/** What a run does: finishes what it finds, and publishes the day. */
async function run(files: Files, opening: Opening = {}): Promise<void> {
  const target = await open(opening);
  try {
    await finishDays(target);
    if (target.publication === null) await target.writePublication({ ...SETTINGS, lakeVersion: null });
    await publish(target, files);
  } finally {
    await target.close();
  }
}

async function publish(target: Target, files: Files): Promise<void> {
  const current = (await target.readDay(DAY))?.current ?? null;
  if (current !== null && !isMixed(current) && (await target.areFilesThere(current))) {
    if (current.content === JSON.stringify(files)) return;
  }
  const staged: { readonly staged: string; readonly file: DayFile }[] = [];
  for (const [slot, ids] of Object.entries(files)) {
    const [className = '', part = ''] = slot.split(' ');
    const path = `${className}/accountId=x/eventDay=20200817/${target.fileName(part)}`;
    const name = `${staged.length}.parquet`;
    const text = JSON.stringify(ids);
    await writeFile(join(target.workFolder, name), text);
    const file = { path, className, slot, rows: ids.length, bytes: text.length, fields: 0, untyped: 0 };
    staged.push({ staged: name, file });
  }
  const about = { mapping: 1, fingerprint: 'f', content: JSON.stringify(files), lakeVersion: 1, unclassified: {} };
  await putInPlace(target, DAY, current, { state: { ...about, files: staged.map(({ file }) => file) }, staged });
}

/** How often a reader of all objects sees each id. */
function timesSeen(): Record<string, number> {
  const times: Record<string, number> = {};
  for (const [key, { body }] of server.objects) {
    if (!key.endsWith('.parquet')) continue;
    for (const id of JSON.parse(body.toString()) as string[]) times[id] = (times[id] ?? 0) + 1;
  }
  return times;
}

const onceEach = (files: Files) => Object.fromEntries(Object.values(files).flatMap((ids) => ids.map((id) => [id, 1])));

/** Ends the process before a request. @returns whether it came to that */
async function killedAt(nth: number, work: () => Promise<void>): Promise<boolean> {
  let isKilled = false;
  const before = server.requests.length;
  server.fault = (_, number) => {
    isKilled ||= number - before >= nth;
    return isKilled ? 'lost' : null;
  };
  await work().catch((thrown: { code?: string }) => expect(thrown.code).toBe('STORE_UNREACHABLE'));
  server.fault = () => null;
  dead.add(pid);
  return isKilled;
}

function restore(objects: S3Server['objects']): void {
  server.objects.clear();
  for (const [key, object] of objects) server.objects.set(key, object);
}

describe('a day in a bucket', () => {
  test('killed at any request shows no event twice, and is whole after one more run, on any machine', async () => {
    await run(BEFORE);
    const before = new Map(server.objects);
    for (let nth = 1, isKilled = true; isKilled; nth += 2) {
      restore(before);
      isKilled = await killedAt(nth, () => run(AFTER));
      const seen = timesSeen();
      expect(Object.entries(seen).filter(([, times]) => times !== 1)).toEqual([]);
      // The file that takes the place of one of the same name is seen at any time.
      expect(seen.n).toBe(1);
      const killed = new Map(server.objects);
      for (const machine of ['here', 'there']) {
        restore(killed);
        // A claim of another machine counts until it has expired.
        server.clockAheadMs += machine === 'here' ? 0 : 16 * MINUTE;
        await run(AFTER, { machine });
        expect(timesSeen(), `${machine}, after request ${nth}`).toEqual(onceEach(AFTER));
      }
    }
  });

  test('is put by few requests: each file once, and the document twice', async () => {
    await run(BEFORE);
    const before = server.requests.length;
    await run(AFTER);
    const kinds = server.requests.slice(before).filter(({ method, key }) => method === 'PUT' && !key.includes('owner'));
    expect(kinds).toHaveLength(Object.keys(AFTER).length + 2);
  });

  test('is put again where something else has written one of its objects since', async () => {
    await run(BEFORE);
    const key = 'ocsf/net/accountId=x/eventDay=20200817/0000-2400.parquet';
    // As large as the right one: a request of a process that was stopped for long.
    server.objects.set(key, { body: Buffer.from('["x"]'), changedAtMs: Date.now() + 5_000 });
    await run(BEFORE);
    expect(timesSeen()).toEqual(onceEach(BEFORE));
  });

  test('has no data that no document names, and no unfinished uploads', async () => {
    await run(BEFORE);
    const stray = 'ocsf/file/accountId=x/eventDay=20200818/0000-2400.parquet';
    server.objects.set(stray, { body: Buffer.from('["a"]'), changedAtMs: 0 });
    server.objects.set('ocsf/notes.txt', { body: Buffer.from('mine'), changedAtMs: 0 });
    server.uploads.set('u', { key: stray, begunAtMs: 0, parts: new Map() });
    await run(BEFORE);
    expect(timesSeen()).toEqual(onceEach(BEFORE));
    expect([...server.uploads]).toEqual([]);
    expect(server.objects.has('ocsf/notes.txt')).toBe(true);
  });
});

describe('a prefix of a bucket', () => {
  test('has one publisher at a time, of any machine', async () => {
    const first = await open();
    await expect(open()).rejects.toMatchObject({
      code: 'PUBLISH_REFUSED',
      message: expect.stringContaining('process 1'),
    });
    await expect(open({ machine: 'there' })).rejects.toMatchObject({
      hint: 'If it has ended, remove s3://lake/ocsf/_edrlake/owner.1.json.',
    });
    await (await open({ claims: false })).close();
    await first.close();
    const other = await open({ machine: 'there' });
    await other.close();
    expect([...server.objects.keys()].filter((key) => key.includes('owner'))).toEqual([]);
  });

  test('goes to another machine when its claim was not renewed, and the first one writes nothing more', async () => {
    await run(BEFORE);
    const stopped = await open();
    await finishDays(stopped);
    server.clockAheadMs = 16 * MINUTE;
    const other = await open({ machine: 'there' });
    await finishDays(other);
    await publish(other, AFTER);
    const now = [...server.objects].map(([key, { body }]) => [key, body.toString()]);
    // It goes on after a quarter of an hour, by its own clock too.
    const realNow = Date.now;
    Date.now = () => realNow() + 16 * MINUTE;
    server.clockAheadMs = 0;
    try {
      await expect(publish(stopped, { 'net 0000-2400': ['n'] })).rejects.toMatchObject({ code: 'LEASE_LOST' });
    } finally {
      Date.now = realNow;
    }
    await stopped.close();
    expect([...server.objects].map(([key, { body }]) => [key, body.toString()])).toEqual(now);
    await other.close();
    expect(timesSeen()).toEqual(onceEach(AFTER));
  });

  test('has one winner of ten that come at once', async () => {
    await run(BEFORE);
    const opened = await Promise.allSettled(Array.from({ length: 10 }, (_, nth) => open({ machine: `m${nth}` })));
    const winners = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(winners.length).toBeLessThanOrEqual(1);
    for (const winner of winners) await winner.close();
    await (await open()).close();
  });

  test('is refused where the store ignores conditions', async () => {
    server.behaviour = { ignoresConditions: true };
    await expect(open()).rejects.toMatchObject({ code: 'STORE_UNFIT' });
  });

  test('says what is there that was not published', async () => {
    server.objects.set('ocsf/notes.txt', { body: Buffer.from('mine'), changedAtMs: 0 });
    const target = await open({ claims: false });
    expect(await target.stranger()).toBe('notes.txt');
    await target.close();
  });
});
