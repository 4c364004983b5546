import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asyncBufferFromFile, parquetMetadataAsync } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inPlainDuckDb, runCommand, runJson } from './command.ts';

/** A lake of 60 events on two days, as an edrlake of format 1 wrote it; the first day is compacted. */
const OLD = fileURLToPath(new URL('../fixtures/lake-format-1/', import.meta.url));
const TABLES = ['events', 'certificates', 'indicators', 'interfaces', 'asset_tags'];
const directory = await mkdtemp(join(tmpdir(), 'edrlake-format-'));
const lake = join(directory, 'lake');

beforeAll(() => cp(OLD, lake, { recursive: true }));
afterAll(() => rm(directory, { recursive: true, force: true }));

/** All values of all tables as text, by edrlake. */
async function contents(): Promise<string> {
  const texts = TABLES.map(async (table) => {
    const key = table === 'events' ? 'event_id' : 'event_id, position, to_json(t)::VARCHAR';
    const { stdout } = await runCommand([
      ...['query', '--lake', lake, '--format', 'ndjson'],
      `SELECT * FROM ${table} AS t ORDER BY event_date, ${key}`,
    ]);
    return stdout;
  });
  return (await Promise.all(texts)).join('\n');
}

/** Columns of a table's files by name, as a reader of Parquet sees them: type, whether it is an instant, field id. */
async function columnsOf(table: string, of = lake): Promise<Map<string, string>[]> {
  const files = await inPlainDuckDb(`SELECT file FROM glob('${of}/${table}/*/*.parquet') ORDER BY file`);
  return Promise.all(
    files.map(async ([file]) => {
      const { schema } = await parquetMetadataAsync(await asyncBufferFromFile(file ?? ''));
      return new Map(
        schema.slice(1).map(({ name, type, logical_type, field_id }) => {
          const kind = logical_type?.type ?? '';
          const zone = logical_type?.type === 'TIMESTAMP' ? String(logical_type.isAdjustedToUTC) : '';
          return [name, `${type} ${kind} ${zone} ${field_id ?? 'none'}`];
        }),
      );
    }),
  );
}

describe('a lake of format 1', () => {
  let before = '';

  test('is read as before, with times as instants in every zone', async () => {
    before = await contents();
    expect(before.split('\n').filter((line) => line.includes('"event_type"'))).toHaveLength(60);
    expect((await runCommand(['status', '--lake', lake])).stdout).toMatch(/60/);
    const [types] = await inPlainDuckDb(`SELECT typeof(event_time) FROM '${lake}/events/*/*.parquet' LIMIT 1`);
    expect(types).toEqual(['TIMESTAMP']);
    const views = await runCommand([
      'query',
      '--lake',
      lake,
      '--format',
      'csv',
      'SELECT typeof(event_time) AS t, typeof(extra) AS e FROM events LIMIT 1',
    ]);
    expect(views.stdout).toBe('t,e\nTIMESTAMP WITH TIME ZONE,JSON\n');
  });

  test('keeps every value when one day is written anew and the other is not', async () => {
    const compacted = await runJson(['compact', '--from', '2020-08-18', '--to', '2020-08-18', '--lake', lake]);
    expect(compacted).toMatchObject({ compactedDays: ['2020-08-18'] });
    const [first, second] = await columnsOf('events');
    expect([first?.has('event_date'), second?.has('event_date')]).toEqual([true, false]);
    expect(await contents()).toBe(before);
  });

  test('is migrated without a changed value, and once', async () => {
    const migrated = await runJson(['migrate', '--lake', lake]);
    expect(migrated).toMatchObject({ compactedDays: ['2020-08-17'], filesBefore: 5, filesAfter: 5, remainingFiles: 0 });
    expect(await contents()).toBe(before);
    for (const table of TABLES) {
      for (const columns of await columnsOf(table)) {
        expect(columns.has('event_date')).toBe(false);
        expect(columns.get('event_time')).toBe('INT64 TIMESTAMP true 3');
        expect(columns.get('extra')).toMatch(/^BYTE_ARRAY {3}\d+$/);
      }
    }
    const again = await runCommand(['migrate', '--lake', lake]);
    expect(again).toMatchObject({ exitCode: 0, stdout: 'There is nothing to migrate: all files have format 2.\n' });
  });

  test('shows plain DuckDB the same instants in New York', async () => {
    const sql = `SET TimeZone = 'America/New_York'; SELECT count(*) FROM events WHERE event_time >= timestamptz '2020-08-17 12:00:00+00'`;
    const inUtc = await runCommand(['query', '--lake', lake, '--format', 'csv', sql.split('; ')[1] ?? '']);
    const [row] = await inPlainDuckDb(sql, join(lake, 'lake.duckdb'));
    expect(`count_star()\n${row?.[0]}\n`).toBe(inUtc.stdout);
  });

  test('is rebuilt from its files when its log is lost, and from those of both formats', async () => {
    const copy = join(directory, 'copy');
    await cp(OLD, copy, { recursive: true });
    await runJson(['compact', '--from', '2020-08-18', '--to', '2020-08-18', '--lake', copy]);
    await rm(join(copy, '_log'), { recursive: true });
    expect((await runCommand(['rebuild-log', '--lake', copy])).exitCode).toBe(0);
    const counted = await runCommand(['query', '--lake', copy, '--format', 'csv', 'SELECT count(*) AS n FROM events']);
    expect(counted.stdout).toBe('n\n60\n');
    await runJson(['migrate', '--lake', copy]);
    const kinds = (await columnsOf('events', copy)).map((columns) => columns.get('event_time'));
    expect(kinds).toEqual(['INT64 TIMESTAMP true 3', 'INT64 TIMESTAMP true 3']);
  });
});
