import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dataset, MS_PER_HOUR, NO_FILTER, parseRange, seededRandom, systemClock } from '@edrlake/core';
import { QUALYS_EDR, QUALYS_FIM } from '@edrlake/datasets';
import { examineLake, type LakeWriter } from '@edrlake/lake';
import { connect, exportRange, openEdrLake } from '@edrlake/runner';
import { startSimulator } from '@edrlake/simulator';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { describe, expect, test } from 'vitest';
import { asSet, plainRow } from '../../packages/flattener/test/staging.ts';
import { inPlainDuckDb } from '../e2e/command.ts';

const RANGE = parseRange('2020-08-17', '2020-08-18');
/** The proofs of two lakes are only equal if their clocks are. */
const NOW_MS = Date.parse('2020-09-01T00:00:00Z');

/** What two readers find in a lake, table by table, and what the lake says of itself. */
interface Found {
  readonly duckDb: Readonly<Record<string, readonly unknown[]>>;
  readonly hyparquet: Readonly<Record<string, readonly unknown[]>>;
  readonly types: readonly unknown[];
  readonly coverage: unknown;
  readonly stored: readonly number[];
  readonly reports: readonly unknown[];
  readonly damages: readonly unknown[];
}

/** Two nights: what is delivered, then late, changed and removed events of the same days. */
async function twoNights(
  dataset: Dataset,
  [first, second]: readonly [LakeWriter, LakeWriter],
  damage?: Damage,
): Promise<Found> {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-writers-'));
  const lakeDirectory = join(directory, 'lake');
  const simulator = await startSimulator({
    ...{ events: 300, range: RANGE, seed: 8, nowMs: NOW_MS },
    ...{ nullIdShare: 0.01, unknownFieldShare: 0.05 },
  });
  const clock = { ...systemClock, nowMs: () => NOW_MS };
  const services = { clock, random: seededRandom(1), emit: () => {}, signal: new AbortController().signal };
  const connection = connect({ dataset, baseUrl: simulator.url, username: 'demo', password: 'demo' }, services);
  const reports: unknown[] = [];
  const night = async (writer: LakeWriter, newRunId: string) => {
    const lake = await openEdrLake(lakeDirectory, { dataset, create: true, readOnly: false, writer }, services);
    try {
      const ends = { source: connection.source, lake, requestsMade: connection.requestsMade };
      const request = { axis: 'event', ranges: [{ range: RANGE }], scope: NO_FILTER } as const;
      const options = { concurrency: 1, batchBytes: 200_000, force: true, replace: true, maxRejectShare: 1 };
      const report = await exportRange(ends, request, options, { ...services, newRunId });
      const { events, outcome, unknownFields, rejects } = report;
      reports.push({ events, outcome, unknownFields, rejects });
    } finally {
      await lake.close();
    }
  };
  try {
    await night(first, '20200901T000000Z-1');
    await damage?.(lakeDirectory, dataset);
    const indexes = [...simulator.truth.indexes()];
    simulator.reviseEvents(indexes.slice(10, 40), NOW_MS - MS_PER_HOUR);
    simulator.removeEvents(indexes.slice(60, 70));
    simulator.addEvents({ events: 20, range: RANGE, processedAtMs: NOW_MS - MS_PER_HOUR });
    await night(second, '20200901T000000Z-2');
    const lake = await openEdrLake(lakeDirectory, { dataset, create: false, readOnly: true, writer: second }, services);
    const coverage = await lake.coverage();
    const halves = [0, 1, 2, 3].map((n) => {
      return { startMs: RANGE.startMs + n * 12 * MS_PER_HOUR, endMs: RANGE.startMs + (n + 1) * 12 * MS_PER_HOUR };
    });
    const stored = await lake.countStored(halves, 'event');
    await lake.close();
    const damages = await examineLake({ directory: lakeDirectory, dataset, clock, reads: 'all' });
    const others = damages.filter(({ part }) => part !== 'views');
    // The file of views is derived, and only DuckDB writes it.
    expect(damages.length - others.length).toBe(second === 'duckdb' ? 0 : 1);
    return { ...(await readBoth(lakeDirectory, dataset)), coverage, stored, reports, damages: others };
  } finally {
    await connection.close();
    await simulator.close();
    await rm(directory, { recursive: true, force: true });
  }
}

type Damage = (lake: string, dataset: Dataset) => Promise<void>;

const DAMAGES: readonly (readonly [string, Damage])[] = [
  [
    'write again what is incomplete without lost files',
    async (lake, { tables }) => {
      await rm(join(lake, tables[1]?.name ?? '', 'event_date=2020-08-17'), { recursive: true });
      await rm(join(lake, 'events', 'event_date=2020-08-18'), { recursive: true });
      await rm(join(lake, 'rejects'), { recursive: true });
    },
  ],
  [
    'rebuild a lost index',
    async (lake) => {
      for (const name of await readdir(join(lake, '_ids'))) await rm(join(lake, '_ids', name));
    },
  ],
];

async function readBoth(lake: string, { tables }: Dataset): Promise<Pick<Found, 'duckDb' | 'hyparquet' | 'types'>> {
  const duckDb: Record<string, unknown[]> = {};
  const hyparquet: Record<string, unknown[]> = {};
  const types: unknown[] = [];
  for (const table of tables) {
    const names = (await readdir(join(lake, table.name), { recursive: true }).catch(() => [])).filter((name) =>
      name.endsWith('.parquet'),
    );
    if (names.length === 0) continue;
    // The default of most readers: without union by name, files of two types for one column are refused.
    const relation = `read_parquet('${join(lake, table.name)}/*/*.parquet', hive_partitioning = false)`;
    duckDb[table.name] = asSet((await inPlainDuckDb(`from ${relation}`)).map((row) => ({ row })));
    types.push(
      await inPlainDuckDb(`select distinct name, type, converted_type, logical_type from
      parquet_schema('${join(lake, table.name)}/*/*.parquet') where type is not null order by all`),
    );
    const rows = [];
    for (const name of names) {
      const file = await asyncBufferFromFile(join(lake, table.name, name));
      const objects = await parquetReadObjects({
        file,
        compressors,
        parsers: { jsonFromBytes: (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString() },
      });
      rows.push(...objects.map((row) => plainRow(table, (column) => row[column])));
    }
    hyparquet[table.name] = asSet(rows);
  }
  return { duckDb, hyparquet, types };
}

describe.each([QUALYS_EDR, QUALYS_FIM])('$name', (dataset) => {
  test('both writers, and lakes of both, hold the same for two readers', async () => {
    const bulk = await twoNights(dataset, ['duckdb', 'duckdb']);
    expect(bulk.damages).toEqual([]);
    expect(Object.keys(bulk.duckDb)).toEqual(dataset.tables.map(({ name }) => name));
    expect(bulk.reports.at(-1)).toMatchObject({ events: { new: 20, changed: 30 } });
    for (const writers of [
      ['parquetjs', 'parquetjs'],
      ['duckdb', 'parquetjs'],
      ['parquetjs', 'duckdb'],
    ] as const) {
      expect(await twoNights(dataset, writers), writers.join(', then ')).toEqual(bulk);
    }
  }, 240_000);

  test.each(DAMAGES)(
    'both writers %s',
    async (_, damage) => {
      const bulk = await twoNights(dataset, ['duckdb', 'duckdb'], damage);
      expect(bulk.damages).toEqual([]);
      expect(await twoNights(dataset, ['duckdb', 'parquetjs'], damage)).toEqual(bulk);
    },
    240_000,
  );
});
