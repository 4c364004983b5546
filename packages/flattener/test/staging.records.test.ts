import { writeFile } from 'node:fs/promises';
import { EdrlakeError } from '@edrlake/core';
import { QUALYS_EDR } from '@edrlake/datasets';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Bench, drop, openBench, plainRows, spool, stage, stagedRows } from './staging.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const TIME = '2020-08-17T04:15:06.000+0000';

function event(id: string, more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ id, dateTime: TIME, ...more });
}

async function values(sql: string): Promise<unknown[][]> {
  const reader = await bench.connection.runAndReadAll(sql);
  return reader.getRowsJS().map((row) => [...row]);
}

test('the staged tables have the columns and types of the spec, and the hash of their event', async () => {
  const batch = await stage(bench, [await spool(bench.directory, [event('a'), '{}'])]);
  const types = {
    text: 'VARCHAR',
    integer: 'INTEGER',
    bigint: 'BIGINT',
    boolean: 'BOOLEAN',
    timestamp: 'TIMESTAMP',
    date: 'DATE',
    json: 'JSON',
  };
  for (const table of QUALYS_EDR.tables) {
    const found = await values(`SELECT column_name, column_type FROM (DESCRIBE "${batch.rowTables[table.name]}")`);
    expect(found, table.name).toEqual([
      ...table.columns.map(({ name, type }) => [name, types[type]]),
      ['id_hash', 'UBIGINT'],
    ]);
  }
  const identity = await values(`SELECT column_name, column_type FROM (DESCRIBE "${batch.identityTable}")`);
  expect(identity).toEqual([
    ['event_id', 'VARCHAR'],
    ['event_date', 'DATE'],
    ['processed_time', 'TIMESTAMP'],
    ['id_hash', 'UBIGINT'],
    ['content_hash', 'UBIGINT'],
  ]);
  await drop(bench, batch);
});

test('the batch says what each window held, and rejects name their window', async () => {
  const first = await spool(bench.directory, [event('a'), event('b')], [event('a'), '{"id":"x"}']);
  const second = await spool(bench.directory, [event('c', { dateTime: '2020-08-18T00:00:00.000+0000' })]);
  const batch = await stage(bench, [first, second]);
  expect(batch.windows).toEqual([
    {
      windowId: first.window.id,
      recordCount: 4,
      rejectedCount: 1,
      distinctIds: 2,
      perDay: { '2020-08-17': 2 },
      rejectedPerDay: {},
      duplicatesPerDay: { '2020-08-17': { '': 1 } },
    },
    {
      windowId: second.window.id,
      recordCount: 1,
      rejectedCount: 0,
      distinctIds: 1,
      perDay: { '2020-08-18': 1 },
      rejectedPerDay: {},
    },
  ]);
  const { rejects } = await stagedRows(bench, batch);
  expect(rejects).toEqual([
    {
      ingest_date: '2026-11-21',
      window_id: first.window.id,
      reason: 'no event time',
      path: 'dateTime',
      event_id: 'x',
      event_time: null,
      processed_time: null,
      record: { id: 'x' },
    },
  ]);
  await drop(bench, batch);
});

test('rejects keep the times that can be read, and are counted by their day', async () => {
  const later = '2020-08-18T23:59:59.999+0000';
  const window = await spool(bench.directory, [
    `{"dateTime":"${TIME}"}`,
    `{"id":" ","dateTime":"${TIME}","eventProcessedTime":"${later}"}`,
    `{"id":null,"dateTime":"${later}"}`,
    `{"id":"x","dateTime":"soon","eventProcessedTime":"${later}"}`,
    '7',
    event('a'),
  ]);
  const batch = await stage(bench, [window]);
  expect(batch.windows).toMatchObject([
    { rejectedCount: 5, perDay: { '2020-08-17': 1 }, rejectedPerDay: { '2020-08-17': 2, '2020-08-18': 1 } },
  ]);
  const { rejects = [] } = await stagedRows(bench, batch);
  const [time, laterTime] = ['2020-08-17T04:15:06.000Z', '2020-08-18T23:59:59.999Z'];
  expect(rejects.map((row) => [row.reason, row.event_time, row.processed_time])).toEqual([
    ['no id', time, null],
    ['no id', time, laterTime],
    ['no id', laterTime, null],
    ['not an object', null, null],
    ['unreadable event time', null, laterTime],
  ]);
  await drop(bench, batch);
});

test('times are read in every form that can mean one instant only, the others are rejects', async () => {
  const day = '2020-08-17';
  const forms = [
    [`${day}T04:15Z`, `${day}T04:15:00.000Z`],
    [`${day} 04:15`, `${day}T04:15:00.000Z`],
    [`${day}T04:15+0530`, '2020-08-16T22:45:00.000Z'],
    [`${day}T04:15:06,123Z`, `${day}T04:15:06.123Z`],
    [`${day}t04:15:06.123456z`, `${day}T04:15:06.123Z`],
    [`${day}T04:15:06.5-05`, `${day}T09:15:06.500Z`],
    [`${day}t04:15:06,5+0100`, `${day}T03:15:06.500Z`],
    [`${day}T23:59:60Z`, `${day}T23:59:59.000Z`],
    [`${day}T23:59:60.250+0000`, `${day}T23:59:59.250Z`],
    ['2020-08-18T01:59:60+02:00', `${day}T23:59:59.000Z`],
  ] as const;
  const unclear = [
    `${day}T04:15:60Z`,
    `${day}T24:00Z`,
    `${day}T04:15,5Z`,
    `${day}T04Z`,
    '17/08/2020 04:15',
    `${day}T04:15+5`,
  ];
  const texts = [...forms.map(([text]) => text), ...unclear];
  const batch = await stage(bench, [
    await spool(
      bench.directory,
      texts.map((dateTime, n) => event(`e${String(n).padStart(2, '0')}`, { dateTime })),
    ),
  ]);
  const { events = [], rejects = [] } = await stagedRows(bench, batch);
  const times = Object.fromEntries(events.map((row) => [texts[Number(String(row.event_id).slice(1))], row.event_time]));
  expect(times).toEqual(Object.fromEntries(forms));
  expect(rejects.map(({ reason }) => reason)).toEqual(unclear.map(() => 'unreadable event time'));
  await drop(bench, batch);
});

test('of one id the newest processed time stays, of equals the newest event time, then the one delivered last, with its own children only', async () => {
  const at = (time: string, tag: string) => ({
    eventProcessedTime: time,
    action: tag,
    asset: { tags: [{ name: tag }] },
  });
  const newest = '2020-08-18T00:00:00.000+0000';
  const batch = await stage(bench, [
    await spool(bench.directory, [event('a', at(newest, 'newest')), event('b', at(newest, 'first')), event('c')]),
    await spool(
      bench.directory,
      [event('a', at(TIME, 'older')), event('b', at(newest, 'second'))],
      [event('b', at(newest, 'last'))],
    ),
  ]);
  const { events = [], asset_tags: tags = [] } = await stagedRows(bench, batch);
  expect(events.map((row) => [row.event_id, row.action])).toEqual([
    ['a', 'newest'],
    ['b', 'last'],
    ['c', null],
  ]);
  expect(tags.map((row) => [row.event_id, row.tag_name, row.position])).toEqual([
    ['b', 'last', '0'],
    ['a', 'newest', '0'],
  ]);
  expect(await values(`SELECT count(*), count(DISTINCT id_hash) FROM "${batch.identityTable}"`)).toEqual([[3n, 3n]]);
  await drop(bench, batch);
});

test('two identical rejects of a window are two, and the same two when delivered again', async () => {
  const lines = ['{"n":1}', '{"n":1}', '{"n":2}'];
  const identities = async () => {
    const batch = await stage(bench, [await spool(bench.directory, lines), await spool(bench.directory, ['{"n":2}'])]);
    const rows = await values(`SELECT id_hash, content_hash FROM "${batch.identityTable}" ORDER BY ALL`);
    await drop(bench, batch);
    return rows;
  };
  const once = await identities();
  expect(once).toHaveLength(3);
  expect(await identities()).toEqual(once);
});

test('a page that is not what was spooled is broken, and no table stays behind', async () => {
  const window = await spool(bench.directory, [event('a')]);
  await writeFile(window.pages[0]?.path ?? '', '{"id":"b",\n');
  await expect(stage(bench, [window])).rejects.toMatchObject({ code: 'BODY_BROKEN', disposition: 'retry' });
  expect(await values('SELECT count(*) FROM duckdb_tables() WHERE temporary')).toEqual([[0n]]);
});

test('one irregular event among 100,000 loses nothing, and of equals the last one stays', async () => {
  const lines = Array.from({ length: 100_000 }, (_, n) => event(`e${n}`, { file: { fileName: 'a', size: n } }));
  lines[77_777] = `{"id":"odd","dateTime":"${TIME}","amsi":{"n":9007199254740993},"file":{"size":"big","new":null,"x":[1]},"asset":"gone"}`;
  for (const n of [99_000, 40_000, 10]) lines[n] = event('twice', { action: String(n), file: { size: n } });
  const batch = await stage(bench, [await spool(bench.directory, lines)]);
  const name = batch.rowTables.events;
  expect(await values(`SELECT action FROM "${name}" WHERE event_id = 'twice'`)).toEqual([['99000']]);
  expect(await values("SELECT current_setting('preserve_insertion_order')")).toEqual([[false]]);
  expect(await values(`SELECT event_id, extra::VARCHAR FROM "${name}" WHERE extra IS NOT NULL`)).toEqual([
    ['odd', '{"asset":"gone","file":{"size":"big","x":[1]},"amsi":{"n":9007199254740993}}'],
  ]);
  expect(await values(`SELECT count(*), sum(file_size)::BIGINT FROM "${name}"`)).toEqual([
    [99_998n, 4_999_872_223n - 40_010n],
  ]);
  expect(batch.unknownFields).toEqual(
    ['amsi', 'asset', 'file.size', 'file.x'].map((path) => ({ path, eventCount: 1, firstDay: '2020-08-17' })),
  );
  await drop(bench, batch);
});

test('unknown fields are counted by event with their first day, documented ones are not reported', async () => {
  const later = '2020-08-19T00:00:00.000+0000';
  const batch = await stage(bench, [
    await spool(bench.directory, [
      event('a', { actor: { type: 'PROCESS' }, verdict: ['KNOWN'] }),
      event('b', { dateTime: later, file: { certificates: [{ new: 1 }, { new: 2 }], hash: 'x' } }),
      event('c', { file: { hash: 'y' }, indicator1: [{ kind: 1 }], indicator2: ['odd'] }),
    ]),
  ]);
  expect(batch.unknownFields).toEqual([
    { path: 'file.certificates[].new', eventCount: 1, firstDay: '2020-08-19' },
    { path: 'file.hash', eventCount: 2, firstDay: '2020-08-17' },
    { path: 'indicator1[].kind', eventCount: 1, firstDay: '2020-08-17' },
    { path: 'indicator2[]', eventCount: 1, firstDay: '2020-08-17' },
  ]);
  await drop(bench, batch);
});

test('a record with 20,000 unknown names keeps them all, within the usual memory', async () => {
  const names = Array.from({ length: 20_000 }, (_, n) => [`name${n}`, n] as const);
  const [root, section] = [Object.fromEntries(names), Object.fromEntries(names.toReversed())];
  const lines = [event('a', { ...root, 'a/~b': { c: 1 }, none: null, file: { ...section, list: [1] } }), event('b')];
  const batch = await stage(bench, [await spool(bench.directory, lines)]);
  const [[extra] = []] = await values(`SELECT extra::VARCHAR FROM "${batch.rowTables.events}" WHERE extra IS NOT NULL`);
  const { file, ...rest } = JSON.parse(String(extra));
  expect(rest).toEqual({ ...root, 'a/~b': { c: 1 } });
  expect(file).toEqual({ ...section, list: [1] });
  expect(batch.unknownFields.length).toBe(40_002);
  await drop(bench, batch);
});

test('windows without records stage to empty tables', async () => {
  const batch = await stage(bench, [await spool(bench.directory), await spool(bench.directory, [])]);
  expect(batch.windows.map(({ recordCount, perDay }) => [recordCount, perDay])).toEqual([
    [0, {}],
    [0, {}],
  ]);
  for (const table of QUALYS_EDR.tables) {
    expect(await plainRows(bench.connection, table, `"${batch.rowTables[table.name]}"`)).toEqual([]);
  }
  await drop(bench, batch);
});

test('pages with another number of records are an error, and no table stays behind', async () => {
  const window = await spool(bench.directory, [event('a'), event('b')]);
  const lying = { ...window, pages: window.pages.map((page) => ({ ...page, recordCount: 3 })) };
  await expect(stage(bench, [lying])).rejects.toThrow(EdrlakeError);
  await expect(stage(bench, [lying])).rejects.toMatchObject({ code: 'BODY_BROKEN', disposition: 'retry' });
  expect(await values('SELECT count(*) FROM duckdb_tables()')).toEqual([[0n]]);
});

test('no table stays behind when a batch is dropped', async () => {
  const batch = await stage(bench, [await spool(bench.directory, [event('a')])]);
  await drop(bench, batch);
  expect(await values('SELECT count(*) FROM duckdb_tables()')).toEqual([[0n]]);
});

test('a record that could not be read is a reject with its reason, its text, and the id and times that could be', async () => {
  const broken = (reason: string, fields: string, record: unknown) => `!${JSON.stringify({ reason, fields, record })}`;
  const known = `{"id":"x","dateTime":"${TIME}"}`;
  const kept = { '#text': 'caf\ufffd', '#base64': 'Y2Fm6Q==' };
  const window = await spool(bench.directory, [
    event('a'),
    broken('not UTF-8', known, kept),
    broken('nested too deeply', '{}', `{"a":${'['.repeat(5_000)}`),
    broken('control character in a string', '{"eventProcessedTime":"soon","id":7}', '{"a":"\t\u0000"}'),
    event('b'),
  ]);
  const batch = await stage(bench, [window]);
  expect(batch.windows).toMatchObject([
    { recordCount: 5, rejectedCount: 3, distinctIds: 2, rejectedPerDay: { '2020-08-17': 1 } },
  ]);
  const { rejects = [], events = [] } = await stagedRows(bench, batch);
  expect(events.map((row) => row.event_id)).toEqual(['a', 'b']);
  expect(
    rejects.map(({ reason, path, event_id, event_time, record }) => [reason, path, event_id, event_time, record]),
  ).toEqual([
    ['control character in a string', null, '7', null, '{"a":"\t\u0000"}'],
    ['nested too deeply', null, null, null, `{"a":${'['.repeat(5_000)}`],
    ['not UTF-8', null, 'x', '2020-08-17T04:15:06.000Z', kept],
  ]);
  await drop(bench, batch);
});

test('an element that is no object is kept, also beside an empty array in another record', async () => {
  const at = '"dateTime":"2020-08-17T04:15:06.000+0000"';
  const records = ['[]', '[5]', '[null]'].map((tags, n) => `{"id":"r${n}",${at},"asset":{"tags":${tags}}}`);
  const batch = await stage(bench, [await spool(bench.directory, records)]);
  const rows = await stagedRows(bench, batch);
  expect(rows.asset_tags?.map(({ event_id, extra }) => [event_id, extra])).toEqual([['r1', '#5']]);
  await drop(bench, batch);
});
