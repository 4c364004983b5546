import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EdrlakeError } from '@edrlake/core';
import { describe, expect, test } from 'vitest';
import { type Lake, type LakeWriter, rebuildLog } from '../src/index.ts';
import { newS3Server, openRemote } from './object-lakes.ts';
import { ask, askPlain, newDirectory, openSmall, plainRows } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, proofOfDays, SMALL_OPTIONS, type SmallEvent } from './small-lake.ts';

const { signal } = new AbortController();
const run = { runId: 'test', signal };
const digits = '12345678901234567890123.10';
const eventsOf = (day: number, extras: readonly (string | undefined)[]): SmallEvent[] =>
  extras.map((extra, n) => ({
    ...{ id: `E${day}-${n}`, timeMs: DAY_1 + day * DAY + n * HOUR, score: n, issuers: ['x'] },
    ...(extra !== undefined && { extra }),
  }));
// Numbers and escapes that writing the JSON anew would change.
const FIRST = eventsOf(0, [
  `{"file":{"signer":"Ü\\u0041","size":${digits}},"a":1e2}`,
  '{"file":{"signer":7}}',
  '{"file":{"signer":"only"}}',
  undefined,
]);
const SECOND = eventsOf(1, ['{"other":"\\/"}', undefined]);
const THIRD = eventsOf(2, ['{"file":{"signer":"later","x":[null]}}', '{"file":"signer"}']);
const ALL = [...FIRST, ...SECOND, ...THIRD];
const ROWS = 'SELECT event_id, file_signer, extra::VARCHAR FROM events ORDER BY 1';
const PROMOTED = [
  ['E0-0', 'ÜA', `{"file":{"size":${digits}},"a":1e2}`],
  ['E0-1', null, '{"file":{"signer":7}}'],
  ['E0-2', 'only', null],
  ['E0-3', null, null],
  ['E1-0', null, '{"other":"\\/"}'],
  ['E1-1', null, null],
];
const LATER = [
  ['E2-0', 'later', '{"file":{"x":[null]}}'],
  ['E2-1', null, '{"file":"signer"}'],
];
const findingsOf = async (lake: Lake) => (await lake.verify(null, signal)).findings;
const pathsOf = async (lake: Lake) => (await lake.snapshot()).files.events?.map(({ path }) => path) ?? [];
/** The order of members carries no meaning; the digits of numbers do. */
const jsonOf = (text: unknown) =>
  typeof text === 'string' ? JSON.parse(text.replace(/(?<=:)-?\d[\d.e+]*/g, (number) => `"#${number}"`)) : text;

describe.each<LakeWriter>(['duckdb', 'parquetjs'])('a path of extra in a lake of the writer %s', (writer) => {
  test('becomes a column over all history and of what comes, and goes back', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory, { writer });
    await deliver(lake, FIRST, { proofs: [proofOfDays(DAY_1, 1, FIRST)] });
    await deliver(lake, SECOND);
    // Another writer, which has opened the lake before.
    const other = await openSmall(directory, { writer });
    const [, untouched] = await pathsOf(lake);
    const report = await lake.promote({ path: 'file.signer', type: 'text' }, run);
    expect(report).toEqual({
      ...{ version: 3, table: 'events', path: 'file.signer', column: 'file_signer', type: 'text' },
      ...{ values: 2, left: 1, files: 1 },
    });
    expect(await ask(lake, ROWS)).toEqual(PROMOTED);
    expect(await pathsOf(lake)).toContain(untouched);
    expect(await lake.promote({ path: 'file.signer' }, run)).toMatchObject({ version: null, files: 0, left: 1 });
    // The index knows the records, and without it the rows are compared.
    expect(await deliver(other, ALL)).toMatchObject({ version: 4, newEvents: 2, changedEvents: 0, unchangedEvents: 6 });
    const again = ALL.map((event) => ({ ...event, noise: 'another record' }));
    expect(await deliver(other, again)).toMatchObject({ newEvents: 0, changedEvents: 0, unchangedEvents: 8 });
    expect(await ask(lake, ROWS)).toEqual([...PROMOTED, ...LATER]);
    const plain = `SELECT event_id, file_signer, extra FROM ${plainRows(directory, 'events').replace(/\)$/, ', union_by_name = true)')} ORDER BY 1`;
    expect(await askPlain(plain)).toEqual([...PROMOTED, ...LATER]);
    expect(await findingsOf(lake)).toEqual([]);
    await other.compact({}, run);
    expect(await findingsOf(lake)).toEqual([]);
    expect(await ask(lake, ROWS)).toEqual([...PROMOTED, ...LATER]);

    const demoted = await other.demote({ column: 'file_signer' }, run);
    expect(demoted).toMatchObject({ table: 'events', path: 'file.signer', values: 3 });
    expect((await lake.tables())[0]?.columns.map(({ name }) => name)).not.toContain('file_signer');
    const extras = await ask(lake, 'SELECT event_id, extra::VARCHAR FROM events ORDER BY 1');
    expect(extras.map(([id, extra]) => [id, jsonOf(extra)])).toEqual(
      ALL.map(({ id, extra = null }) => [id, jsonOf(extra)]),
    );
    expect((await lake.coverage())[0]).toMatchObject({ day: '2020-08-17', verdict: 'complete' });
    expect(await findingsOf(lake)).toEqual([]);
    await expect(askPlain(plain)).rejects.toThrow(/file_signer/);
    expect(await lake.promote({ path: 'file.signer', as: 'signer', type: 'json' }, run)).toMatchObject({ values: 4 });
    expect(await fieldIds(directory)).toEqual([['10']]);
  });

  test('is promoted and demoted beside other writers', async () => {
    const directory = await newDirectory();
    const [lake, other] = [await openSmall(directory, { writer }), await openSmall(directory, { writer })];
    await deliver(lake, FIRST);
    const later = [3, 4, 5, 6].map((day) =>
      eventsOf(day, [`{"file":{"signer":"of ${day}"}}`, '{"file":{"signer":1.0}}']),
    );
    const deliverAll = async (days: readonly (readonly SmallEvent[])[]) => {
      for (const events of days) await deliver(other, events);
    };
    await Promise.all([deliverAll(later.slice(0, 2)), lake.promote({ path: 'file.signer', type: 'text' }, run)]);
    const held = "SELECT count(file_signer)::INTEGER, count(extra->>'$.file.signer')::INTEGER FROM events";
    expect(await ask(lake, held)).toEqual([[4, 3]]);
    await Promise.all([deliverAll(later.slice(2)), lake.demote({ column: 'file_signer' }, run)]);
    expect(await ask(lake, "SELECT count(extra->>'$.file.signer')::INTEGER FROM events")).toEqual([[11]]);
    expect(await findingsOf(lake)).toEqual([]);
  });

  test('survives the loss of the log', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory, { writer });
    await deliver(lake, FIRST);
    await lake.promote({ path: 'file.signer', type: 'text' }, run);
    await deliver(lake, [...SECOND, ...THIRD]);
    await lake.close();
    await rm(join(directory, '_log'), { recursive: true });
    await rebuildLog({ ...SMALL_OPTIONS, directory }, { force: false, runId: 'rebuilt' });
    const rebuilt = await openSmall(directory, { writer });
    expect(await ask(rebuilt, ROWS)).toEqual([...PROMOTED, ...LATER]);
    expect(await deliver(rebuilt, ALL)).toMatchObject({ newEvents: 0, changedEvents: 0 });
    const demoted = await rebuilt.demote({ column: 'file_signer' }, run);
    expect(demoted).toMatchObject({ path: 'file.signer', values: 3 });
  });
});

describe('promote', () => {
  test('changes no other value: compared file by file', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    for (const events of [FIRST, SECOND, THIRD]) await deliver(lake, events, { rejects: [`reject ${events.length}`] });
    const others = (path: string) =>
      askPlain(
        `SELECT * EXCLUDE (extra) FROM read_parquet('${join(directory, path)}', hive_partitioning = false) ORDER BY event_id`,
      );
    const before = await filesByPlace(lake);
    const values = new Map<string, unknown>();
    for (const [place, path] of before) if (place.startsWith('events/')) values.set(place, await others(path));
    await lake.promote({ path: 'file.signer', as: 'signer', type: 'text' }, run);
    const after = await filesByPlace(lake);
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    const changed = [...after].filter(([place, path]) => before.get(place) !== path).map(([place]) => place);
    expect(changed.sort()).toEqual(['events/event_date=2020-08-17', 'events/event_date=2020-08-19']);
    for (const place of changed) {
      const rows = (await others(after.get(place) ?? '')).map((row) => row.slice(0, -1));
      expect(rows).toEqual(values.get(place));
    }
  });

  test('refuses what cannot be a column, and changes nothing', async () => {
    const lake = await openSmall(await newDirectory());
    await deliver(lake, ALL);
    const { version } = await lake.snapshot();
    const refusal = async (request: Parameters<Lake['promote']>[0]) => {
      const thrown = await lake.promote(request, run).catch((error: unknown) => error);
      expect(thrown).toMatchObject({ code: 'USAGE' });
      const { message, hint } = thrown as EdrlakeError;
      return `${message} ${hint}`;
    };
    expect(await refusal({ path: 'file.signers' })).toMatch(/no row of events has file.signers.*mean file.signer\?/);
    expect(await refusal({ path: 'file.signer' })).toMatch(/several types: text in 3 rows, bigint in 1 row/);
    expect(await refusal({ path: 'file.signer', type: 'timestamp' })).toMatch(/no value .* of the type timestamp/);
    expect(await refusal({ path: 'a', as: 'score' })).toMatch(/already has a column score/);
    expect(await refusal({ path: 'a', as: 'Score 2' })).toMatch(/expected a column name/);
    expect(await refusal({ path: 'a', as: 'id_hash' })).toMatch(/cannot be named id_hash/);
    expect(await refusal({ path: 'file..x' })).toMatch(/expected a path in extra/);
    expect(await refusal({ path: 'a', table: 'event' })).toMatch(/no table event .*mean events\?/);
    expect((await lake.snapshot()).version).toBe(version);
    await lake.promote({ path: 'file.signer', type: 'text' }, run);
    expect(await refusal({ path: 'file', type: 'json' })).toMatch(
      /promoted already, as file_signer.*demote file_signer/,
    );
    expect(await refusal({ path: 'file.signer', as: 'signer' })).toMatch(/promoted already, as file_signer \(text\)/);
    await expect(lake.demote({ column: 'score' }, run)).rejects.toMatchObject({ code: 'USAGE', hint: /dataset stay/ });
    await expect(lake.demote({ column: 'file_sign' }, run)).rejects.toMatchObject({
      hint: 'Did you mean file_signer?',
    });
    expect((await lake.snapshot()).version).toBe(version + 1);
  });

  test('makes a column for what may come, where its type is given', async () => {
    const lake = await openSmall(await newDirectory());
    await deliver(lake, SECOND);
    const at = { path: 'seen."at.ms"', type: 'timestamp' } as const;
    expect(await lake.promote(at, run)).toMatchObject({ version: 2, column: 'seen_at_ms', values: 0, files: 0 });
    await deliver(lake, eventsOf(2, ['{"seen":{"at.ms":"2020-08-17T04:15:06.000+0000"}}', '{"seen":{"at.ms":"x"}}']));
    const rows = await ask(lake, 'SELECT epoch_ms(seen_at_ms)::DOUBLE, extra::VARCHAR FROM events ORDER BY event_id');
    expect(rows.slice(2)).toEqual([
      [Date.parse('2020-08-17T04:15:06Z'), null],
      [null, '{"seen":{"at.ms":"x"}}'],
    ]);
  });

  test('works in an object store, for all machines', async () => {
    const server = await newS3Server();
    const lake = await openRemote(server);
    await deliver(lake, FIRST);
    const other = await openRemote(server, { create: false });
    await deliver(other, SECOND);
    await lake.promote({ path: 'file.signer', type: 'text' }, run);
    await deliver(other, THIRD);
    const reader = await openRemote(server, { create: false, readOnly: true });
    expect(await ask(reader, ROWS)).toEqual([...PROMOTED, ...LATER]);
    await other.demote({ column: 'file_signer' }, run);
    expect(await ask(reader, "SELECT count(*)::INTEGER FROM events WHERE json_exists(extra, '$.file.signer')")).toEqual(
      [[4]],
    );
  });
});

/** Paths of the data files by table and partition, of which each has one here. */
async function filesByPlace(lake: Lake): Promise<Map<string, string>> {
  const { files } = await lake.snapshot();
  return new Map(
    Object.values(files)
      .flat()
      .map(({ table, partition, path }) => [`${table}/${partition}`, path]),
  );
}

/** Field ids of the newest promoted column, in files that have one. */
async function fieldIds(directory: string): Promise<unknown[][]> {
  const all = `parquet_schema('${directory}/events/*/*.parquet')`;
  return askPlain(`SELECT DISTINCT field_id FROM ${all} WHERE name = 'signer'`);
}
