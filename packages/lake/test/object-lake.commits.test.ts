import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type StagedBatch, systemClock } from '@edrlake/core';
import { describe, expect, test } from 'vitest';
import type { Lake } from '../src/index.ts';
import { ADDRESS, objectsOn } from './object-address.ts';
import { AFTER, BEFORE, DELIVERED, filled, newS3Server, openRemote, ROWS, STORED } from './object-lakes.ts';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import type { S3Server } from './s3-server.ts';
import { DAY_1, deliver, HOUR, proofOfDays, type SmallEvent, stage } from './small-lake.ts';

describe('a lake in an object store', () => {
  test('holds each event once, as another machine sees it', async () => {
    const server = await newS3Server();
    const lake = await openRemote(server);
    expect(lake.address).toBe(ADDRESS.text);
    await deliver(lake, STORED, { proofs: [proofOfDays(DAY_1, 1, STORED)], rejects: ['r'] });
    expect(await deliver(lake, STORED)).toMatchObject({ version: 1, filesAdded: 0, unchangedEvents: 3 });
    const other = await openRemote(server, { create: false });
    expect(await ask(other, ROWS)).toEqual(BEFORE);
    expect(await deliver(other, DELIVERED)).toMatchObject({ version: 2, newEvents: 1, changedEvents: 2 });
    expect(await ask(lake, ROWS)).toEqual(AFTER);
    expect(await ask(lake, 'SELECT count(*)::INTEGER FROM events_proven')).toEqual([[3]]);
    expect(await ask(lake, 'SELECT version::INTEGER, location FROM lake_info')).toEqual([[2, ADDRESS.text]]);
    const reader = await openRemote(server, { create: false, readOnly: true });
    expect(await ask(reader, ROWS)).toEqual(AFTER);
    expect((await reader.coverage()).map(({ day, inLake }) => [day, inLake])).toEqual([
      ['2020-08-17', 3],
      ['2020-08-18', 1],
    ]);
  });

  test('keeps what belongs to the machine in its work folder, and nothing of it in the bucket', async () => {
    const server = await newS3Server();
    await (await filled(server)).close();
    const folders = new Set([...server.objects.keys()].map((key) => key.split('/')[1]));
    expect([...folders].sort()).toEqual(['_ids', '_lake.json', '_log', '_proof', 'certificates', 'events']);
  });

  test('answers from copies: a second query downloads nothing', async () => {
    const server = await newS3Server();
    await (await filled(server)).close();
    const work = join(await newDirectory(), 'work');
    const first = await openRemote(server, { work, readOnly: true });
    await ask(first, ROWS);
    await first.close();
    const before = server.requests.length;
    const second = await openRemote(server, { work, readOnly: true });
    expect(await ask(second, ROWS)).toEqual(BEFORE);
    const asked = server.requests.slice(before).filter(({ method }) => method === 'GET');
    expect(asked.map(({ key }) => key).filter((key) => key.endsWith('.parquet'))).toEqual([]);
  });

  test('downloads the tables that a statement names, and no others', async () => {
    const server = await newS3Server();
    await (await filled(server)).close();
    const reader = await openRemote(server, { readOnly: true });
    const before = server.requests.length;
    expect(await ask(reader, "SELECT count(*)::INTEGER FROM events WHERE event_id <> 'certificates'")).toEqual([[3]]);
    const keys = server.requests
      .slice(before)
      .filter(({ method }) => method === 'GET')
      .map(({ key }) => key);
    expect(keys.filter((key) => key.startsWith('edr/events/'))).toHaveLength(1);
    expect(keys.filter((key) => key.startsWith('edr/certificates/'))).toHaveLength(0);
  });

  test('that is missing, or in a missing bucket, is named by its address', async () => {
    const server = await newS3Server();
    const missing = openRemote(server, { create: false, readOnly: true });
    await expect(missing).rejects.toMatchObject({
      code: 'LAKE_MISSING',
      message: expect.stringContaining('s3://lake/edr'),
    });
    const objects = { ...objectsOn(server), address: { bucket: 'none', prefix: 'edr', text: 's3://none/edr' } };
    const work = join(await newDirectory(), 'work');
    await expect(openSmall(work, { objects })).rejects.toMatchObject({ code: 'STORE_REFUSED' });
  });

  test('that was made anew at the same address does not use copies of the old one', async () => {
    const server = await newS3Server();
    const work = join(await newDirectory(), 'work');
    await (await filled(server, work)).close();
    server.objects.clear();
    const anew = await openRemote(server, { work });
    expect((await anew.snapshot()).version).toBe(0);
    await deliver(anew, [DELIVERED[3] as SmallEvent]);
    expect(await ask(anew, 'SELECT event_id FROM events')).toEqual([['d']]);
  });

  test('a work folder of another lake is refused', async () => {
    const server = await newS3Server();
    const work = join(await newDirectory(), 'work');
    await (await filled(server, work)).close();
    const address = { bucket: 'lake', prefix: 'other', text: 's3://lake/other' };
    const opened = openSmall(work, { objects: objectsOn(server, { address }) });
    await expect(opened).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('reports a file that has other bytes than were committed, and one that is gone', async () => {
    const server = await newS3Server();
    await (await filled(server)).close();
    const [key = ''] = [...server.objects.keys()].filter((each) => each.startsWith('edr/events/'));
    const whole = server.objects.get(key);
    const body = Buffer.from(whole?.body ?? []);
    body[100] = (body[100] ?? 0) ^ 1;
    server.objects.set(key, { body, changedAtMs: 0 });
    const reader = await openRemote(server, { readOnly: true });
    await expect(ask(reader, ROWS)).rejects.toMatchObject({ code: 'LAKE_CORRUPT' });
    const { findings } = await reader.verify(null, new AbortController().signal);
    expect(findings.map(({ path }) => `edr/${path}`)).toEqual([key]);
    server.objects.delete(key);
    expect((await (await openRemote(server, { readOnly: true })).lostFiles()).map((path) => `edr/${path}`)).toEqual([
      key,
    ]);
  });
});

describe('an object store that cannot hold a lake', () => {
  test('because it ignores conditions is refused', async () => {
    const server = await newS3Server();
    server.behaviour = { ignoresConditions: true };
    await expect(openRemote(server)).rejects.toMatchObject({ code: 'STORE_UNFIT' });
    expect(server.objects.size).toBe(0);
  });

  test('because it lists late is refused', async () => {
    const server = await newS3Server();
    server.behaviour = { listLag: 1 };
    await expect(openRemote(server)).rejects.toMatchObject({ code: 'STORE_UNFIT' });
  });

  test('is found out once, not every time', async () => {
    const server = await newS3Server();
    const work = join(await newDirectory(), 'work');
    await (await openRemote(server, { work })).close();
    const before = server.requests.length;
    await (await openRemote(server, { work })).close();
    expect(server.requests.slice(before).filter(({ key }) => key.includes('_probe'))).toEqual([]);
  });
});

describe('writers', () => {
  test('of which one is overtaken: it commits on top of the other', async () => {
    const server = await newS3Server();
    const first = await filled(server);
    let isOvertaken = false;
    const events: string[] = [];
    const second = await openRemote(server, {
      emit: ({ type }) => events.push(type),
      onStep: (step) => {
        if (step !== 'files-moved' || isOvertaken) return;
        isOvertaken = true;
        copyEntry(server);
      },
    });
    expect(await deliver(second, DELIVERED)).toMatchObject({ version: 3, newEvents: 1, changedEvents: 2 });
    expect(events).toContain('commit-contended');
    expect(await ask(first, ROWS)).toEqual(AFTER);
  });

  test('that race lose nothing, and each version has one', async () => {
    const server = await newS3Server();
    await (await openRemote(server)).close();
    const lakes: Lake[] = [];
    for (let writer = 0; writer < 4; writer += 1) lakes.push(await openRemote(server, { threads: 1 }));
    const commits = 2;
    for (let n = 0; n < commits; n += 1) {
      const batches: StagedBatch[] = [];
      for (const [writer, lake] of lakes.entries()) {
        const event = { id: `${writer}-${n}`, timeMs: DAY_1 + n * HOUR, issuers: ['x'] };
        batches.push(await stage(await lake.connect(), [event]));
      }
      await Promise.all(
        lakes.map((lake, writer) => lake.commit({ batch: batches[writer] ?? null, proofs: [], runId: 'test' })),
      );
    }
    const [lake] = lakes as [Lake];
    expect((await lake.snapshot()).version).toBe(lakes.length * commits);
    const ids = lakes.flatMap((_, writer) => Array.from({ length: commits }, (__, n) => `${writer}-${n}`)).sort();
    expect((await ask(lake, 'SELECT event_id FROM events ORDER BY 1')).flat()).toEqual(ids);
  }, 60_000);
});

/** Puts a commit without changes on top of the newest version, as a faster writer would. */
function copyEntry(server: S3Server): void {
  const newest = [...server.objects.keys()].filter((key) => /_log\/\d+\.json$/.test(key)).length;
  const stem = (version: number) => `edr/_log/${String(version).padStart(20, '0')}.json`;
  const entry = JSON.parse(server.objects.get(stem(newest))?.body.toString() ?? '{}');
  const { crc32: _, schema: __, ...rest } = entry;
  const nothing = { added: [], removed: [], idsAdded: [], idsRemoved: [], proofs: [] };
  const next = { ...rest, ...nothing, version: newest + 1, commitId: 'other', previousCommitId: entry.commitId };
  server.objects.set(stem(newest + 1), { body: Buffer.from(JSON.stringify(next)), changedAtMs: 0 });
}

describe('a vacuum', () => {
  const days = (ms: number) => ms * 24 * HOUR;
  const names = (server: S3Server) => [...server.objects.keys()].filter((key) => key.endsWith('.parquet')).sort();

  test('removes what was replaced, what was never committed and unfinished uploads, once they are old', async () => {
    const server = await newS3Server();
    const work = join(await newDirectory(), 'work');
    const lake = await filled(server, work);
    const stored = names(server);
    await deliver(lake, DELIVERED);
    const { files, idFiles } = await lake.snapshot();
    const named = [...Object.values(files).flat(), ...idFiles].map(({ path }) => `edr/${path}`).sort();
    // What a commit leaves of which the machine died, and a large upload of it.
    const orphan = 'edr/events/event_date=2020-08-17/20201129T013751Z-fb6bb22b-0.parquet';
    server.objects.set(orphan, { body: Buffer.from('x'), changedAtMs: Date.now() });
    server.uploads.set('begun', { key: 'edr/events/a.parquet', begunAtMs: Date.now(), parts: new Map() });
    const { signal } = new AbortController();
    const vacuumAt = async (nowMs: number, graceMs?: number) => {
      const later = await openRemote(server, { work, clock: { ...systemClock, nowMs: () => nowMs } });
      const report = await later.vacuum(graceMs === undefined ? {} : { graceMs }, { signal });
      await later.close();
      return report.removed.filter(({ reason }) => reason !== 'log').map(({ path }) => `edr/${path}`);
    };
    await lake.close();
    expect(await vacuumAt(Date.now() + days(6))).toEqual([]);
    // Replaced files may be given up at once; what another machine may be about to commit, after a day at least.
    const replaced = stored.filter((key) => !named.includes(key));
    expect(replaced.length).toBeGreaterThan(1);
    expect((await vacuumAt(Date.now() + HOUR, 0)).sort()).toEqual(replaced);
    expect(server.uploads.size).toBe(1);
    expect((await vacuumAt(Date.now() + days(8))).sort()).toEqual(['edr/events/a.parquet', orphan].sort());
    expect(server.uploads.size).toBe(0);
    expect(names(server)).toEqual(named);
    expect(await ask(await openRemote(server), ROWS)).toEqual(AFTER);
  });
});

test('a copy of the log that is damaged is not believed', async () => {
  const server = await newS3Server();
  const work = join(await newDirectory(), 'work');
  await (await filled(server, work)).close();
  const copy = join(work, 'cache/_log/00000000000000000001.json');
  expect(await readFile(copy, 'utf8')).toContain('"version":1');
  await writeFile(copy, (await readFile(copy, 'utf8')).slice(0, 100));
  const lake = await openRemote(server, { work, readOnly: true });
  expect(await ask(lake, ROWS)).toEqual(BEFORE);
});

test('what a process left that died while it made a copy is removed, and not what another one is writing', async () => {
  const server = await newS3Server();
  const work = join(await newDirectory(), 'work');
  await (await filled(server, work)).close();
  const [dead, alive] = ['dead.parquet.1.partial', 'alive.parquet.2.partial'] as const;
  for (const name of [dead, alive]) await writeFile(join(work, 'cache', name), 'PAR1');
  const anHourAgo = Date.now() / 1_000 - 3_600;
  await utimes(join(work, 'cache', dead), anHourAgo, anHourAgo);
  await deliver(await openRemote(server, { work }), DELIVERED);
  expect((await readdir(join(work, 'cache'))).filter((name) => name.endsWith('.partial'))).toEqual([alive]);
});
