import { execFileSync } from 'node:child_process';
import { copyFile, cp, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, systemProcesses } from '@edrlake/core';
import { expect, test } from 'vitest';
import { examineLake, type Lake, type LakeDamage, rebuildLog } from '../src/index.ts';
import { recognise } from '../src/indicators.ts';
import { onFailingDisk } from './failing-disk.ts';
import { ask, askPlain, madeOnce, newDirectory, openSmall, plainRows } from './opened-lakes.ts';
import { whileReplaced } from './overtaking.ts';
import { DAY_1, deliver, HOUR, proofOfDays, SMALL_DATASET, SMALL_OPTIONS, type SmallEvent } from './small-lake.ts';

const event = (id: string, hour: number): SmallEvent => ({
  ...{ id, timeMs: DAY_1 + hour * HOUR, score: 1, issuers: ['x', 'y'] },
});
const EVENTS = [event('a', 0), event('b', 1), event('c', 30)];
const LATER = [event('d', 2)];
const REJECTS = ['no id'];
const signal = new AbortController().signal;
const copyOfStored = madeOnce(async (lake) => {
  await deliver(lake, EVENTS, { proofs: [proofOfDays(DAY_1, 2, EVENTS)], rejects: REJECTS });
  await deliver(lake, LATER);
  await writeFile(join(lake.directory, '_runs/20261128T000000Z-0001.jsonl'), '{"type":"start"}\n');
});
const SQL = (events: string, children: string) =>
  `SELECT event_id, (SELECT count(*)::INTEGER FROM ${children} c WHERE c.event_id = e.event_id) FROM ${events} e ORDER BY ALL`;
const ROWS = ['a', 'b', 'c', 'd'].map((id) => [id, 2]);

const entry = (version: number) => `_log/${String(version).padStart(20, '0')}.json`;
const examine = (directory: string, nowMs = Date.now(), reads: 'all' | 'sample' = 'all') =>
  examineLake({ directory, dataset: SMALL_DATASET, clock: { ...systemClock, nowMs: () => nowMs }, reads });

async function stored(): Promise<string> {
  const directory = await newDirectory();
  await copyOfStored(directory);
  return directory;
}

/** The nth data or index file in a folder. */
async function fileIn(directory: string, folder: string, nth = 0): Promise<string> {
  const names = (await readdir(join(directory, folder), { recursive: true })).filter((name) =>
    name.endsWith('.parquet'),
  );
  return join(directory, folder, names.sort()[nth] ?? 'none');
}

async function flip(path: string): Promise<void> {
  const content = await readFile(path);
  const position = Math.floor(content.length / 3);
  content.writeUInt8(content.readUInt8(position) ^ 1, position);
  await writeFile(path, content);
}

async function withLake<T>(directory: string, work: (lake: Lake) => Promise<T>): Promise<T> {
  const lake = await openSmall(directory);
  const result = await work(lake);
  await lake.close();
  return result;
}

/** Stores the later events once more, as a damaged index would have. */
async function duplicate(directory: string): Promise<void> {
  const path = join(directory, entry(2));
  const last = JSON.parse(await readFile(path, 'utf8'));
  const all = (await readdir(join(directory, '_ids'))).map((name) => `_ids/${name}`);
  await writeFile(path, JSON.stringify({ ...last, crc32: undefined, idsAdded: [], idsRemoved: all }));
  for (const name of all) await rm(join(directory, name));
  await withLake(directory, (lake) => deliver(lake, EVENTS.slice(0, 2)));
}

const manifest = (owner: object, files: readonly string[] = []) =>
  JSON.stringify({ format: 1, commitId: '20200101T000000Z-00000000', version: 9, owner, writtenAt: '', files });
const DEAD = { ...systemProcesses.current(), startIdentity: 'another boot:1' };
const LEASE = '_leases/00000000-0000-4000-8000-000000000000.7.json';
const ORPHAN = 'events/event_date=2020-08-17/20200101T000000Z-00000000-0.parquet';
const MANIFEST = '_spool/publish-20200101T000000Z-00000000.json';
const put = (path: string, text: string) => (directory: string) => writeFile(join(directory, path), text);

/** Runs the named commands; the API of `reconcile --repair` is replaced by another delivery. */
async function repair(directory: string, { command, paths }: LakeDamage): Promise<void> {
  if (command === null) return;
  if (!command.startsWith('edrlake ')) {
    execFileSync('sh', ['-c', command], { cwd: directory });
  } else if (command.startsWith('edrlake rebuild-log')) {
    const force = command.endsWith('--force');
    await rebuildLog({ ...SMALL_OPTIONS, directory }, { force, runId: 'r' });
  } else {
    await withLake(directory, async (lake) => {
      if (command === 'edrlake deduplicate') await lake.deduplicate('r');
      else if (command === 'edrlake vacuum') await lake.vacuum({}, { signal });
      else if (command === 'edrlake vacuum --grace 0s') await lake.vacuum({ graceMs: -1_000 }, { signal });
      else if (command === 'edrlake reconcile --repair') {
        await lake.forgetLostFiles('r', paths);
        await deliver(lake, [...EVENTS, ...LATER], { rejects: REJECTS });
      } else throw new Error(`a command that no test knows: ${command}`);
    });
  }
}

type Damage = (directory: string) => Promise<unknown>;
const REBUILD = 'edrlake rebuild-log';
const DAMAGES: readonly (readonly [string, Damage, { part: string; command: string | null; repairs?: false }])[] = [
  ['a lease of a dead process', put(LEASE, JSON.stringify(DEAD)), { part: 'leases', command: 'edrlake vacuum' }],
  ['a lease that is garbage', put(LEASE, 'x'), { part: 'leases', command: `rm ${LEASE}` }],
  ['a file among the leases', put('_leases/note', ''), { part: 'leases', command: 'rm _leases/note' }],
  ['a torn log entry', (d) => truncate(join(d, entry(2)), 90), { part: 'log', command: REBUILD }],
  ['an empty log entry', put(entry(1), ''), { part: 'log', command: REBUILD, repairs: false }],
  ['a log entry that is null', put(entry(2), 'null'), { part: 'log', command: REBUILD, repairs: false }],
  ['a log entry that is garbage', put(entry(1), 'x'), { part: 'log', command: REBUILD, repairs: false }],
  ['a log entry without fields', put(entry(1), '{"format":1}'), { part: 'log', command: REBUILD, repairs: false }],
  ['a log entry of a newer edrlake', put(entry(2), '{"format":99}'), { part: 'log', command: null, repairs: false }],
  [
    'an entry under the name of another',
    (d) => copyFile(join(d, entry(1)), join(d, entry(2))),
    { part: 'log', command: REBUILD, repairs: false },
  ],
  ['a lost first entry', (d) => rm(join(d, entry(1))), { part: 'log', command: REBUILD }],
  [
    'a hole in the log',
    (d) => rename(join(d, entry(2)), join(d, entry(3))),
    { part: 'log', command: REBUILD, repairs: false },
  ],
  ['a lost last entry', (d) => rm(join(d, entry(2))), { part: 'log', command: REBUILD }],
  ['a lost log', (d) => rm(join(d, '_log'), { recursive: true }), { part: 'log', command: REBUILD }],
  [
    'a lost log and index',
    (d) => Promise.all(['_log', '_ids'].map((name) => rm(join(d, name), { recursive: true }))),
    { part: 'log', command: REBUILD },
  ],
  ['a broken checkpoint', put('_log/00000000000000000001.checkpoint.json', '{'), { part: 'log', command: REBUILD }],
  ['a strange file in the log', put('_log/notes.txt', ''), { part: 'log', command: null, repairs: false }],
  ['no marker', (d) => rm(join(d, '_lake.json')), { part: 'marker', command: 'echo \'{"format":2}\' > _lake.json' }],
  ['a broken marker', put('_lake.json', 'lake'), { part: 'marker', command: 'echo \'{"format":2}\' > _lake.json' }],
  [
    'a marker that is null',
    put('_lake.json', 'null'),
    { part: 'marker', command: 'echo \'{"format":2}\' > _lake.json', repairs: false },
  ],
  ['a marker of a newer edrlake', put('_lake.json', '{"format":3}'), { part: 'marker', command: null, repairs: false }],
  [
    'a lost file of events',
    async (d) => rm(await fileIn(d, 'events')),
    { part: 'data', command: 'edrlake reconcile --repair' },
  ],
  [
    'a lost file of a child table',
    async (d) => rm(await fileIn(d, 'certificates', 1)),
    { part: 'data', command: 'edrlake reconcile --repair' },
  ],
  [
    'a lost file of rejects',
    async (d) => rm(await fileIn(d, 'rejects')),
    { part: 'data', command: 'edrlake reconcile --repair' },
  ],
  [
    'a cut data file',
    async (d) => truncate(await fileIn(d, 'events'), 100),
    { part: 'data', command: 'edrlake reconcile --repair', repairs: false },
  ],
  [
    'an empty data file',
    async (d) => truncate(await fileIn(d, 'events')),
    { part: 'data', command: 'edrlake reconcile --repair', repairs: false },
  ],
  [
    'a flipped bit in a data file',
    async (d) => flip(await fileIn(d, 'certificates')),
    { part: 'data', command: 'edrlake reconcile --repair' },
  ],
  [
    'a data file in the place of another',
    async (d) => copyFile(await fileIn(d, 'events'), await fileIn(d, 'events', 1)),
    { part: 'data', command: 'edrlake reconcile --repair' },
  ],
  [
    'a strange file in a table',
    put('events/event_date=2020-08-17/mine.parquet', 'mine'),
    { part: 'data', command: 'edrlake vacuum --grace 0s' },
  ],
  [
    'a data file of no version',
    async (d) => copyFile(await fileIn(d, 'events'), join(d, ORPHAN)),
    { part: 'data', command: 'edrlake vacuum --grace 0s' },
  ],
  [
    'an older log beside newer data',
    async (d) => {
      await cp(join(d, '_log'), join(d, 'backup'), { recursive: true });
      await withLake(d, (lake) => deliver(lake, [event('e', 3)]));
      await rm(join(d, '_log'), { recursive: true });
      await rename(join(d, 'backup'), join(d, '_log'));
    },
    { part: 'log', command: REBUILD, repairs: false },
  ],
  ['a lost index file', async (d) => rm(await fileIn(d, '_ids')), { part: 'index', command: 'edrlake deduplicate' }],
  [
    'a flipped bit in an index file',
    async (d) => flip(await fileIn(d, '_ids', 1)),
    { part: 'index', command: 'edrlake deduplicate' },
  ],
  ['a lost index', (d) => rm(join(d, '_ids'), { recursive: true }), { part: 'index', command: 'edrlake deduplicate' }],
  [
    'an index that lacks events',
    async (d) => {
      const path = join(d, entry(2));
      const last = JSON.parse(await readFile(path, 'utf8'));
      await writeFile(path, JSON.stringify({ ...last, crc32: undefined, idsAdded: [] }));
      await rm(await fileIn(d, '_ids', 1));
    },
    { part: 'index', command: 'edrlake deduplicate' },
  ],
  ['events that are stored twice', duplicate, { part: 'duplicates', command: 'edrlake deduplicate' }],
  ['a manifest that is garbage', put(MANIFEST, '{"for'), { part: 'work', command: 'edrlake vacuum' }],
  ['a manifest that is null', put(MANIFEST, 'null'), { part: 'work', command: 'edrlake vacuum', repairs: false }],
  ['an empty manifest', put(MANIFEST, ''), { part: 'work', command: 'edrlake vacuum', repairs: false }],
  [
    'a commit that died',
    async (d) => {
      await copyFile(await fileIn(d, 'events'), join(d, ORPHAN));
      await writeFile(join(d, MANIFEST), manifest(DEAD, [ORPHAN]));
    },
    { part: 'work', command: 'edrlake vacuum' },
  ],
  [
    'an owner file that is garbage',
    put('_spool/tmp/x.owner.json', '{'),
    { part: 'work', command: 'edrlake vacuum --grace 0s' },
  ],
  [
    'an empty journal',
    put('_runs/20261128T000000Z-0002.jsonl', ''),
    { part: 'work', command: 'rm _runs/20261128T000000Z-0002.jsonl' },
  ],
  [
    'a journal that is null',
    put('_runs/20261128T000000Z-0002.jsonl', 'null\nnull\n'),
    { part: 'work', command: 'rm _runs/20261128T000000Z-0002.jsonl', repairs: false },
  ],
  ['no views', (d) => rm(join(d, 'lake.duckdb')), { part: 'views', command: 'edrlake vacuum' }],
  ['broken views', put('lake.duckdb', 'DUCK'), { part: 'views', command: 'edrlake vacuum' }],
  [
    'views of an older version',
    async (d) => {
      await copyFile(join(d, 'lake.duckdb'), join(d, 'older'));
      await withLake(d, (lake) => lake.commit({ batch: null, proofs: [proofOfDays(DAY_1, 3, EVENTS)], runId: 'r' }));
      await rename(join(d, 'older'), join(d, 'lake.duckdb'));
    },
    { part: 'views', command: 'edrlake vacuum' },
  ],
];

test.each(DAMAGES)('%s is found, and what is named repairs it', async (_, damage, { part, command, repairs }) => {
  const directory = await stored();
  await damage(directory);
  const before = (await readdir(directory, { recursive: true })).sort();
  const found = await examine(directory);
  expect(found).toContainEqual(expect.objectContaining({ part, command }));
  expect(found.every(({ means, found: what }) => means.length > 20 && what.length > 10)).toBe(true);
  expect((await readdir(directory, { recursive: true })).sort()).toEqual(before);
  if (repairs === false) return;
  // The first command may be enough, and the last may need a second round.
  for (let rounds = 0; rounds < 3; rounds += 1) {
    const [next] = await examine(directory);
    if (next === undefined) break;
    await repair(directory, next);
  }
  expect(await examine(directory)).toEqual([]);
  const lake = await openSmall(directory);
  expect(await ask(lake, SQL('events', 'certificates'))).toEqual(ROWS);
  expect(await askPlain(SQL(plainRows(directory, 'events'), plainRows(directory, 'certificates')))).toEqual(ROWS);
  expect(await ask(lake, 'SELECT count(*) FROM rejects')).toEqual([[1]]);
});

test('a lake without damage has no finding: new, compacted, vacuumed, with old files, and of an older edrlake', async () => {
  const directory = await stored();
  expect(await examine(directory)).toEqual([]);
  await withLake(directory, (lake) => lake.compact({}, { runId: 'c', signal }));
  expect(await examine(directory)).toEqual([]);
  await withLake(directory, (lake) => lake.vacuum({ graceMs: -1_000 }, { signal }));
  expect(await examine(directory)).toEqual([]);
  const older = await stored();
  for (const version of [1, 2]) {
    const { previousCommitId: _, ...rest } = JSON.parse(await readFile(join(older, entry(version)), 'utf8'));
    const text = JSON.stringify(rest).replaceAll(/,"crc32":(?:\d+|"\w+")/g, '');
    await writeFile(join(older, entry(version)), text);
  }
  expect(await examine(older)).toEqual([]);
  const empty = await newDirectory();
  await withLake(empty, async () => undefined);
  expect(await examine(empty)).toEqual([]);
  await expect(examine(join(empty, 'nowhere'))).rejects.toMatchObject({ code: 'LAKE_MISSING' });
});

test('a file that a writer replaces meanwhile is not reported as lost', async () => {
  const directory = await stored();
  expect(await whileReplaced(directory, () => examine(directory))).toMatchObject({
    isReplaced: true,
    value: [{ part: 'views' }, { part: 'proofs' }],
  });
});

test('a folder that cannot be listed is reported, and not taken for an empty one', async () => {
  const directory = await stored();
  for (const folder of ['_log', '_ids', 'events']) {
    const matches = (path: string) => path === join(directory, folder);
    const { outcome } = await onFailingDisk([{ call: 'readdir', errno: 'EACCES', matches, nth: null }], () =>
      examine(directory),
    );
    expect(outcome).toMatchObject({ value: [{ part: 'folders', found: `${folder} cannot be listed: EACCES` }] });
  }
});

test('commits and proofs ahead of the clock are reported', async () => {
  const found = await examine(await stored(), Date.parse('2026-01-01'));
  expect(found).toMatchObject([{ part: 'clock', found: expect.stringMatching(/^version 2 was committed at 20/) }]);
});

test('a folder without a lake is reported as missing', async () => {
  const directory = await newDirectory();
  await mkdir(directory);
  await expect(examine(directory)).rejects.toMatchObject({ code: 'LAKE_MISSING' });
});

test('a sample finds missing and shortened files, and damaged newest ones, without looking for ids stored twice', async () => {
  const sample = (directory: string) => examine(directory, Date.now(), 'sample');
  const [twice, damaged, cut] = [await stored(), await stored(), await stored()];
  await duplicate(twice);
  expect((await examine(twice)).map(({ part }) => part)).toContain('duplicates');
  expect(await sample(twice)).toEqual([]);
  await flip(await fileIn(damaged, 'certificates', 1));
  await truncate(await fileIn(cut, 'events'), 40);
  for (const directory of [damaged, cut]) expect(await sample(directory)).toMatchObject([{ part: 'data' }]);
});

test('a damaged value index and damaged matches of standing hunts are found, with the command that makes them anew', async () => {
  const directory = await stored();
  const indicator = recognise('x') ?? recognise('host:x');
  const lists = [{ name: 'list.txt', indicators: indicator === null ? [] : [indicator] }];
  const run = { runId: 'r', signal };
  await withLake(directory, async (lake) => {
    await lake.indexValues({ rebuild: true }, run);
    await lake.keepHunts(() => lists, run);
  });
  expect(await examine(directory)).toEqual([]);
  const about = async () => (await examine(directory)).map(({ part, command }) => [part, command]);
  await flip(await fileIn(directory, '_values'));
  await flip(await fileIn(directory, '_hunts'));
  expect(await about()).toEqual([
    ['values', 'edrlake index --rebuild'],
    ['hunts', 'edrlake hunt --standing'],
  ]);
  await withLake(directory, async (lake) => {
    await lake.indexValues({ rebuild: true }, run);
    await lake.keepHunts(() => lists, run);
    await lake.vacuum({ graceMs: -1_000 }, { signal });
  });
  expect(await about()).toEqual([]);
  await writeFile(join(directory, '_values/index.json'), 'x');
  for (const name of await readdir(join(directory, '_hunts'))) {
    if (name.endsWith('.json')) await writeFile(join(directory, '_hunts', name), 'x');
  }
  expect((await about()).map(([part]) => part)).toEqual(['values', 'hunts']);
});
