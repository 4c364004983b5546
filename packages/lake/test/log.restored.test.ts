import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Lake, openLake } from '../src/index.ts';
import { type Indicator, recognise } from '../src/indicators.ts';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY_1, deliver, HOUR, proofOfDays, SMALL_OPTIONS, type SmallEvent } from './small-lake.ts';

const run = { runId: 'r', signal: new AbortController().signal };
const EVIL = { name: 'evil.txt', indicators: [recognise('evil.example') as Indicator] };
const event = (id: string, hour: number, more: Partial<SmallEvent> = {}): SmallEvent => ({
  ...{ id, timeMs: DAY_1 + hour * HOUR, type: 'evil.example', ...more },
});

/** What a log names. The rest is derived from it, and not part of a backup that holds no more than it must. */
const LOGGED = ['_log', '_ids', 'events', 'certificates', 'rejects'];
const DERIVED = ['_proof', '_hunts', 'lake.duckdb'];

/** A lake at version 1, closed, and a copy of it. */
async function lakeWithCopy(): Promise<{ readonly directory: string; readonly restore: () => Promise<void> }> {
  const directory = await newDirectory();
  const lake = await openSmall(directory);
  await deliver(lake, [event('a', 0)]);
  await lake.keepHunts(() => [EVIL], run);
  await lake.close();
  const copy = `${directory}-before`;
  await cp(directory, copy, { recursive: true });
  const restore = async () => {
    for (const folder of LOGGED) {
      await rm(join(directory, folder), { recursive: true, force: true });
      await cp(join(copy, folder), join(directory, folder), { recursive: true }).catch(() => undefined);
    }
  };
  return { directory, restore };
}

const idsIn = (lake: Lake, table = 'events') => ask(lake, `select event_id from ${table} order by all`);
const jsonAt = async (...path: string[]) => JSON.parse(await readFile(join(...path), 'utf8'));

describe('after an older log was restored', () => {
  let [directory, restore]: [string, () => Promise<void>] = ['', async () => {}];
  beforeEach(async () => {
    ({ directory, restore } = await lakeWithCopy());
  });

  /** Brings the lake to version 2. */
  const commit = async (...events: SmallEvent[]) => {
    const lake = await openSmall(directory);
    await deliver(lake, events, { proofs: [proofOfDays(DAY_1, 1, [event('a', 0), ...events])] });
    await lake.close();
  };

  test('a reader that is open shows what the log has by then', async () => {
    await commit(event('lost', 1), event('lost-too', 2));
    const reader = await openSmall(directory, { readOnly: true });
    expect(await reader.snapshot()).toMatchObject({ version: 2 });
    expect(await idsIn(reader)).toEqual([['a'], ['lost'], ['lost-too']]);
    await restore();
    expect(await reader.snapshot()).toMatchObject({ version: 1, proofs: [] });
    expect(await idsIn(reader)).toEqual([['a']]);
    expect((await reader.coverage()).map(({ verdict }) => verdict)).toEqual(['partial']);
    await commit(event('new', 1));
    expect(await reader.snapshot()).toMatchObject({ version: 2 });
    expect(await idsIn(reader)).toEqual([['a'], ['new']]);
  });

  test('a reader that did not look meanwhile follows commits of the same numbers, and later ones', async () => {
    await commit(event('lost', 1));
    const [same, later] = [
      await openSmall(directory, { readOnly: true }),
      await openSmall(directory, { readOnly: true }),
    ];
    for (const reader of [same, later]) expect(await idsIn(reader)).toEqual([['a'], ['lost']]);
    await restore();
    await commit(event('new', 1));
    expect(await same.snapshot()).toMatchObject({ version: 2 });
    expect(await idsIn(same)).toEqual([['a'], ['new']]);
    await commit(event('newer', 2));
    expect(await later.snapshot()).toMatchObject({ version: 3 });
    expect(await idsIn(later)).toEqual([['a'], ['new'], ['newer']]);
  });

  test('a writer that is open commits nothing: what it has committed is lost', async () => {
    await commit(event('lost', 1));
    const writer = await openLake({ ...SMALL_OPTIONS, directory });
    await deliver(writer, [event('lost-too', 2)]);
    await restore();
    await expect(deliver(writer, [event('x', 3)])).rejects.toMatchObject({
      code: 'LAKE_CORRUPT',
      message: /no longer the one/,
    });
    await writer.close().catch(() => undefined);
    const reader = await openSmall(directory, { readOnly: true });
    expect(await idsIn(reader)).toEqual([['a']]);
  });

  /** Commits, and leaves what is derived as it was. */
  const commitOnly = async (...events: SmallEvent[]) => {
    for (const path of DERIVED) await cp(join(directory, path), `${directory}-derived/${path}`, { recursive: true });
    await commit(...events);
    for (const path of DERIVED) {
      await rm(join(directory, path), { recursive: true });
      await cp(`${directory}-derived/${path}`, join(directory, path), { recursive: true });
    }
  };

  test.each([
    ['went on to the same number', [event('new', 1)]],
    ['holds less', []],
  ])('proofs, views and matches are made anew where the log %s', async (_, events) => {
    await commit(event('lost', 1), event('lost-too', 25));
    expect(await jsonAt(directory, '_proof/2020-08-17.json')).toMatchObject({ version: 2 });
    await restore();
    if (events.length > 0) await commitOnly(...events);
    const isProven = events.length > 0;
    const expected = [['a'], ...events.map(({ id }) => [id])];
    const reader = await openSmall(directory, { readOnly: true });
    expect(await idsIn(reader)).toEqual(expected);
    expect(await idsIn(reader, 'events_proven')).toEqual(isProven ? expected : []);
    const { version, commitId } = await reader.snapshot();
    // One that writes the documents of proofs alone, then one that writes the rest.
    await (await openSmall(directory, { writer: 'parquetjs' })).close();
    expect(await jsonAt(directory, '_proof/index.json')).toMatchObject({ version, commitId });
    const { tables, proven, version: shown } = await jsonAt(directory, '_proof/2020-08-17.json');
    expect({ rows: tables.events.rows, proven }).toEqual({ rows: expected.length, proven: isProven });
    expect(shown).toBeLessThanOrEqual(version);
    await expect(jsonAt(directory, '_proof/2020-08-18.json')).rejects.toThrow('ENOENT');
    await (await openSmall(directory)).close();
    const hunts = { version, commitId, lists: [{ matches: expected.length }] };
    expect(await reader.standingHunts()).toMatchObject(hunts);
    expect(await idsIn(reader, 'hunt_matches')).toEqual(expected);
  });
});
