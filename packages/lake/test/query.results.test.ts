import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Lake, openLake } from '../src/index.ts';
import { ask, askPlain, openSmall } from './opened-lakes.ts';
import { DAY_1, deliver, SMALL_OPTIONS } from './small-lake.ts';

let parent: string;
let directory: string;
let lake: Lake;
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'lake-query-'));
  directory = join(parent, 'lake');
  lake = await openLake({ ...SMALL_OPTIONS, directory });
  await deliver(lake, [{ id: 'a', timeMs: DAY_1 + 4, score: 7, issuers: ['x'] }]);
});
afterAll(async () => {
  await lake.close();
  await rm(parent, { recursive: true, force: true });
});

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error) => error.code,
  );

const VALUES = `SELECT 1::BIGINT AS small, 9007199254740993::BIGINT AS large, sum(2)::HUGEINT AS huge, 1.5 AS half,
  12345678901234567.89::DECIMAL(20,2) AS exact, 0.25::DOUBLE AS quarter, true AS yes, NULL AS nothing,
  DATE '2020-08-17' AS day, TIMESTAMP '2020-08-17 01:02:03.004' AS moment, TIMESTAMP '2020-08-17 01:02:03.000005' AS micro,
  [1, NULL] AS list, {'a': 'x', 'b': [TIMESTAMP '2020-08-17']} AS struct, '{"k":1}'::JSON AS doc, INTERVAL 1 DAY AS span`;

describe('a query', () => {
  test('returns columns with their types and plain values', async () => {
    const { columns, rows } = await lake.query(VALUES);
    expect(columns.map(({ type }) => type)).toEqual([
      ...['BIGINT', 'BIGINT', 'HUGEINT', 'DECIMAL(2,1)', 'DECIMAL(20,2)', 'DOUBLE', 'BOOLEAN', 'INTEGER', 'DATE'],
      ...['TIMESTAMP', 'TIMESTAMP', 'INTEGER[]', 'STRUCT("a" VARCHAR, "b" TIMESTAMP[])', 'JSON', 'INTERVAL'],
    ]);
    const all = [];
    for await (const chunk of rows) all.push(...chunk);
    expect(all).toEqual([
      [
        ...[1, 9007199254740993n, 2, 1.5, '12345678901234567.89', 0.25, true, null, '2020-08-17'],
        ...['2020-08-17T01:02:03.004Z', '2020-08-17T01:02:03.000005Z', [1, null]],
        ...[{ a: 'x', b: ['2020-08-17T00:00:00.000Z'] }, '{"k":1}', '1 day'],
      ],
    ]);
  });

  test.each(['', ' AS n'])(
    'for the rows of a table%s has the same answer from the log as from DuckDB',
    async (name) => {
      for (const table of ['events', 'certificates', 'rejects']) {
        const fromLog = await lake.query(`select COUNT(*)${name} from ${table};`);
        const computed = await lake.query(`select count(*)${name} from ${table} where true`);
        expect(fromLog.columns).toEqual(computed.columns);
        expect(await ask(lake, `select count(*)${name} from ${table.toUpperCase()}`)).toEqual(
          await ask(lake, `select count(*)${name} from ${table} where true`),
        );
      }
      expect(await codeOf(lake.query('select count(*) from nowhere'))).toBe('QUERY_FAILED');
      expect(await ask(lake, 'select count(*) from lake_info')).toEqual([[1]]);
    },
  );

  test('streams more rows than one chunk, and may be left early', async () => {
    expect(await ask(lake, 'SELECT range FROM range(5000)')).toHaveLength(5000);
    const { rows } = await lake.query('SELECT range FROM range(100000000)');
    for await (const chunk of rows) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
  });

  test('sees the same without lake.duckdb, and with a damaged one', async () => {
    const sql =
      'SELECT event_id, score, (SELECT max(version) FROM commits) FROM events JOIN certificates USING (event_id)';
    const expected = [['a', 7, 1]];
    expect(await ask(lake, sql)).toEqual(expected);
    await rm(join(directory, 'lake.duckdb'));
    expect(await ask(lake, sql)).toEqual(expected);
    await writeFile(join(directory, 'lake.duckdb'), 'no database');
    expect(await ask(lake, sql)).toEqual(expected);
    await lake.refreshViews();
  });

  test('says where it is wrong', async () => {
    const error = await lake.query('SELECT event_id,\n  nope FROM events').catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'QUERY_FAILED', context: { line: 2, column: 3 } });
    expect(error.message).toContain('"nope" not found');
    expect(error.hint).toContain('edrlake schema TABLE');
  });

  test.each([
    ['delete from events', 'found DELETE', 'lake.duckdb'],
    ['-- all\nUPDATE events SET score = 1', 'found UPDATE', 'lake.duckdb'],
    ["copy events to 'x.csv'", 'found COPY', '--output FILE'],
  ])('says of %j that only queries are allowed, and what to do', async (sql, found, advice) => {
    const error = await lake.query(sql).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'QUERY_FAILED', message: `only queries are allowed, ${found}` });
    expect(error.hint).toContain(advice);
  });

  test.each([
    "SELECT * FROM read_text('/etc/hostname')",
    "SELECT * FROM glob('/etc/*')",
    "COPY (SELECT 1) TO 'LAKE/events/x.parquet'",
    "ATTACH 'LAKE/other.duckdb'",
    'CREATE TABLE t AS SELECT 1',
    'SET threads = 1',
    'SELECT 1; SELECT 2',
    'SELEC 1',
    '',
    // With ANALYZE, what is explained runs.
    "EXPLAIN ANALYZE COPY (SELECT 1) TO 'LAKE/events/x.parquet'",
    "explain (analyze, format json) copy (SELECT 1) TO 'LAKE/events/x.parquet'",
    "/* a /* b */ */ EXPLAIN -- c\n ANALYZE /* d */ COPY (SELECT 1) TO 'LAKE/x.csv'",
    "EXPLAIN ANALYZE COPY (SELECT 1 AS a) TO 'LAKE/x' (FORMAT parquet, PARTITION_BY (a))",
    'EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1',
    "EXPLAIN ANALYZE EXPLAIN ANALYZE COPY (SELECT 1) TO 'LAKE/x.csv'",
    // DuckDB makes the folder before anything is run.
    "EXPORT DATABASE 'LAKE/out'",
    "; /* a */ -- b\n /* /* */ */ export database 'LAKE/out'",
    "/* /* */ EXPORT DATABASE 'LAKE/out'",
    "IMPORT DATABASE 'LAKE'",
    "PRAGMA import_database('LAKE')",
  ])('refuses %s, and writes nothing', async (sql) => {
    const listed = async () =>
      (await readdir(directory, { recursive: true })).filter((path) => !path.startsWith('_leases'));
    const before = await listed();
    expect(await codeOf(ask(lake, sql.replace('LAKE', directory)))).toBe('QUERY_FAILED');
    expect(await listed()).toEqual(before);
  });

  test.each([
    'EXPLAIN SELECT 1',
    'explain analyze /* why */ (SELECT count(*) FROM events)',
    'EXPLAIN (FORMAT json) FROM events',
  ])('explains %s', async (sql) => {
    expect((await ask(lake, sql)).length).toBeGreaterThan(0);
  });

  test('may read any file of the lake', async () => {
    expect(await ask(lake, `SELECT count(*) FROM '${directory}/events/*/*.parquet'`)).toEqual([[1]]);
  });

  test('stops when it is aborted', async () => {
    const controller = new AbortController();
    const endless = codeOf(lake.query('SELECT count(*) FROM range(1000000000000) a', { signal: controller.signal }));
    controller.abort();
    expect(await endless).toBe('INTERRUPTED');
    expect(await codeOf(lake.query('SELECT 1', { signal: controller.signal }))).toBe('INTERRUPTED');
  });
});

describe('a result', () => {
  test('becomes an Arrow stream and keeps its types', async () => {
    const parts: Uint8Array[] = [];
    for await (const part of await lake.queryArrow(VALUES)) parts.push(part);
    const table = tableFromIPC(Buffer.concat(parts));
    expect(table.schema.fields.map(({ type }) => `${type}`)).toEqual([
      ...[
        'Int64',
        'Int64',
        'Decimal[38e0]',
        'Decimal[2e+1]',
        'Decimal[20e+2]',
        'Float64',
        'Bool',
        'Int32',
        'Date32<DAY>',
      ],
      ...[
        'Timestamp<MICROSECOND>',
        'Timestamp<MICROSECOND>',
        'List<Int32>',
        'Struct<{a:Utf8, b:List<Timestamp<MICROSECOND>>}>',
      ],
      ...['Utf8', 'Utf8'],
    ]);
    const row = table.get(0)?.toJSON() ?? {};
    expect(row).toMatchObject({
      small: 1n,
      large: 9007199254740993n,
      quarter: 0.25,
      yes: true,
      nothing: null,
      doc: '{"k":1}',
    });
    expect(row.moment).toBe(DAY_1 + 3_723_004);
    expect(row.day).toBe(DAY_1);
    expect([...row.list]).toEqual([1, null]);
    expect(row.struct.a).toBe('x');
    expect(`${row.exact}`).toBe('1234567890123456789');
  });

  test('becomes several Arrow batches when it is long, and a bare schema when it is empty', async () => {
    const long: Uint8Array[] = [];
    for await (const part of await lake.queryArrow('SELECT range AS n FROM range(70000)')) long.push(part);
    const table = tableFromIPC(Buffer.concat(long));
    expect([table.numRows, table.batches.length]).toEqual([70_000, 3]);
    expect(new Set(table.getChild('n')?.toArray()).size).toBe(70_000);
    const empty: Uint8Array[] = [];
    for await (const part of await lake.queryArrow('SELECT * FROM events WHERE false')) empty.push(part);
    expect(tableFromIPC(Buffer.concat(empty)).schema.names).toContain('event_id');
  });

  test('becomes a Parquet file outside the lake, whole or not at all', async () => {
    const file = join(parent, "it's.parquet");
    expect(await lake.queryToParquet('SELECT range AS n FROM range(3000) -- all;', file)).toBe(3000);
    expect(await askPlain(`SELECT sum(n)::INTEGER FROM read_parquet('${file.replace("'", "''")}')`)).toEqual([
      [4_498_500],
    ]);
    expect(await codeOf(lake.queryToParquet('SELECT error(range::VARCHAR) FROM range(3)', file))).toBe('QUERY_FAILED');
    expect((await readdir(parent)).sort()).toEqual(["it's.parquet", 'lake']);
  });

  test('may be larger than memory', async () => {
    const small = await openSmall(directory, { readOnly: true, memoryLimit: '60MB', threads: 1 });
    const sorted = 'SELECT range AS n, hash(range) AS h, repeat(range::VARCHAR, 6) AS t FROM range(1500000) ORDER BY h';
    expect(await ask(small, `SELECT count(*), count(DISTINCT t) FROM (${sorted} LIMIT 1400000)`)).toEqual([
      [1_400_000, 1_400_000],
    ]);
  });
});
