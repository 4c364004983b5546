import { access, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MS_PER_DAY, systemClock } from '@edrlake/core';
import { describe, expect, test } from 'vitest';
import { examineLake, type Lake, type PublishOptions } from '../src/index.ts';
import { onFailingDisk } from './failing-disk.ts';
import { ask, askPlain, newDirectory, openSmall } from './opened-lakes.ts';
import { event, loggedIn, openFilled, SCORES, TABLES, treeOf } from './published-lakes.ts';
import { DAY, DAY_1, deliver, proofOf, SMALL_DATASET } from './small-lake.ts';

const { signal } = new AbortController();
/** A commit without files. */
const prove = (lake: Lake, day: number) =>
  lake.commit({
    batch: null,
    proofs: [proofOf([DAY_1 + day * DAY, DAY_1 + (day + 1) * DAY], {})],
    runId: 'test',
    replace: false,
  });
const publish = (lake: Lake, options: PublishOptions = {}) => lake.publish('delta', options, { signal });

interface DeltaAdd {
  readonly path: string;
  readonly size: number;
  readonly partitionValues: Record<string, string>;
  readonly stats: string;
}

/** What the log of a Delta table says, replayed by the text of its protocol: files by path, for each version. */
async function replayed(root: string, table: string): Promise<Map<number, Map<string, DeltaAdd>>> {
  const folder = join(root, table, '_delta_log');
  const names = (await readdir(folder)).filter((name) => /^\d{20}\.json$/.test(name)).sort();
  const files = new Map<string, DeltaAdd>();
  const versions = new Map<number, Map<string, DeltaAdd>>();
  for (const name of names) {
    for (const line of (await readFile(join(folder, name), 'utf8')).trim().split('\n')) {
      const { add, remove } = JSON.parse(line) as { add?: DeltaAdd; remove?: { path: string } };
      if (add !== undefined) files.set(decodeURIComponent(add.path), add);
      if (remove !== undefined && !files.delete(decodeURIComponent(remove.path))) throw new Error(`${name}: ${line}`);
    }
    versions.set(Number(name.slice(0, 20)), new Map(files));
  }
  return versions;
}

describe('tables published as Delta', () => {
  test('have at version n the files of version n of the lake, with their rows and statistics', async () => {
    const { directory, lake } = await openFilled();
    const report = await publish(lake);
    expect(report).toMatchObject({ version: 5, firstVersion: 0, written: 6 });
    const root = join(directory, '_tables');
    for (const table of TABLES) {
      const expected = await loggedIn(directory, table);
      const found = await replayed(root, table);
      expect([...found.keys()]).toEqual([0, 1, 2, 3, 4, 5]);
      for (const [version, files] of found) {
        expect([...files.keys()].sort(), `${table} ${version}`).toEqual(expected.get(version));
        for (const [path, { size, partitionValues, stats }] of files) {
          const at = join(root, table, path);
          expect((await stat(at)).size).toBe(size);
          expect(path.startsWith(Object.entries(partitionValues).flat().join('='))).toBe(true);
          const [[rows]] = (await askPlain(`SELECT count(*)::INTEGER FROM '${at}'`)) as [[number]];
          expect(JSON.parse(stats)).toMatchObject({ numRecords: rows });
        }
      }
    }
    const at = async (version: number) => {
      const files = [...((await replayed(root, 'events')).get(version)?.keys() ?? [])];
      const list = files.map((path) => `'${join(root, 'events', path)}'`).join(', ');
      return askPlain(`SELECT event_id, score FROM read_parquet([${list}]) ORDER BY 1`);
    };
    for (const version of [1, 2, 3, 4, 5]) expect(await at(version)).toEqual(SCORES[version]);
    expect(await at(5)).toEqual(await ask(lake, 'SELECT event_id, score FROM events ORDER BY 1'));
  });

  test('say types, comments and the partition, and which entry only moved rows', async () => {
    const { directory, lake } = await openFilled();
    await publish(lake);
    const entry = async (version: number) => {
      const path = join(directory, '_tables/events/_delta_log', `${String(version).padStart(20, '0')}.json`);
      const lines = (await readFile(path, 'utf8')).trim().split('\n');
      return lines.map((line) => JSON.parse(line) as Record<string, Record<string, unknown> | undefined>);
    };
    const actions = await entry(0);
    const metaData = actions.find((action) => action.metaData)?.metaData;
    expect(actions.find((action) => action.protocol)?.protocol).toEqual({ minReaderVersion: 1, minWriterVersion: 2 });
    expect(metaData).toMatchObject({ name: 'events', partitionColumns: ['event_date'] });
    const { fields } = JSON.parse(String(metaData?.schemaString)) as { fields: { name: string; type: string }[] };
    expect(Object.fromEntries(fields.map(({ name, type }) => [name, type]))).toEqual({
      ...{ event_date: 'date', event_id: 'string', event_time: 'timestamp', processed_time: 'timestamp' },
      ...{ event_type: 'string', agent_id: 'string', score: 'integer', extra: 'string' },
    });
    expect(fields.find(({ name }) => name === 'extra')).toMatchObject({ metadata: { comment: 'extra (JSON)' } });
    const changes = (await entry(4))
      .flatMap(({ add, remove }) => [add, remove])
      .filter((action) => action !== undefined);
    expect(changes.length).toBeGreaterThan(2);
    expect(changes.every(({ dataChange }) => dataChange === false)).toBe(true);
    const [added] = (await entry(3)).map(({ add }) => add).filter((add) => add !== undefined);
    expect(added?.dataChange).toBe(true);
    expect(JSON.parse(String(added?.stats))).toMatchObject({
      minValues: { event_time: '2020-08-17T01:00:00.000Z' },
      nullCount: { event_time: 0 },
    });
    expect((await entry(3)).find(({ txn }) => txn)?.txn).toMatchObject({ appId: 'edrlake', version: 3 });
  });

  test('are the same when published twice, by two at once, or step by step', async () => {
    const { directory, lake } = await openFilled();
    await publish(lake);
    const whole = await treeOf(join(directory, '_tables'));
    const times = async () => (await stat(join(directory, '_tables/delta.json'))).mtimeMs;
    const before = await times();
    expect(await publish(lake)).toMatchObject({ version: 5, written: 0 });
    expect(await treeOf(join(directory, '_tables'))).toEqual(whole);
    expect(await times()).toBe(before);

    await rm(join(directory, '_tables'), { recursive: true });
    const other = await openSmall(directory);
    const reports = await Promise.all([publish(lake), publish(other), publish(lake)]);
    expect(reports.map(({ version }) => version)).toEqual([5, 5, 5]);
    expect(await treeOf(join(directory, '_tables'))).toEqual(whole);
  });

  test('are completed by the next call after a death at any step', { timeout: 60_000 }, async () => {
    const { directory, lake } = await openFilled();
    const root = join(directory, '_tables');
    await publish(lake);
    const whole = await treeOf(root);
    const isPublished = (path: string) => path.includes('/_tables/');
    for (let nth = 1; ; nth += 4) {
      await rm(root, { recursive: true });
      const fault = { call: 'link' as const, errno: 'EIO', matches: isPublished, nth };
      const { outcome } = await onFailingDisk([fault], () => publish(lake));
      // Every name below it is given by a link, except that of the last.
      if ('value' in outcome) {
        expect(nth).toBeGreaterThan(30);
        break;
      }
      for (const table of TABLES) {
        const found = await replayed(root, table).catch(() => new Map<number, Map<string, DeltaAdd>>());
        for (const files of found.values()) for (const path of files.keys()) await access(join(root, table, path));
      }
      expect(await publish(lake), `after step ${nth}`).toMatchObject({ version: 5 });
      expect(await treeOf(root), `after step ${nth}`).toEqual(whole);
    }
  });

  test('have a checkpoint that says what the entries say', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    for (let n = 0; n < 11; n += 1) await deliver(lake, [event(`e${n}`, n % 3)]);
    await publish(lake);
    const root = join(directory, '_tables');
    const log = join(root, 'events/_delta_log');
    expect(JSON.parse(await readFile(join(log, '_last_checkpoint'), 'utf8'))).toMatchObject({ version: 10 });
    const file = join(log, `${'10'.padStart(20, '0')}.checkpoint.parquet`);
    const adds = await askPlain(`SELECT add.path, add.size, add.stats FROM '${file}' WHERE add IS NOT NULL ORDER BY 1`);
    const expected = [...((await replayed(root, 'events')).get(10)?.entries() ?? [])].sort();
    expect(adds).toEqual(expected.map(([path, { size, stats }]) => [path, String(size), stats]));
    expect(
      await askPlain(
        `SELECT metaData.name, metaData.partitionColumns, protocol.minReaderVersion, txn.version FROM (SELECT max(metaData) AS metaData, max(protocol) AS protocol, max(txn) AS txn FROM '${file}')`,
      ),
    ).toEqual([['events', ['event_date'], 1, '10']]);
  });

  test('disturb no pattern over the lake, no examination and no verification', async () => {
    const { directory, lake } = await openFilled();
    const sql = `SELECT count(*) FROM '${directory}/events/*/*.parquet'`;
    const before = [await askPlain(sql), await examineLake({ directory, dataset: SMALL_DATASET, clock: systemClock })];
    await publish(lake);
    const after = [await askPlain(sql), await examineLake({ directory, dataset: SMALL_DATASET, clock: systemClock })];
    expect(after).toEqual(before);
    expect((await lake.verify(null, signal)).findings).toEqual([]);
    expect((await lake.vacuum({ graceMs: -1, dryRun: true }, { signal })).removed.map(({ path }) => path)).toEqual(
      expect.not.arrayContaining([expect.stringMatching(/^events/)]),
    );
  });
});

describe('the history of published tables', () => {
  test('goes with the files that vacuum deletes, and the space with it', async () => {
    const { directory, lake } = await openFilled();
    await publish(lake);
    const root = join(directory, '_tables');
    const removed = (await lake.vacuum({ graceMs: -1 }, { signal })).removed.map(({ path }) => path);
    expect(removed.filter((path) => path.startsWith('_tables/')).length).toBeGreaterThan(4);
    const found = await replayed(root, 'events');
    const present = async (version: number) =>
      (
        await Promise.all(
          [...(found.get(version)?.keys() ?? [])].map((path) =>
            access(join(root, 'events', path)).then(
              () => true,
              () => false,
            ),
          ),
        )
      ).every(Boolean);
    expect(await Promise.all([1, 2, 3, 4, 5].map(present))).toEqual([false, false, false, true, true]);
    // One that comes later begins at the first version of which all files are there.
    await rm(root, { recursive: true });
    expect(await publish(lake)).toMatchObject({ firstVersion: 4, version: 5, written: 2 });
    const again = await replayed(root, 'events');
    expect([...again.keys()]).toEqual([4, 5]);
    expect([...(again.get(5)?.keys() ?? [])].sort()).toEqual((await loggedIn(directory, 'events')).get(5));
    expect(await readdir(join(root, 'events/_delta_log'))).toContain(`${'4'.padStart(20, '0')}.checkpoint.parquet`);
  });

  test('outlives a file that the lake has lost, until vacuum', async () => {
    const { directory, lake } = await openFilled();
    await publish(lake);
    const [path = ''] = (await loggedIn(directory, 'events')).get(5) ?? [];
    await rm(join(directory, 'events', path));
    expect(await lake.forgetLostFiles('test')).toEqual([`events/${path}`]);
    expect(await publish(lake)).toMatchObject({ version: 6 });
    expect((await replayed(join(directory, '_tables'), 'events')).get(6)?.has(path)).toBe(false);
    const second = join(directory, '_tables/events', path);
    await access(second);
    await lake.vacuum({}, { signal });
    await access(second);
    await lake.vacuum({ graceMs: -1 }, { signal });
    await expect(access(second)).rejects.toThrow('ENOENT');
  });

  test('in another folder is released by the next publication', async () => {
    const { directory, lake } = await openFilled();
    const to = join(dirname(directory), 'open');
    expect((await publish(lake, { to })).tables.events).toBe(join(to, 'events'));
    await deliver(lake, [event('x', 0)]);
    expect((await publish(lake, { to })).filesReleased).toBe(0);
    await lake.vacuum({ graceMs: -1 }, { signal });
    expect((await publish(lake, { to })).filesReleased).toBeGreaterThan(4);
    const live = [...((await replayed(to, 'events')).get(6)?.keys() ?? [])].sort();
    const present = (await readdir(join(to, 'events'), { recursive: true })).filter((name) =>
      /^event_date.*parquet$/.test(name),
    );
    expect(present.sort()).toEqual(live);
  });

  test('begins anew behind entries that the log of the lake has lost', async () => {
    const directory = await newDirectory();
    let days = 0;
    const lake = await openSmall(directory, { clock: { ...systemClock, nowMs: () => Date.now() + days * MS_PER_DAY } });
    await deliver(lake, [event('a', 0)]);
    await publish(lake);
    await deliver(lake, [event('a', 0, { score: 1 })]);
    for (let n = 0; n < 39; n += 1) await prove(lake, n);
    days = 30;
    await deliver(lake, [event('b', 0)]);
    await lake.vacuum({}, { signal });
    const first = Number(
      (await readdir(join(directory, '_log')))
        .filter((name) => !name.includes('c'))
        .sort()[0]
        ?.slice(0, 20),
    );
    expect(first).toBeGreaterThan(3);
    const report = await publish(lake);
    expect(report).toMatchObject({ version: 42 });
    expect(report.firstVersion).toBeGreaterThan(2);
    const file = join(
      directory,
      '_tables/events/_delta_log',
      `${String(report.firstVersion).padStart(20, '0')}.checkpoint.parquet`,
    );
    expect(await askPlain(`SELECT count(*)::INTEGER FROM '${file}' WHERE add IS NOT NULL`)).toEqual([[1]]);
    expect(await publish(lake)).toMatchObject({ written: 0 });
  });
});

describe('publishing is refused', () => {
  test('where the lake is not the one that was published', async () => {
    const { directory, lake } = await openFilled();
    const copy = `${directory}-before`;
    await cp(directory, copy, { recursive: true });
    await deliver(lake, [event('x', 2)]);
    await publish(lake);
    await lake.close();
    await cp(join(directory, '_tables'), join(copy, '_tables'), { recursive: true });
    const restored = await openSmall(copy);
    await expect(publish(restored)).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', message: /version 6.*version 5/ });
    await deliver(restored, [event('y', 2)]);
    await expect(publish(restored)).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', message: /is commit/ });
  });

  test('into the lake, and over what is not a publication', async () => {
    const { directory, lake } = await openFilled();
    await expect(publish(lake, { to: join(directory, 'events') })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(publish(lake, { to: directory })).rejects.toMatchObject({ code: 'USAGE' });
    await mkdir(join(directory, '_tables'));
    await writeFile(join(directory, '_tables/delta.json'), '{"mine":1}');
    await expect(publish(lake)).rejects.toMatchObject({ code: 'PUBLISH_REFUSED' });
  });

  test('where a file of the newest version is gone', async () => {
    const { directory, lake } = await openFilled();
    const [path = ''] = (await loggedIn(directory, 'events')).get(5) ?? [];
    await rm(join(directory, 'events', path));
    await expect(publish(lake)).rejects.toMatchObject({ code: 'LAKE_CORRUPT', context: { path: `events/${path}` } });
  });
});
