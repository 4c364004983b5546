import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, test } from 'vitest';
import type { Lake, StandingList } from '../src/index.ts';
import { type Indicator, recognise } from '../src/indicators.ts';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, SMALL_OPTIONS, type SmallEvent } from './small-lake.ts';

const run = { runId: 'r', signal: new AbortController().signal };

function sought(text: string): Indicator {
  const indicator = recognise(text);
  if (indicator === null) throw new Error(text);
  return indicator;
}

describe('hunt_matches', () => {
  const EVIL = { name: 'evil.txt', indicators: [sought('evil.example')] };
  const one = (n: number, more: Partial<SmallEvent> = {}): SmallEvent => ({
    ...{ id: `F_${n}`, timeMs: DAY_1 + n * HOUR, type: 'evil.example', agent: `ws-${n}`, ...more },
  });

  test('are found by the commit that brings them, which reads its own files alone', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await deliver(lake, [one(1)]);
    expect(await readdir(join(directory, '_hunts'))).toEqual([]);
    await lake.keepHunts(() => [EVIL], run);
    const [file] = (await lake.snapshot()).files.events ?? [];
    const path = join(directory, file?.path ?? '');
    const bytes = await readFile(path);
    await writeFile(path, bytes.with(8, bytes.readUInt8(8) ^ 0xff));
    await deliver(lake, [one(2), one(3, { type: 'other.example' })]);
    expect(await ask(lake, 'select event_id from hunt_matches order by all')).toEqual([['F_1'], ['F_2']]);
    expect(await lake.standingHunts()).toMatchObject({ pending: 0, version: 2 });
    // A new indicator is looked for in the past, where the damage shows.
    await lake.keepHunts(() => [EVIL, { name: 'two.txt', indicators: [sought('host:ws-1')] }], run);
    expect(await lake.standingHunts()).toMatchObject({ pending: 1 });
    await writeFile(path, bytes);
    await lake.keepHunts((lists) => lists, run);
    expect(await ask(lake, 'select list, event_id from hunt_matches order by all')).toEqual([
      ...[
        ['evil.txt', 'F_1'],
        ['evil.txt', 'F_2'],
      ],
      ['two.txt', 'F_1'],
    ]);
    await lake.close();
    const views = `ATTACH '${join(directory, 'lake.duckdb')}' AS lake (READ_ONLY)`;
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    await connection.run(views);
    const rows = await connection.runAndReadAll('SELECT count(*)::INTEGER FROM lake.hunt_matches');
    expect(rows.getRowsJson()).toEqual([[3]]);
    connection.closeSync();
    instance.closeSync();
  });

  test('are reported once, keep the time at which they were found, and go with their list', async () => {
    const directory = await newDirectory();
    let nowMs = DAY_1 + 40 * DAY;
    const clock = { ...SMALL_OPTIONS.clock, nowMs: () => nowMs };
    const lake = await openSmall(directory, { clock });
    await lake.keepHunts(() => [EVIL], run);
    await deliver(lake, [one(1)]);
    nowMs += HOUR;
    await deliver(lake, [one(1, { score: 7, processedMs: DAY_1 + DAY }), one(2)]);
    const all = async () => ask(lake, 'select event_id, epoch_ms(found_at)::DOUBLE from hunt_matches order by all');
    const expected = [
      ['F_1', nowMs - HOUR],
      ['F_2', nowMs],
    ];
    expect(await all()).toEqual(expected);
    nowMs += HOUR;
    await lake.compact({ minFiles: 2 }, run);
    await lake.keepHunts(null, run);
    expect(await all()).toEqual(expected);
    const { count, matches, generation } = await lake.newMatches('hook', 1);
    expect([count, matches[0]?.eventId, matches[0]?.column]).toEqual([2, 'F_1', 'events.event_type']);
    await lake.markReported('hook', generation);
    expect((await lake.newMatches('hook', 9)).count).toBe(0);
    expect((await lake.newMatches('command', 9)).count).toBe(2);
    await deliver(lake, [one(3), one(2, { score: 8, processedMs: DAY_1 + DAY })]);
    await lake.compact({ minFiles: 2 }, run);
    await lake.keepHunts(null, run);
    expect((await lake.newMatches('hook', 9)).matches.map(({ eventId }) => eventId)).toEqual(['F_3']);
    await lake.keepHunts(() => [], run);
    expect(await all()).toEqual([]);
    const files = (await readdir(join(directory, '_hunts'))).filter((name) => name.endsWith('.parquet'));
    expect(files.length).toBeLessThanOrEqual(2);
  });

  test('of writers at the same time are all kept', async () => {
    const directory = await newDirectory();
    const lakes = [await openSmall(directory), await openSmall(directory), await openSmall(directory)];
    await lakes[0]?.keepHunts(() => [EVIL], run);
    for (const [n, lake] of lakes.entries()) await deliver(lake, [one(n)]);
    const add = (name: string) => (lists: readonly StandingList[]) => [...lists, { ...EVIL, name }];
    await Promise.all(lakes.map((lake, n) => lake.keepHunts(add(`list-${n}`), run)));
    const rows = await ask(
      lakes[0] as Lake,
      'select list, count(*)::INTEGER from hunt_matches group by all order by all',
    );
    expect(rows).toEqual(['evil.txt', 'list-0', 'list-1', 'list-2'].map((name) => [name, 3]));
  });
});
