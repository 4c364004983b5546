import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CommitStep } from '../src/index.ts';
import { buildChild, type ChildScript } from './child-build.ts';
import { chosenOf, copyLake, filesOf, IN_OBJECTS, urlOf } from './lake-homes.ts';
import { ask, askPlain, newDirectory, openSmall, plainRows } from './opened-lakes.ts';
import { DAY_1, deliver, HOUR, type SmallEvent } from './small-lake.ts';

let child: ChildScript;
beforeAll(async () => {
  child = await buildChild(new URL('./commit-child.ts', import.meta.url));
});
afterAll(() => child.remove());

const STORED: readonly SmallEvent[] = ['a', 'b', 'c'].map((id, hour) => ({
  ...{ id, timeMs: DAY_1 + hour * HOUR, score: 1, issuers: ['x'] },
}));
/** One changed, one unchanged, one new, one that moves to the next day. */
const DELIVERED: readonly SmallEvent[] = [
  { ...STORED[0], id: 'a', timeMs: DAY_1, score: 2 },
  { ...STORED[1], id: 'b', timeMs: DAY_1 + HOUR },
  { id: 'c', timeMs: DAY_1 + 25 * HOUR, score: 1, issuers: ['x'] },
  { id: 'd', timeMs: DAY_1 + 4 * HOUR, score: 4, issuers: ['x', 'y'] },
];
/** Event rows with the number of their child rows. */
const rowsIn = (events: string, children: string) =>
  `SELECT event_id, event_date::VARCHAR, score, (SELECT count(*)::INTEGER FROM ${children} c WHERE c.event_id = e.event_id) FROM ${events} e ORDER BY ALL`;
const rowsInFiles = async (directory: string) => {
  const files = await filesOf(directory);
  return rowsIn(plainRows(files, 'events'), plainRows(files, 'certificates'));
};
const BEFORE = [
  ['a', '2020-08-17', 1, 1],
  ['b', '2020-08-17', 1, 1],
  ['c', '2020-08-17', 1, 1],
];
const AFTER = [
  ['a', '2020-08-17', 2, 1],
  ['b', '2020-08-17', 1, 1],
  ['c', '2020-08-18', 1, 1],
  ['d', '2020-08-17', 4, 2],
];

describe.each(['duckdb', 'parquetjs'] as const)('a writer killed in the middle of a commit, %s', (writer) => {
  let stored: string;
  beforeAll(async () => {
    stored = await mkdtemp(join(tmpdir(), 'lake-stored-'));
    await child.run({ directory: stored, ...(await urlOf(stored)), writer, batches: [STORED], killAt: null });
  });
  afterAll(() => rm(stored, { recursive: true, force: true }));
  const points: readonly (readonly [CommitStep, number, boolean])[] = [
    ['screened', 1, false],
    ['staged', 1, false],
    ['manifest-written', 1, false],
    ['file-moved', 1, false],
    ['file-moved', 4, false],
    ['files-moved', 1, false],
    ['committed', 1, true],
    ['file-trashed', 1, true],
    ['trashed', 1, true],
    ['settled', 1, true],
    // The first occurrence is at opening: the views of the copied lake still point to its old path.
    ['views-written', 2, true],
  ];
  // The portable writer has no views. In an object store replaced files keep their places, and views are no file.
  const missing = IN_OBJECTS ? ['file-trashed', 'views-written'] : writer === 'duckdb' ? [] : ['views-written'];
  const reached = points.filter(([step]) => !missing.includes(step));

  test.each(chosenOf(reached))('at %s (%i) leaves all of it or nothing', async (step, occurrence, isCommitted) => {
    const directory = await newDirectory();
    await copyLake(stored, directory);
    const { signal, errors } = await child.run({
      ...{ directory, ...(await urlOf(directory)), writer, batches: [DELIVERED] },
      killAt: { step, occurrence },
    });
    expect({ signal, errors }).toEqual({ signal: 'SIGKILL', errors: '' });
    const expected = isCommitted ? AFTER : BEFORE;

    // A reader sees one version of all tables, and recovers the folders, too.
    const copy = await newDirectory();
    await copyLake(directory, copy);
    const reader = await openSmall(copy, { readOnly: true, create: false });
    expect(await ask(reader, rowsIn('events', 'certificates'))).toEqual(expected);
    await reader.close();
    expect(await askPlain(await rowsInFiles(copy))).toEqual(expected);

    // The next writer recovers the folders, so that a pattern over them returns the same rows.
    const next = await openSmall(directory, { writer });
    expect(await askPlain(await rowsInFiles(directory))).toEqual(expected);
    expect(await readdir(join(directory, '_spool'))).toEqual(['tmp']);

    // The interrupted work, repeated, has the same result as without the interruption.
    await deliver(next, DELIVERED);
    expect(await ask(next, rowsIn('events', 'certificates'))).toEqual(AFTER);
    expect((await next.snapshot()).version).toBe(2);
    await next.close();
    expect(await readdir(join(directory, '_spool/tmp'))).toEqual([]);
  });
});

describe('writers in two processes', () => {
  test('both get everything in, each event once', async () => {
    const directory = await newDirectory();
    const event = (id: string, score: number): SmallEvent => ({ id, timeMs: DAY_1, score, issuers: ['x'] });
    const batchesOf = (name: string) =>
      Array.from({ length: 5 }, (_, n) => [event(`${name}${n}`, n), event('both', n), event('same', 0)]);
    const url = await urlOf(directory);
    const [one, two] = await Promise.all(
      ['p', 'q'].map((name) => child.run({ directory, ...url, batches: batchesOf(name), killAt: null })),
    );
    expect([one, two]).toEqual([
      { code: 0, signal: null, errors: '' },
      { code: 0, signal: null, errors: '' },
    ]);
    const lake = await openSmall(directory);
    const ids = [...Array.from('pq', (name) => [0, 1, 2, 3, 4].map((n) => `${name}${n}`)).flat(), 'both', 'same'];
    const expected = ids.sort().map((id) => [id]);
    expect(await ask(lake, 'SELECT event_id FROM events ORDER BY 1')).toEqual(expected);
    expect(await ask(lake, 'SELECT event_id FROM certificates ORDER BY 1')).toEqual(expected);
    const inFiles = plainRows(await filesOf(directory), 'events');
    expect(await askPlain(`SELECT event_id FROM ${inFiles} ORDER BY 1`)).toEqual(expected);
    expect((await lake.snapshot()).version).toBe(10);
  });
});
