import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MS_PER_DAY, systemClock, systemProcesses } from '@edrlake/core';
import { describe, expect, test } from 'vitest';
import type { Lake, LakeOptions } from '../src/index.ts';
import { recognise } from '../src/indicators.ts';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY_1, deliver, proofOf } from './small-lake.ts';

const { signal } = new AbortController();
const event = (id: string, score = 1) => ({ id, timeMs: DAY_1, score, issuers: ['x'] });
/** A lake that is opened this number of days from now. */
const openLater = (directory: string, days: number, more: Partial<LakeOptions> = {}) =>
  openSmall(directory, { clock: { ...systemClock, nowMs: () => Date.now() + days * MS_PER_DAY }, ...more });
const put = async (directory: string, path: string, text = 'text') => {
  await mkdir(dirname(join(directory, path)), { recursive: true });
  await writeFile(join(directory, path), text);
};
const gone = async (lake: Lake, dryRun = false) =>
  (await lake.vacuum({ dryRun }, { signal })).removed.map(({ reason, path }) => `${reason} ${path}`);

describe('vacuum', () => {
  test('empties the trash once its commits are older than the grace period, and needs a lake that may be written', async () => {
    const directory = await newDirectory();
    const early = await openSmall(directory);
    await deliver(early, [event('a'), event('b')]);
    await deliver(early, [event('a', 2)]);
    await early.close();
    const trashed = `trash _trash/${'2'.padStart(20, '0')}`;
    const later = await openLater(directory, 8);
    await deliver(later, [event('a', 3)]);
    // A lease is renewed by the clock of this machine.
    const present = async () =>
      (await readdir(directory, { recursive: true })).filter((path) => !path.startsWith('_leases/'));
    const before = await present();
    const dry = await later.vacuum({ dryRun: true }, { signal });
    expect(dry.removed.map(({ reason, path }) => `${reason} ${path}`)).toEqual([trashed]);
    const inTrash = await readdir(join(directory, '_trash', '2'.padStart(20, '0')), { recursive: true });
    expect(dry.removed.map(({ files }) => files)).toEqual([inTrash.filter((name) => name.endsWith('.parquet')).length]);
    expect(dry.bytes).toBeGreaterThan(500);
    expect(await present()).toEqual(before);
    const reader = await openLater(directory, 8, { readOnly: true });
    expect(await gone(reader, true)).toEqual([trashed]);
    await expect(reader.vacuum({}, { signal })).rejects.toMatchObject({ code: 'BUG' });

    expect(await later.vacuum({}, { signal })).toEqual({ ...dry, dryRun: false });
    expect(await readdir(join(directory, '_trash'))).toEqual(['3'.padStart(20, '0')]);
    expect(await gone(later)).toEqual([]);
    expect((await later.vacuum({ graceMs: -1 }, { signal })).removed).toHaveLength(1);
    expect(await ask(later, 'SELECT event_id, score FROM events ORDER BY 1')).toEqual([
      ['a', 3],
      ['b', 1],
    ]);
    await later.close();
    expect(await deliver(await openSmall(directory), [event('a', 3)])).toMatchObject({ unchangedEvents: 1 });
  });

  test('removes files of the index and of standing hunts that a killed process left, and no other', async () => {
    const directory = await newDirectory();
    const lake = await openLater(directory, 8);
    await deliver(lake, [event('a')]);
    await lake.indexValues({}, { signal });
    const indicator = recognise('event:a');
    await lake.keepHunts(() => [{ name: 'a.txt', indicators: indicator === null ? [] : [indicator] }], { signal });
    await deliver(lake, [event('b')]);
    const left = ['_hunts', '_values'].map((folder) => `${folder}/${randomUUID()}.parquet`);
    for (const path of left) await put(directory, path);
    expect(await gone(lake, true)).toEqual(left.map((path) => `derived ${path}`));
    expect(await gone(lake)).toHaveLength(2);
    expect(await ask(lake, 'SELECT event_id FROM hunt_matches')).toEqual([['a']]);
    expect(await lake.valueIndex()).toMatchObject({ known: 2 });
    expect(await lake.verify(null, signal)).toMatchObject({ findings: [] });
  });

  test('removes files that no entry names, and no file that one does', async () => {
    const directory = await newDirectory();
    const lake = await openLater(directory, 8);
    await deliver(lake, [event('a')]);
    const folder = 'events/event_date=2020-08-17';
    for (const path of ['announced', 'orphan']) await put(directory, `${folder}/${path}.parquet`);
    const manifest = {
      format: 1,
      commitId: 'c',
      version: 9,
      owner: systemProcesses.current(),
      writtenAt: '',
      files: [],
    };
    const files = [`${folder}/announced.parquet`];
    await put(directory, '_spool/publish-c.json', JSON.stringify({ ...manifest, files }));
    const [kept, left] = [
      [`${folder}/notes.txt`, '_runs/r.jsonl', 'mine/other.parquet'],
      [
        '_ids/stray.parquet',
        '_log/1.json.x.partial',
        '_leases/a.0.json.x.partial',
        '_runs/reconciliation.json.r.part',
        'lake.duckdb.wal',
        'lake.duckdb.tmp/spill',
        '_lake.json.y.partial',
      ],
    ];
    for (const path of [...kept, ...left]) await put(directory, path);
    const young = await openLater(directory, 6, { readOnly: true });
    expect(await gone(young, true)).toEqual([]);
    const expected = [
      'index _ids/stray.parquet',
      `orphan ${folder}/orphan.parquet`,
      'partial _lake.json.y.partial',
      'partial _leases/a.0.json.x.partial',
      'partial _log/1.json.x.partial',
      'partial _runs/reconciliation.json.r.part',
      'views lake.duckdb.tmp',
      'views lake.duckdb.wal',
    ];
    expect(await gone(lake, true)).toEqual(expected);
    expect(await gone(lake)).toEqual(expected);
    const present = await readdir(directory, { recursive: true });
    expect(present).toEqual(expect.arrayContaining([...kept, ...files]));
    expect(present).not.toContain(`${folder}/orphan.parquet`);
    // They may be all that remains of a commit whose log entry was lost.
    const keptAt = present.filter((path) => /^_trash\/[^/]+\/.*(orphan|stray)\.parquet$/.test(path));
    expect(keptAt.map((path) => path.split('/').slice(2).join('/')).sort()).toEqual([
      '_ids/stray.parquet',
      `${folder}/orphan.parquet`,
    ]);
    expect(await ask(lake, 'SELECT event_id FROM events')).toEqual([['a']]);
  });

  test('removes pages and work of dead processes, and leaves those of live ones', async () => {
    const directory = await newDirectory();
    const lake = await openLater(directory, 8);
    const dead = { ...systemProcesses.current(), startIdentity: 'another boot:1' };
    const journal = (...owners: object[]) =>
      owners.map((owner) => `${JSON.stringify({ type: 'start', owner })}\n`).join('{"torn\n');
    for (const run of ['alive', 'dead', 'resumed', 'unknown']) await put(directory, `_spool/${run}/window/0.ndjson`);
    await put(directory, '_runs/alive.jsonl', journal(systemProcesses.current()));
    await put(directory, '_runs/dead.jsonl', journal(dead));
    await put(directory, '_runs/resumed.jsonl', journal(dead, systemProcesses.current()));
    await put(directory, '_spool/tmp/far/spill');
    await put(directory, '_spool/tmp/far.owner.json', JSON.stringify({ ...dead, host: 'far' }));
    expect(await gone(lake)).toEqual([
      'spool _spool/dead',
      'spool _spool/tmp/far',
      'spool _spool/tmp/far.owner.json',
      'spool _spool/unknown',
    ]);
    expect((await readdir(join(directory, '_spool'))).sort()).toEqual(['alive', 'resumed', 'tmp']);
    expect(await deliver(lake, [event('a')])).toMatchObject({ newEvents: 1 });
  });

  test('without a grace period leaves what another process may be writing, until that process is gone', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await deliver(lake, [event('a')]);
    // As left by a process that the process table reports as alive: the parent of this one.
    const other = { ...systemProcesses.current(), pid: process.ppid, startIdentity: '', instance: randomUUID() };
    const leaseFile = `_leases/${other.instance}.0.json`;
    await put(directory, leaseFile, JSON.stringify(other));
    const written = [
      '_log/2.json.x.partial',
      'events/event_date=2020-08-17/new.parquet',
      'lake.duckdb.tmp/spill',
      `_spool/tmp/theirs.owner.json`,
      '_spool/tmp/theirs/spill',
    ];
    for (const path of written)
      await put(directory, path, path.endsWith('.owner.json') ? JSON.stringify(other) : 'text');
    await mkdir(join(directory, '_trash', '2'.padStart(20, '0')), { recursive: true });
    const eager = async () => (await lake.vacuum({ graceMs: -1 }, { signal })).removed.map(({ path }) => path);
    expect(await eager()).toEqual([]);
    await rm(join(directory, leaseFile));
    await put(directory, '_spool/tmp/theirs.owner.json', JSON.stringify({ ...other, startIdentity: 'another boot:1' }));
    expect((await eager()).sort()).toEqual([
      '_log/2.json.x.partial',
      '_spool/tmp/theirs',
      '_spool/tmp/theirs.owner.json',
      '_trash/00000000000000000002',
      'events/event_date=2020-08-17/new.parquet',
      'lake.duckdb.tmp',
    ]);
  });

  test('stops when it is aborted', async () => {
    const lake = await openSmall(await newDirectory());
    const aborted = AbortSignal.abort();
    await expect(lake.vacuum({}, { signal: aborted })).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('old log entries', () => {
  const entries = async (directory: string) =>
    (await readdir(join(directory, '_log'))).filter((name) => !name.includes('checkpoint')).length;
  const commitProofs = async (lake: Lake, from: number, count: number) => {
    for (let n = from; n < from + count; n += 1) {
      await lake.commit({ batch: null, proofs: [proofOf([n, n + 1], {})], runId: 'test' });
    }
  };

  test('go when a checkpoint includes them, and a reader that opened the lake before misses nothing', async () => {
    const directory = await newDirectory();
    const lake = await openLater(directory, -8);
    await deliver(lake, [event('a')]);
    const [reader, writer] = [await openSmall(directory, { readOnly: true }), await openSmall(directory)];
    expect((await reader.snapshot()).version).toBe(1);
    await commitProofs(lake, 0, 49);
    const vacuuming = await openSmall(directory);
    const { removed } = await vacuuming.vacuum({}, { signal });
    expect(removed).toHaveLength(18);
    expect(await entries(directory)).toBe(32);
    const newest = await vacuuming.snapshot();
    expect(newest.version).toBe(50);
    expect(newest.proofs).toHaveLength(49);
    expect(await reader.snapshot()).toEqual(newest);
    const opened = await openSmall(directory, { readOnly: true });
    expect(await opened.snapshot()).toEqual(newest);
    // A writer that has not seen the removal of the entries does not take the version of one of them.
    expect(await deliver(writer, [event('b')])).toMatchObject({ version: 51, newEvents: 1 });
    expect(await deliver(lake, [event('b')])).toMatchObject({ version: 51, unchangedEvents: 1 });
    expect(await ask(reader, 'SELECT event_id FROM events ORDER BY 1')).toEqual([['a'], ['b']]);
  });

  test('go after a checkpoint is made where none holds them', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await commitProofs(lake, 0, 40);
    const newest = await lake.snapshot();
    const names = await readdir(join(directory, '_log'));
    for (const name of names) if (name.includes('checkpoint')) await rm(join(directory, '_log', name));
    expect(await gone(await openLater(directory, 8))).toHaveLength(8);
    expect(await (await openSmall(directory, { readOnly: true })).snapshot()).toEqual(newest);
  });

  test('younger than the grace period stay, and a dry run makes no checkpoint', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await commitProofs(lake, 0, 40);
    expect(await gone(lake)).toEqual([]);
    const before = await readdir(join(directory, '_log'));
    const later = await openLater(directory, 8);
    expect(await gone(later, true)).toHaveLength(8);
    expect(await readdir(join(directory, '_log'))).toEqual(before);
    expect(await gone(later)).toHaveLength(8);
    expect(await gone(later)).toEqual([]);
  });
});
