import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommand } from '../../e2e/command.ts';
import { installVersitygw, KEY, type RunningServer, startVersitygw } from '../object-store/servers.ts';
import { definePart, installPython, output, TOP } from '../part.ts';

// Extensions of DuckDB load only into exactly their own version, and 1.5.5 is the newest that PyPI has.
const PACKAGES = [
  ...['deltalake==1.6.6', 'polars==2.1.0', 'pyarrow==25.0.1', 'duckdb==1.5.5'],
  ...['httpfs', 'aws', 'avro', 'iceberg', 'ducklake'].map((name) => `duckdb-extension-${name}==1.5.5`),
];
const TABLES = ['asset_tags', 'certificates', 'events', 'indicators', 'interfaces'];
const ADDRESS = 's3://lake/edr';
const DAY_MS = 86_400_000;
const START_MS = Date.parse('2020-08-17');
const EVENTS = 1_200;

interface Kit {
  readonly versitygw: string;
  readonly python: string;
  readonly folder: string;
}

type ByTable = Readonly<Record<string, string>>;

interface Found {
  readonly truth: { readonly older: ByTable; readonly newest: ByTable };
  readonly newest: Readonly<Record<string, ByTable>>;
  readonly older: Readonly<Record<string, ByTable>>;
  readonly byPattern: number;
}

async function install(folder: string): Promise<Kit> {
  const [versitygw, python] = await Promise.all([installVersitygw(), installPython(folder, PACKAGES)]);
  return { versitygw, python, folder };
}

definePart<Kit>('object-readers', install, (kit) => {
  let server: RunningServer;
  let simulator: Simulator;
  let directory: string;
  /** Of the lake in the store: of its first commit, and after the last. */
  const versions: number[] = [];
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'edrlake-object-readers-'));
    server = await startVersitygw(kit().versitygw, join(kit().folder, 'data'));
    const range = { startMs: START_MS, endMs: START_MS + 2 * DAY_MS };
    simulator = await startSimulator({ events: EVENTS, range, seed: 5 });
    await fill();
  });
  afterAll(async () => {
    await server?.stop();
    await simulator?.close();
    await rm(directory, { recursive: true, force: true });
  });

  const access = () => ({
    AWS_ENDPOINT_URL: server.url,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: KEY.accessKeyId,
    AWS_SECRET_ACCESS_KEY: KEY.secretAccessKey,
  });
  const edrlake = async (lake: string, ...words: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await runCommand([...words, '--lake', lake], {
      cwd: directory,
      env: access(),
    });
    expect(exitCode, `${words.join(' ')}: ${stderr}`).toBe(0);
    return stdout;
  };
  /** The expected rows come from a lake on the disk, whose data never were in the store. */
  const backfill = async () => {
    const days = ['--from', '2020-08-17', '--to', '2020-08-18', '--force'];
    for (const lake of [ADDRESS, 'lake']) {
      await edrlake(lake, 'backfill', ...days, '--base-url', simulator.url, '--rate-limit', 'none');
    }
  };
  /** Publishes what the store has, and keeps the rows of that version. */
  const publish = async () => {
    const { version } = JSON.parse(await edrlake(ADDRESS, 'publish', 'delta', '--json')) as {
      readonly version: number;
    };
    for (const format of ['iceberg', 'ducklake']) await edrlake(ADDRESS, 'publish', format);
    versions.push(version);
    const truth = join(directory, 'truth', String(version));
    await mkdir(truth, { recursive: true });
    for (const table of TABLES) await edrlake('lake', 'export', table, '--output', join(truth, `${table}.parquet`));
  };

  async function fill(): Promise<void> {
    await backfill();
    await publish();
    simulator.reviseEvents([...simulator.truth.indexes()].slice(10, 60), Date.now() - DAY_MS);
    await backfill();
    await edrlake(ADDRESS, 'compact');
    await publish();
  }

  test('what connect prints, and published tables, show each value of the version and no replaced row', async () => {
    const connect = (format: string) => edrlake(ADDRESS, 'connect', '--format', format);
    const asked = {
      ...{ address: ADDRESS, tables: TABLES, truth: join(directory, 'truth'), versions },
      ...{ python: await connect('python'), duckdb: await connect('duckdb') },
    };
    const script = join(TOP, 'test/services/object-readers/read_objects.py');
    // DuckDB keeps extensions in the home folder.
    const env = { ...access(), HOME: kit().folder, PYTHONWARNINGS: 'ignore', PYTHONDONTWRITEBYTECODE: '1' };
    const text = await output(kit().python, [script, JSON.stringify(asked)], { cwd: directory, env });
    const found = JSON.parse(text) as Found;
    const { older, newest } = found.truth;
    for (const truth of [older, newest]) expect(truth.events).toMatch(new RegExp(`^${EVENTS} `));
    expect(older.events).not.toBe(newest.events);
    expect(found.newest).toEqual({
      ...{ 'connect python': newest, 'connect duckdb': newest },
      ...{ deltalake: newest, polars: newest, 'duckdb iceberg': newest, 'duckdb ducklake': newest },
    });
    expect(found.older).toEqual({
      ...{ deltalake: older, polars: older, 'duckdb iceberg': older, 'duckdb ducklake': older },
    });
    // Replaced files are there until a vacuum: this is why connect names each file.
    expect(found.byPattern).toBeGreaterThan(EVENTS);
  });
});
