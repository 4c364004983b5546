import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@edrlake/core';
import { expect, test } from 'vitest';
import { unknownEvents } from '../src/commit/id-index.ts';
import { openCommitLog } from '../src/log/commit-log.ts';
import { hashIds } from '../src/log/id-hashes.ts';
import { rowsOf } from '../src/log/table-rows.ts';
import { findSuspects, SUSPECTS } from '../src/maintenance/find-suspects.ts';
import { storeAt } from '../src/object-store/open-object-lake.ts';
import { openDuckDb } from '../src/storage/duckdb.ts';
import { editNewestEntry } from './lake-homes.ts';
import { newDirectory, openSmall } from './opened-lakes.ts';
import { DAY_1, deliver, HOUR, SMALL_TABLES, type SmallEvent } from './small-lake.ts';

const event = (id: string, hour: number): SmallEvent => ({
  ...{ id, timeMs: DAY_1 + hour * HOUR, score: 1, issuers: ['x', 'y'] },
});

/** Files as a log entry names them. */
type Added = readonly { readonly table: string; readonly partition: string; readonly path: string }[];

/**
 * A lake with every kind of suspect: stored twice on a day (b) and on two days (c), child rows twice (those of the day
 * of d), child rows without their event (those of the day of e). All others are sound; the index names none of the
 * first.
 */
async function prepared(): Promise<string> {
  const directory = await newDirectory();
  const lake = await openSmall(directory);
  await deliver(lake, [event('a', 0), event('b', 1), event('c', 30), ...sound(3, 20)]);
  const idFiles = (await lake.snapshot()).idFiles.map(({ path }) => path);
  await lake.close();
  await editNewestEntry(directory, (last) => ({ ...last, crc32: undefined, idsAdded: [], idsRemoved: idFiles }));
  const again = await openSmall(directory);
  await deliver(again, [event('b', 2), event('c', 60), event('d', 80), event('e', 100), ...sound(5, 20)]);
  await again.close();
  const copies: { path: string; of: string }[] = [];
  await editNewestEntry(directory, (last) => {
    const kept = (last.added as Added).filter(({ table, partition }) => !(table === 'events' && isDay(partition, 21)));
    const children = kept.filter(({ table, partition }) => table === 'certificates' && isDay(partition, 20));
    const twice = children.map((file) => ({ ...file, path: file.path.replace('.parquet', 'a.parquet') }));
    copies.push(...twice.map(({ path }, at) => ({ path, of: children[at]?.path ?? '' })));
    return { ...last, crc32: undefined, added: [...kept, ...twice] };
  });
  for (const { path, of } of copies) await copyFile(join(directory, of), join(directory, path));
  return directory;
}

function isDay(partition: string, day: number): boolean {
  return partition.endsWith(`2020-08-${day}`);
}

function sound(kind: number, count: number): SmallEvent[] {
  return Array.from({ length: count }, (_, at) => event(`${kind}-${at}`, (at * 5) % 48));
}

test('finds the same suspects and unknown events, however few rows are looked at together', async () => {
  const directory = await prepared();
  const store = await storeAt({ directory }, { writes: false, nowMs: systemClock.nowMs() });
  const state = await (await openCommitLog(store)).refresh();
  const spillDirectory = join(directory, '_spool', 'spill');
  const duckDb = await openDuckDb(null, { memoryLimit: '512MB', threads: 1, keepsRowOrder: false, spillDirectory });
  const { connection } = duckDb;
  const context = { store, connection, tables: SMALL_TABLES };
  const files = [...state.identityFiles.values()].map((file) => ({ file, location: store.locate(file.path) }));
  try {
    for (const [rowsAtOnce, hashesAtOnce] of [
      [1_000, 1_000],
      [25, 7],
      [4, 3],
      [1, 1],
    ] as const) {
      const days = await findSuspects(context, state, { rowsAtOnce, hashesAtOnce });
      const found = await rowsOf(connection, `SELECT event_id FROM ${SUSPECTS} ORDER BY 1`);
      expect(found.map(({ event_id }) => event_id)).toEqual(['b', 'c', 'd', 'e']);
      expect(days.map((day) => day.slice(8))).toEqual(['17', '18', '19', '20', '21']);
      // The events of the first delivery, less the one that the second stored on the same day.
      expect(await unknownEvents(context, { files }, hashesAtOnce)).toBe(22);
    }
    await hashIds(context, state);
    expect(await unknownEvents(context, { files })).toBe(22);
    const range = { startMs: DAY_1 + 24 * HOUR, endMs: DAY_1 + 72 * HOUR };
    expect(await findSuspects(context, state, { range, rowsAtOnce: 3, hashesAtOnce: 2 })).toEqual([
      '2020-08-18',
      '2020-08-19',
    ]);
  } finally {
    duckDb.close();
  }
});
