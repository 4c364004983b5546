import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLake } from 'edrlake';
import { startTestGateway } from 'edrlake/testing';
import { expect, test } from 'vitest';
import { definePart, installPython, output, TOP } from '../part.ts';

const PACKAGES = ['pyarrow==26.0.1', 'polars==2.1.0', 'duckdb==2.0.1'];

/** The second row is nothing but nulls. */
const VALUES: Readonly<Record<string, string>> = {
  big: '-9007199254740993::BIGINT',
  small: '-7::INTEGER',
  exact: '-12345678901234567.89::DECIMAL(20,2)',
  cents: '-0.05::DECIMAL(4,2)',
  huge: `(-${'9'.repeat(38)})::HUGEINT`,
  share: '0.1::DOUBLE',
  flag: 'true',
  day: "DATE '1969-12-31'",
  moment: "TIMESTAMP '2020-08-17 01:02:03.000005'",
  instant: "TIMESTAMPTZ '2020-08-17 01:02:03+02'",
  text: "'é😀, longer than twelve bytes'",
  blob: "'\\x00\\xFF'::BLOB",
  list: '[1, NULL, 3]',
  struct: "{'a': 'x', 'b': [TIMESTAMP '2020-08-17']}",
};

const ROW = [
  ...['-9007199254740993', '-7', '-12345678901234567.89', '-0.05', `-${'9'.repeat(38)}`, '0.1', true, '1969-12-31'],
  ...['2020-08-17T01:02:03.000005', '2020-08-16T23:02:03+00:00', 'é😀, longer than twelve bytes', '00ff'],
  ...[['1', null, '3'], { a: 'x', b: ['2020-08-17T00:00:00'] }],
];

const TYPES = {
  pyarrow: [
    ...['int64', 'int32', 'decimal128(20, 2)', 'decimal128(4, 2)', 'decimal128(38, 0)', 'double', 'bool'],
    ...['date32[day]', 'timestamp[us]', 'timestamp[us, tz=UTC]', 'string', 'binary'],
  ],
  polars: [
    ...['Int64', 'Int32', 'Decimal(precision=20, scale=2)', 'Decimal(precision=4, scale=2)'],
    ...['Decimal(precision=38, scale=0)', 'Float64', 'Boolean', 'Date'],
    ...["Datetime(time_unit='us', time_zone=None)", "Datetime(time_unit='us', time_zone='UTC')", 'String', 'Binary'],
  ],
  duckdb: [
    ...['BIGINT', 'INTEGER', 'DECIMAL(20,2)', 'DECIMAL(4,2)', 'DECIMAL(38,0)', 'DOUBLE', 'BOOLEAN', 'DATE'],
    ...['TIMESTAMP', 'TIMESTAMP WITH TIME ZONE', 'VARCHAR', 'BLOB'],
  ],
};

interface Found {
  readonly types: Readonly<Record<string, string>>;
  readonly rows: readonly (readonly unknown[])[];
}

definePart(
  'python-readers',
  (folder) => installPython(folder, PACKAGES),
  (python) => {
    const withLake = async (work: (folder: string, run: (...args: string[]) => Promise<string>) => Promise<void>) => {
      const folder = await mkdtemp(join(tmpdir(), 'edrlake-python-'));
      const program = join(TOP, 'packages/edrlake/bin/edrlake.js');
      try {
        await work(folder, (...args) => output(process.execPath, [program, ...args], { cwd: folder }));
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    };
    const read = async (folder: string) => {
      const script = join(TOP, 'test/services/python-readers/read_exports.py');
      const text = await output(python(), [script, join(folder, 'x.arrow'), join(folder, 'x.parquet')], {
        cwd: folder,
      });
      return Object.entries(JSON.parse(text) as Readonly<Record<string, Found>>);
    };

    test('every type has the value and the type that it had, with and without nulls', () =>
      withLake(async (folder, edrlake) => {
        await (await openLake(join(folder, 'lake'))).close();
        const select = (change: (name: string, value: string) => string) =>
          [0, 1]
            .map((n) => Object.entries(VALUES).map(([k, v]) => `CASE WHEN ${n} = 0 THEN ${change(k, v)} END AS ${k}`))
            .map((columns) => `SELECT ${columns.join(', ')}`)
            .join(' UNION ALL ');
        // DuckDB's Parquet has no HUGEINT.
        const decimal = select((name, value) => (name === 'huge' ? `(${value})::DECIMAL(38,0)` : value));
        await edrlake(
          'export',
          select((_, value) => value),
          '--output',
          'x.arrow',
        );
        await edrlake('export', decimal, '--output', 'x.parquet');
        for (const [reader, { types, rows }] of await read(folder)) {
          const expected = TYPES[(reader.split(',')[0] ?? '') as keyof typeof TYPES];
          expect(Object.values(types).slice(0, expected.length), reader).toEqual(expected);
          expect(types.list, reader).toMatch(/list<.*int32.*>|List\(Int32\)|INTEGER\[\]/);
          expect(types.struct, reader).toMatch(/^struct|^Struct|^STRUCT/i);
          expect(rows, reader).toEqual([ROW, ROW.map(() => null)]);
        }
      }));

    test('the events of a lake are the same to all of them', () =>
      withLake(async (folder, edrlake) => {
        const day = '2020-08-17';
        await using gateway = await startTestGateway({ events: 500, from: day, to: day, seed: 3 });
        const lake = await openLake(join(folder, 'lake'));
        const { backfill } = await import('edrlake');
        await backfill(lake, gateway.source, { from: day, to: day });
        await lake.close();
        // JSON is text for all but polars, which has bytes.
        const sql = 'select * exclude (network, registry, mutex, extra) from events order by event_id';
        for (const format of ['arrow', 'parquet']) await edrlake('export', sql, '--output', `x.${format}`);
        const [[, first], ...others] = (await read(folder)) as [[string, Found], ...[string, Found][]];
        expect(first.rows).toHaveLength(500);
        expect(first.types.event_time).toBe('timestamp[us, tz=UTC]');
        for (const [reader, { rows }] of others) expect(rows, reader).toEqual(first.rows);
      }));
  },
);
