import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DataType, type RecordBatch, Table, tableFromIPC, tableToIPC, type Vector } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Lake, openLake, type QueryValue } from '../src/index.ts';
import { ask } from './opened-lakes.ts';
import { SMALL_OPTIONS } from './small-lake.ts';

let directory: string;
let lake: Lake;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lake-arrow-'));
  lake = await openLake({ ...SMALL_OPTIONS, directory });
});
afterAll(async () => {
  await lake.close();
  await rm(directory, { recursive: true, force: true });
});

async function batchesOf(sql: string): Promise<RecordBatch[]> {
  const all: RecordBatch[] = [];
  for await (const batch of (await lake.queryArrowBatches(sql)).batches) all.push(batch);
  return all;
}

/** What a reader of the stream gets, written again by apache-arrow itself. */
async function tableOf(sql: string): Promise<Table> {
  const parts: Uint8Array[] = [];
  for await (const part of await lake.queryArrow(sql)) parts.push(part);
  const read = tableFromIPC(Buffer.concat(parts));
  return tableFromIPC(tableToIPC(read, 'file'));
}

/** A value as a plain query has it. */
function plain(value: unknown, type: DataType): QueryValue {
  const text = `${type}`;
  if (value === null || value === undefined) return null;
  if (text.startsWith('List'))
    return [...(value as Vector)].map((item) => plain(item, type.children[0]?.type as DataType));
  if (text.startsWith('Struct')) {
    const row = value as Readonly<Record<string, unknown>>;
    return Object.fromEntries(type.children.map(({ name, type: member }) => [name, plain(row[name], member)]));
  }
  if (text.startsWith('Decimal')) return decimal(value as Uint32Array, (type as { scale: number } & DataType).scale);
  if (text.startsWith('Date')) return new Date(Number(value)).toISOString().slice(0, 10);
  if (text.startsWith('Timestamp')) {
    const micros = BigInt(Math.round(Number(value) * 1_000));
    const rest = ((micros % 1_000n) + 1_000n) % 1_000n;
    const iso = new Date(Number((micros - rest) / 1_000n)).toISOString();
    return rest === 0n ? iso : `${iso.slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
  }
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  return value as QueryValue;
}

function decimal(words: Uint32Array, scale: number): QueryValue {
  const bits = [...words].reduceRight((sum, word) => (sum << 32n) + BigInt(word), 0n);
  const value = BigInt.asIntN(128, bits);
  if (scale === 0) return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0');
  const text = `${value < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return digits.length <= 15 ? Number(text) : text;
}

// Every third value of every column is NULL, in another place in each, so that no byte of nulls is like the next.
const MANY = (rows: number) => `SELECT n, ${[
  `(n % 120 - 60)::TINYINT AS tiny`,
  `(n * 3 % 60000 - 30000)::SMALLINT AS small`,
  `(n * -7)::INTEGER AS int`,
  `(n::HUGEINT * -9007199254740993 % 9223372036854775807)::BIGINT AS big`,
  `(n % 200)::UTINYINT AS utiny`,
  `(n * 3 % 65000)::USMALLINT AS usmall`,
  `(n * 60000)::UINTEGER AS uint`,
  `(18446744073709551615 - n)::UBIGINT AS ubig`,
  `(n * 99999999999999999999999999999::HUGEINT - 5)::HUGEINT AS huge`,
  `(n / 7.0)::DOUBLE AS double`,
  `(n / 4)::FLOAT AS float`,
  `(n % 99 - 50)::DECIMAL(4,2) AS dec4`,
  `(n - 50000)::DECIMAL(9,3) AS dec9`,
  `(n * -1234567.25)::DECIMAL(18,2) AS dec18`,
  `(n * -123456789012345.25)::DECIMAL(30,4) AS dec30`,
  `n % 5 = 0 AS flag`,
  `DATE '1969-12-01' + (n % 900)::INTEGER AS day`,
  `TIMESTAMP '1969-12-31 23:59:59.999999' + to_microseconds(n * 1000001) AS moment`,
  `(TIMESTAMPTZ '2020-08-17 00:00:00+02' + to_milliseconds(n)) AS instant`,
  `repeat('é', (n % 11)::INTEGER) || n AS text`,
  `CASE n % 3 WHEN 0 THEN '' WHEN 1 THEN 'a text longer than twelve bytes' ELSE 'twelve bytes' END AS common`,
  `CASE WHEN n % 4 = 0 THEN [] ELSE [n, NULL, -n] END AS list`,
  `[[n::VARCHAR], NULL, [], ['a text longer than twelve bytes', NULL]] AS nested`,
  `{'a': nullif(n % 4, 0), 'b': {'c': [n % 2 = 0], 'd': 'x' || n}} AS struct`,
  `[{'k': n % 6, 'v': nullif(n % 2, 0)}, NULL] AS structs`,
  `json_object('n', n, 's', 'é') AS doc`,
  `'00000000-0000-0000-0000-000000000001'::UUID AS uuid`,
  `INTERVAL 1 DAY * (n % 3) AS span`,
  `MAP {'k': n} AS map`,
]
  .map((column, index) =>
    column.replace(/ AS (\w+)$/, ` END AS $1`).replace(/^/, `CASE WHEN (n + ${index}) % 3 > 0 THEN `),
  )
  .join(', ')}
  FROM range(${rows}) t(n) ORDER BY n`;

describe('a result as Arrow', () => {
  test('has the values that a plain query has, of every type, with and without nulls, in every batch', async () => {
    const sql = MANY(36_000);
    const table = await tableOf(sql);
    expect(table.batches.length).toBeGreaterThan(1);
    expect(table.schema.fields.every(({ nullable }) => nullable)).toBe(true);
    const expected = (await ask(lake, sql)) as readonly (readonly QueryValue[])[];
    expect(table.numRows).toBe(expected.length);
    const texts = new Set(['uuid', 'span', 'map']);
    for (const [index, field] of table.schema.fields.entries()) {
      const column = table.getChildAt(index);
      let different: unknown = null;
      // Every seventh row: all places in a byte of nulls, in every chunk.
      for (let row = 0; row < expected.length; row += 7) {
        const wanted = expected[row]?.[index] ?? null;
        const found = plain(column?.get(row), field.type);
        const isSame = texts.has(`${field.name}`)
          ? found === (typeof wanted === 'object' && wanted !== null ? JSON.stringify(wanted) : wanted)
          : found === wanted || JSON.stringify(found, asText) === JSON.stringify(wanted, asText);
        if (!isSame) different ??= { row, found, wanted };
      }
      expect(different, `${field.name}`).toBe(null);
    }
  });

  test('keeps blobs, times and timestamps of other units', async () => {
    const table = await tableOf(
      `SELECT '\\x00\\xFFA'::BLOB AS blob, repeat('z', 20)::BLOB AS long, TIME '01:02:03.000004' AS time,
        TIMESTAMP_NS '2020-08-17 00:00:00.123456789' AS ns, TIMESTAMP_S '2020-08-17 00:00:01' AS s`,
    );
    expect(table.schema.fields.map(({ type }) => `${type}`)).toEqual([
      ...['Binary', 'Binary', 'Time64<MICROSECOND>', 'Timestamp<NANOSECOND>', 'Timestamp<SECOND>'],
    ]);
    const row = table.get(0)?.toJSON();
    expect([...(row?.blob ?? [])]).toEqual([0, 255, 65]);
    expect(Buffer.from(row?.long ?? []).toString()).toBe('z'.repeat(20));
    expect(row?.time).toBe(3_723_000_004n);
    expect(table.getChild('ns')?.data[0]?.values[0]).toBe(1_597_622_400_123_456_789n);
  });

  test('has texts of any length, in any order of memory, also those that share their bytes', async () => {
    // Sorted by a hash, so that neighbours are far apart; lengths around what fits into a row, and into a page.
    const lengths = '[0, 1, 4, 11, 12, 13, 14, 255, 256, 257, 258, 4095, 4096, 4097, 9000]';
    const sql = `SELECT text, list_value(text, NULL, text || '!') AS list, common
      FROM (SELECT n, left(repeat(md5(n::VARCHAR), 300), ${lengths}[1 + n % 15]) AS text,
        CASE n % 3 WHEN 0 THEN 'one of few texts' WHEN 1 THEN 'another one of few texts' END AS common
        FROM range(9000) t(n))
      ORDER BY hash(n)`;
    const table = await tableOf(sql);
    const found = table.toArray().map((row) => [row.text, [...row.list], row.common]);
    expect(JSON.stringify(found)).toBe(JSON.stringify(await ask(lake, sql)));
  });

  test('holds integers of 38 digits, and refuses longer ones where they are no null', async () => {
    const most = 10n ** 38n - 1n;
    const { data } = (await tableOf(`SELECT unnest([${most}, -${most}])::HUGEINT AS h`)).getChild('h') ?? {};
    expect([0, 4].map((at) => decimal(data?.[0]?.values.subarray(at, at + 4), 0))).toEqual([most, -most]);
    for (const value of [most + 1n, -most - 1n]) {
      await expect(tableOf(`SELECT (${value})::HUGEINT AS long_one`)).rejects.toMatchObject({
        code: 'QUERY_FAILED',
        message: expect.stringContaining('long_one'),
        hint: expect.stringContaining('VARCHAR'),
      });
    }
    await expect(tableOf(`SELECT [{'h': ${most + 1n}::HUGEINT}] AS l`)).rejects.toThrow(/l\.h: .*38 digits/);
    expect((await tableOf('SELECT NULL::HUGEINT AS h FROM range(3000)')).getChild('h')?.nullCount).toBe(3_000);
  });

  test('comes in batches of bounded size: by rows, and by bytes where rows are large', async () => {
    const narrow = await batchesOf('SELECT range AS n FROM range(100000)');
    expect(Math.max(...narrow.map(({ numRows }) => numRows))).toBeLessThanOrEqual(34_816);
    const wide = await batchesOf(`SELECT repeat('x', 10000) AS x FROM range(10000)`);
    expect(Math.max(...wide.map(({ numRows }) => numRows))).toBeLessThanOrEqual(2_048);
    expect(wide.reduce((sum, { numRows }) => sum + numRows, 0)).toBe(10_000);
  });

  test('has its schema without rows, and both of two columns of one name', async () => {
    const sql = 'SELECT 1 AS a, [1] AS l, 2 AS a WHERE false';
    const { schema, batches } = await lake.queryArrowBatches(sql);
    for await (const batch of batches) expect.unreachable(`${batch.numRows}`);
    expect(schema.names).toEqual(['a', 'l', 'a:1']);
    expect(new Table(schema, await batchesOf(sql)).numRows).toBe(0);
    const table = await tableOf('SELECT 1 AS a, 2 AS a');
    expect([0, 1].map((index) => table.getChildAt(index)?.get(0))).toEqual([1, 2]);
  });
});

function asText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value;
}
