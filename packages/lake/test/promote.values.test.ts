import { DuckDBInstance } from '@duckdb/node-api';
import { COLUMN_TYPES, type ColumnType, type TableSpec, TIME_FORMS } from '@edrlake/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { promotedColumn } from '../src/log/live-tables.ts';
import { valueTextAt, withoutPath, withPath } from '../src/promoted/extra-text.ts';
import { type PromotedColumn, placedBatch, restOfExtra, takenValue } from '../src/promoted/place-values.ts';
import { placedRowsSql, returnedRowsSql } from '../src/promoted/promoted-sql.ts';
import { jsonTextOf } from '../src/promoted/promoted-value.ts';
import { SMALL_TABLES } from './small-lake.ts';

// Texts as an API may deliver them: any digits, escapes, blanks and order.
const name = fc.constantFrom('a', 'x.y', 'ü"');
const number = fc.oneof(
  fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }).map(String),
  fc.constantFrom('1.10', '1e2', '-0', '0', '1597637706000', '3.14159265358979323846', '2147483648'),
);
const text = fc.oneof(
  fc.string({ unit: 'grapheme' }).map((value) => JSON.stringify(value)),
  fc.constantFrom(
    ...['"\\u0041\\/"', '""', '"\\u0000"', '"12"', '"2020-08-17"', '"2020-02-30"', '"0000-01-01"'],
    ...['"2020-08-17T04:15:06.000+0000"', '"2020-08-17T04:15:06.000Z"', '"2020-08-17T04:15:06Z"'],
    ...['"2020-08-17T04:15:06.1234Z"', '"2020-08-17T24:00:00Z"', '"+012020-08-17T04:15:06.000Z"'],
  ),
);
const scalar = fc.oneof(number, text, fc.constantFrom('true', 'false', 'null'));
const { object } = fc.letrec<{ value: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    scalar,
    tie('object'),
    fc.array(tie('value'), { maxLength: 2 }).map((items) => `[${items.join(', ')}]`),
  ),
  object: fc
    .uniqueArray(fc.tuple(name, tie('value')), { maxLength: 4, selector: ([key]) => key })
    .map((members) => `{ ${members.map(([key, value]) => `${JSON.stringify(key)} : ${value}`).join(' , ')}}`),
}));
const column = fc
  .tuple(
    fc.constantFrom<ColumnType>(...COLUMN_TYPES),
    fc.array(name, { minLength: 1, maxLength: 2 }),
    fc.constantFrom(...TIME_FORMS),
  )
  .map(([type, path, form]) => promotedColumn('taken', type, type === 'timestamp' ? { path, form } : { path }));

/** Equal for texts of equal values: the order of members and blanks carry no meaning, digits do. */
function meaningOf(json: string): unknown {
  const marked = json.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
    token.startsWith('"') ? JSON.stringify(`s${JSON.parse(token)}`) : `"#${token}"`,
  );
  return JSON.parse(marked);
}

/** What a taken value is in JSON again, together with the rest. */
function returned(extra: string, { promoted, ...more }: PromotedColumn): string | null {
  const at = { promoted, ...more };
  const cell = takenValue(extra, at);
  if (cell === null) return null;
  return withPath(restOfExtra(extra, [at]), promoted.path, jsonTextOf(cell, at));
}

describe('a value that is taken out of extra', () => {
  test('and the rest say together exactly what extra said', () => {
    let taken = 0;
    fc.assert(
      fc.property(object, column, (extra, at) => {
        const again = returned(extra, at);
        const rest = restOfExtra(extra, [at]);
        if (again === null) {
          expect(rest).toBe(extra);
          return;
        }
        taken += 1;
        expect(meaningOf(again)).toEqual(meaningOf(extra));
        expect(rest).toBe(withoutPath(extra, at.promoted.path));
        if (rest !== null) expect(valueTextAt(rest, at.promoted.path)).toBeNull();
      }),
      { numRuns: 3_000 },
    );
    expect(taken).toBeGreaterThan(50);
  });

  test('has nothing converted', () => {
    const takes = (type: ColumnType, json: string) =>
      takenValue(`{"v":${json}}`, promotedColumn('v', type, { path: ['v'] }));
    expect(takes('integer', '2147483647')).toBe(2147483647);
    expect(['2147483648', '"12"', '12.0', '-0', '1e2'].map((json) => takes('integer', json))).toEqual(
      Array(5).fill(null),
    );
    expect(takes('bigint', '9223372036854775807')).toBe(9223372036854775807n);
    expect(takes('bigint', '9223372036854775808')).toBeNull();
    expect(takes('text', '12')).toBeNull();
    expect(takes('boolean', '"true"')).toBeNull();
    expect(takes('timestamp', '"2020-08-17T04:15:06.000Z"')).toBeNull();
    expect(takes('timestamp', '"2020-08-17T04:15:06.000+0000"')).toBe(Date.parse('2020-08-17T04:15:06Z'));
    expect(takes('json', '[1.10, {}]')).toBe('[1.10, {}]');
  });
});

describe('DuckDB and this process', () => {
  let instance: DuckDBInstance;
  beforeAll(async () => {
    instance = await DuckDBInstance.create(':memory:');
  });
  afterAll(() => instance.closeSync());

  test('take the same values, and give them back', async () => {
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'; CREATE TABLE rows (n INTEGER, extra JSON)");
    await fc.assert(
      fc.asyncProperty(fc.array(object, { minLength: 1, maxLength: 40 }), column, async (extras, at) => {
        const list = extras.map((extra, n) => `(${n}, '${extra.replaceAll("'", "''")}'::JSON)`);
        await connection.run(`DELETE FROM rows; INSERT INTO rows VALUES ${list.join(', ')}, (-1, NULL)`);
        const placed = `(${placedRowsSql(connection, 'rows', [at])})`;
        const read = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJson();
        const value =
          at.type === 'timestamp' ? 'epoch_ms(taken)' : at.type === 'date' ? "taken - DATE '1970-01-01'" : 'taken';
        const inDuckDb = await read(`SELECT extra::VARCHAR, (${value})::VARCHAR FROM ${placed} ORDER BY n`);
        const table = { ...EXTRA_TABLE, columns: [...EXTRA_TABLE.columns, at] };
        const owned = [null, ...extras].map((extra) => ({ idHash: 0n, row: [extra] }));
        const nothing = { identities: [], windows: [], otherVersions: [], unknownFields: [], rejectReasons: [] };
        const { rows } = placedBatch({ ...nothing, rows: { events: owned } }, [table]);
        expect(inDuckDb).toEqual(
          rows.events?.map(({ row }) => row.map((cell) => (cell === null ? null : String(cell)))),
        );
        const back = await read(`SELECT extra::VARCHAR FROM (${returnedRowsSql(connection, placed, at)}) ORDER BY n`);
        expect(back.flat()).toEqual([null, ...extras.map((extra) => returned(extra, at) ?? extra)]);
      }),
      { numRuns: 40 },
    );
    connection.closeSync();
  });
});

const EXTRA_TABLE: TableSpec = {
  ...(SMALL_TABLES[0] as TableSpec),
  columns: SMALL_TABLES[0]?.columns.filter(({ name: one }) => one === 'extra') ?? [],
};
