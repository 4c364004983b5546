import { flattenRecords, LAKE_TABLES } from '@edrlake/flattener';
import { expect, test } from 'vitest';
import { goldenCases } from '../../../test/fixtures/golden.ts';

test.each(goldenCases())('$name flattens to exactly the golden rows', ({ records, tables }) => {
  const flat = flattenRecords(records.join('\n'), { windowId: 'w', ingestDay: '2026-11-21' });
  for (const table of LAKE_TABLES) {
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

test('every list and detail payload has a golden file', () => {
  expect(goldenCases().map(({ name }) => name)).toEqual([
    'edr-1.0-detail',
    'edr-1.0-list',
    'ioc-2.3-detail',
    'ioc-2.3-list',
  ]);
});
