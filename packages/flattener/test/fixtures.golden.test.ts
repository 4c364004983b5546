import { QUALYS_EDR } from '@edrlake/datasets';
import { flattenRecords } from '@edrlake/flattener/in-process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { goldenCases } from '../../../test/fixtures/golden.ts';
import { asSet, type Bench, drop, openBench, plainRow, spool, stage, stagedRows } from './staging.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

test.each(goldenCases())('$name flattens to exactly the golden rows', ({ records, tables }) => {
  const flat = flattenRecords(QUALYS_EDR, records.join('\n'), { windowId: 'w', ingestDay: '2026-11-21' });
  for (const table of QUALYS_EDR.tables) {
    const rows = (flat[table.name]?.toArray() ?? []).map((row) =>
      Object.fromEntries(
        table.columns
          .filter(({ name }) => row[name] !== null)
          .map(({ name, type }) => {
            const value = row[name];
            if (type === 'timestamp') return [name, new Date(Number(value)).toISOString()];
            if (type === 'date') return [name, new Date(Number(value)).toISOString().slice(0, 10)];
            if (type === 'json') return [name, JSON.parse(String(value))];
            return [name, type === 'bigint' ? Number(value) : value];
          }),
      ),
    );
    expect(rows, table.name).toEqual(tables[table.name]);
  }
});

test.each(goldenCases())('$name stages to exactly the golden rows', async ({ records, tables }) => {
  const batch = await stage(bench, [await spool(bench.directory, records)]);
  const staged = await stagedRows(bench, batch);
  for (const table of QUALYS_EDR.tables) {
    const golden = (tables[table.name] ?? []).map((row) =>
      plainRow(table, (name) => {
        const isJson = table.columns.find((column) => column.name === name)?.type === 'json';
        return isJson && row[name] !== undefined ? JSON.stringify(row[name]) : row[name];
      }),
    );
    expect(asSet(staged[table.name] ?? []), table.name).toEqual(asSet(golden));
  }
  await drop(bench, batch);
});

test('every list and detail payload has a golden file', () => {
  expect(goldenCases().map(({ name }) => name)).toEqual([
    'edr-1.0-detail',
    'edr-1.0-list',
    'ioc-2.3-detail',
    'ioc-2.3-list',
  ]);
});
