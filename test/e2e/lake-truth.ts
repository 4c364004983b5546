import type { TimeRange } from '@edrlake/core';
import type { Simulator } from '@edrlake/simulator';
import { expect } from 'vitest';
import { inPlainDuckDb } from './command.ts';

/** A dataset of the simulated gateway. */
export interface TrueDataset {
  readonly name: string;
  /** Its child tables, with their names in what the simulator knows of a day. */
  readonly children: Readonly<Record<string, string>>;
  perDay(simulator: Simulator, range?: TimeRange): readonly Readonly<Record<string, string | number>>[];
}

const rowsOf = (days: readonly object[]) => days as readonly Readonly<Record<string, string | number>>[];

/** The events of the EDR API. */
export const EDR: TrueDataset = {
  name: 'qualys-edr',
  children: {
    certificates: 'certificates',
    indicators: 'indicators',
    interfaces: 'interfaces',
    asset_tags: 'assetTags',
  },
  perDay: ({ truth }, range) => rowsOf(truth.perDay(range)),
};

/** Those of the FIM API. */
export const FIM: TrueDataset = {
  name: 'qualys-fim',
  children: { profiles: 'profiles', interfaces: 'interfaces' },
  perDay: ({ truth }, range) => rowsOf(truth.fimPerDay(range)),
};

/** The rows of a table as any Parquet reader sees them, without edrlake's log or views. */
export function parquetOf(lake: string, table: string): string {
  return `read_parquet('${lake}/${table}/*/*.parquet', hive_partitioning = true)`;
}

/**
 * Compares a lake, read from its Parquet files by a plain DuckDB, with the data of the simulator in a range: ids as a
 * set, no duplicate, rows of every table per day, and each child row at its position.
 */
export async function expectLakeHoldsTruth(
  lake: string,
  simulator: Simulator,
  range?: TimeRange,
  dataset = EDR,
): Promise<void> {
  const truth = dataset.perDay(simulator, range);
  const stored = await inPlainDuckDb(`select event_id from ${parquetOf(lake, 'events')}`);
  const storedIds = new Set(stored.map(([id]) => id));
  expect(storedIds.size, 'event_id is unique in events').toBe(stored.length);
  const missing = [...simulator.truth.ids(range)].filter((id) => !storedIds.delete(id));
  expect({ missing: missing.slice(0, 5), unexpected: [...storedIds].slice(0, 5) }).toEqual({
    missing: [],
    unexpected: [],
  });

  expect(await rowsPerDay(lake, 'events')).toEqual(expectedPerDay(truth, 'events'));
  for (const [table, key] of Object.entries(dataset.children)) {
    expect(await rowsPerDay(lake, table), table).toEqual(expectedPerDay(truth, key));
    // There are two arrays of indicators, and each counts from 0.
    const array = table === 'indicators' ? 'indicator_set, ' : '';
    const misplaced = await inPlainDuckDb(
      `select count(*) from (
         select ${array}event_id, event_date, count(*) as n, count(distinct position) as positions, max(position) as last
         from ${parquetOf(lake, table)} group by all
       ) left join (select event_id, event_date, true as known from ${parquetOf(lake, 'events')}) using (event_id, event_date)
       where known is null or n <> positions or last <> n - 1`,
    );
    expect(misplaced, `${table}: every row has its event, its day and its position`).toEqual([['0']]);
  }
}

function expectedPerDay(truth: ReturnType<TrueDataset['perDay']>, key: string): string[][] {
  return truth.filter((day) => Number(day[key]) > 0).map((day) => [String(day.day), String(day[key])]);
}

async function rowsPerDay(lake: string, table: string): Promise<(string | null)[][]> {
  const files = await inPlainDuckDb(`select count(*) from glob('${lake}/${table}/*/*.parquet')`);
  if (files[0]?.[0] === '0') return [];
  return inPlainDuckDb(`select event_date, count(*) from ${parquetOf(lake, table)} group by all order by all`);
}
