import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestGateway } from 'edrlake/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { INSTALL_MS } from '../install.ts';
import { definePart, installPython, output, run, TOP } from '../part.ts';
import { installSpark, type Spark } from '../spark.ts';

// Extensions of DuckDB load only into exactly their own version, and 1.5.5 is the newest that PyPI has.
const PACKAGES = [
  ...['deltalake==1.6.6', 'polars==2.1.0', 'pyiceberg[pyarrow]==0.12.0', 'duckdb==1.5.5'],
  ...['delta', 'avro', 'iceberg', 'ducklake'].map((name) => `duckdb-extension-${name}==1.5.5`),
];

type Digests = Readonly<Record<string, string>>;

/** What the extension of DuckDB says about the catalogue of DuckLake itself. */
interface Ducklake {
  /** Comments of tables and of the columns of `events`, by name. */
  readonly tables: Readonly<Record<string, string>>;
  readonly columns: Readonly<Record<string, string | null>>;
  readonly snapshots: readonly number[];
  /** Aggregates of `events` at each version, which it may answer without the files, and those of the exports. */
  readonly bounds: Readonly<Record<string, readonly [unknown, unknown]>>;
  readonly newest: unknown;
  /** What a statement that writes is answered. */
  readonly write: string;
}

interface Found {
  readonly tables: readonly string[];
  readonly truth: Readonly<Record<string, Digests>>;
  readonly readers: Readonly<Record<string, Readonly<Record<string, Digests>>>>;
  readonly newest: Readonly<Record<string, Digests>>;
  readonly days: Readonly<Record<string, number>>;
  readonly ducklake: Ducklake;
}

const TABLES = ['asset_tags', 'certificates', 'events', 'indicators', 'interfaces', 'rejects'];
const READERS = ['deltalake', 'polars', 'duckdb delta', 'pyiceberg', 'duckdb iceberg', 'duckdb ducklake'];
const SPARK_READERS = ['spark delta', 'spark iceberg'];

const [SCRIPT = '', SPARK_SCRIPT = ''] = ['read_tables.py', 'read_spark.py'].map((name) =>
  join(TOP, 'test/services/open-tables', name),
);
const PYTHON_ENV = { PYTHONWARNINGS: 'ignore', PYTHONDONTWRITEBYTECODE: '1' };

interface Kit {
  readonly python: string;
  readonly spark: Spark;
}

definePart<Kit>(
  'open-tables',
  async (folder) => {
    const [python, spark] = await Promise.all([installPython(folder, PACKAGES), installSpark()]);
    return { python, spark };
  },
  (kit) => {
    let folder: string;
    /** The version of the lake after each step. */
    const versions: Record<string, number> = {};
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'edrlake-open-tables-'));
      await fill();
    }, INSTALL_MS);
    afterAll(() => rm(folder, { recursive: true, force: true }));

    const program = join(TOP, 'packages/edrlake/bin/edrlake.js');
    const env = { EDRLAKE_USERNAME: 'demo', EDRLAKE_PASSWORD: 'demo' };
    const edrlake = (...args: string[]) => output(process.execPath, [program, ...args], { cwd: folder, env });
    /** Publishes what is there, and keeps the rows of this version. */
    const publish = async (step: string) => {
      for (const format of ['delta', 'iceberg', 'ducklake']) {
        const { version } = JSON.parse(await edrlake('publish', format, '--json')) as { version: number };
        versions[step] = version;
      }
      const truth = join(folder, 'truth', String(versions[step]));
      await mkdir(truth, { recursive: true });
      for (const table of TABLES) await edrlake('export', table, '--output', join(truth, `${table}.parquet`));
    };

    async function fill(): Promise<void> {
      const [from, to] = ['2020-08-17', '2020-08-19'];
      await using gateway = await startTestGateway({ events: 1500, from, to, seed: 3 });
      await using other = await startTestGateway({ events: 300, from, to, seed: 4 });
      const [url, otherUrl] = [gateway.simulator.url, other.simulator.url];
      const noon = '2020-08-18T12:00:00Z';
      await edrlake('backfill', '--base-url', url, '--from', from, '--to', noon);
      await publish('first backfill');
      await edrlake('backfill', '--base-url', url, '--from', noon, '--to', to);
      await publish('second backfill');
      await edrlake('backfill', '--base-url', otherUrl, '--from', from, '--to', '2020-08-18', '--force');
      await publish('late events');
      const day = join(folder, 'lake/events/event_date=2020-08-17');
      await rm(join(day, (await readdir(day)).find((name) => name.endsWith('-0.parquet')) ?? ''));
      await run(process.execPath, [program, 'reconcile', '--base-url', url, '--from', from, '--to', from, '--repair'], {
        cwd: folder,
        env,
      });
      await publish('repair');
      await edrlake('compact');
      await publish('compaction');
      await edrlake('backfill', '--base-url', url, '--from', from, '--to', to, '--force', '--replace');
      await publish('replace');
      await edrlake('promote', 'actor.type');
      await publish('promotion');
    }

    const read = async (numbers: readonly number[]) => {
      const args = [SCRIPT, 'lake/_tables', 'truth', ...numbers.map(String)];
      return JSON.parse(await output(kit().python, args, { cwd: folder, env: PYTHON_ENV })) as Found;
    };
    /** Spark takes a second for each table, so it reads those that are named. */
    const readBySpark = async (wanted: Readonly<Record<number, readonly string[]>>) => {
      const { python, jars } = kit().spark;
      const args = [SPARK_SCRIPT, 'lake/_tables', jars, JSON.stringify(wanted)];
      return JSON.parse(await output(python, args, { cwd: folder, env: PYTHON_ENV })) as Pick<
        Found,
        'readers' | 'newest'
      >;
    };
    const expectAll = (found: Found, numbers: readonly number[]) => {
      expect(found.tables).toEqual(TABLES);
      for (const reader of READERS) {
        for (const version of numbers) {
          expect(found.readers[reader]?.[version], `${reader}, version ${version}`).toEqual(found.truth[version]);
        }
        const newest = Math.max(...numbers);
        expect(found.newest[reader], `${reader}, newest`).toEqual(found.truth[newest]);
      }
    };

    test('six readers find the rows of each version, after every kind of commit', async () => {
      const numbers = Object.values(versions);
      expect(new Set(numbers).size).toBe(7);
      const found = await read(numbers);
      expectAll(found, numbers);
      const counts = numbers.map((version) => Number(found.truth[version]?.events?.split(' ')[0]));
      expect(counts[1]).toBe(1500);
      expect(counts[2]).toBeGreaterThan(1500);
      expect(counts.slice(5)).toEqual([1500, 1500]);
      const day = await edrlake(
        'query',
        '--format',
        'csv',
        "select count(*) from events where event_date = '2020-08-18'",
      );
      const rows = Number(day.trim().split('\n').at(-1));
      expect(found.days).toMatchObject({
        pyiceberg: rows,
        deltalake: rows,
        'duckdb delta': rows,
        'duckdb iceberg': rows,
        'duckdb ducklake': rows,
      });
      expect(found.days['pyiceberg without the column']).toBe(0);
      expect(found.days['pyiceberg files']).toBe(found.days['deltalake files']);
      expect(found.days['duckdb ducklake files']).toBe(found.days['deltalake files']);
    });

    test('the catalogue of DuckLake has one snapshot for all tables, comments and right aggregates', async () => {
      const numbers = Object.values(versions);
      const newest = Math.max(...numbers);
      const { ducklake } = await read(numbers);
      expect(ducklake.snapshots).toEqual(Array.from({ length: newest + 1 }, (_, version) => version));
      expect(Object.keys(ducklake.tables).toSorted()).toEqual(TABLES);
      expect(ducklake.tables.events).toMatch(/^a row for each event/);
      const undescribed = Object.entries(ducklake.columns).filter(([, comment]) => !comment);
      expect([Object.keys(ducklake.columns).length > 60, undescribed]).toEqual([true, []]);
      for (const version of numbers) {
        const [lake, truth] = ducklake.bounds[version] ?? [];
        expect(lake, `version ${version}`).toEqual(truth);
      }
      expect(ducklake.newest).toEqual(ducklake.bounds[newest]?.[1]);
      expect(ducklake.write).toMatch(/read-only/);
    });

    // Once, because a start of Spark with these jars takes half a minute of CPU time: before the vacuum.
    test('Spark finds the rows of each version, with files in order of arrival and sorted ones', async () => {
      const numbers = Object.values(versions);
      const newest = Math.max(...numbers);
      const some = Object.fromEntries(numbers.map((version) => [version, ['events']]));
      const [spark, { truth }] = await Promise.all([readBySpark({ ...some, [newest]: TABLES }), read(numbers)]);
      for (const reader of SPARK_READERS) {
        for (const version of numbers) {
          expect(truth[version], `${reader}, version ${version}`).toMatchObject(spark.readers[reader]?.[version] ?? {});
        }
        expect(Object.keys(spark.readers[reader]?.[newest] ?? {}).toSorted()).toEqual(TABLES);
        expect(spark.newest[reader]?.events).toBe(truth[newest]?.events);
      }
    }, 600_000);

    test('after a vacuum they find the versions that are left', async () => {
      await edrlake('vacuum', '--grace', '0s');
      await publish('vacuum');
      await edrlake('compact');
      await publish('another compaction');
      const kept = [versions.promotion ?? 0, versions['another compaction'] ?? 0];
      const found = await read(kept);
      expectAll(found, kept);
      const gone = await read([versions['late events'] ?? 0]);
      for (const reader of READERS) {
        expect(gone.readers[reader]?.[versions['late events'] ?? 0]?.events, reader).toMatch(/^refused: /);
      }
    });
  },
);
