import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestGateway, type TestGateway } from 'edrlake/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { definePart, output, run, TOP } from '../part.ts';

const DUCKDB_OLD = 'duckdb==1.1.3';
const DUCKDB_NEW = 'duckdb==2.0.1';
const PACKAGES = [
  ...[DUCKDB_NEW, 'pyarrow==25.0.1', 'pandas==3.1.1', 'polars==2.1.0', 'datafusion==55.0.0'],
  ...['dask[dataframe]==2026.8.0', 'fastparquet==2026.9.0', 'chdb==4.4.0', 'daft==0.7.26'],
];

interface Engine {
  readonly call: string;
  /** What the call imports. */
  readonly modules: readonly string[];
  /** Types that are not those of the lake: `lake's > engine's`. */
  readonly types?: readonly string[];
  /** Where the engine refuses a comparison with an instant. */
  readonly sinceRefused?: RegExp;
  /** Where it refuses files in the order of arrival. */
  readonly exportedRefused?: RegExp;
}

const TEXT_DAY = 'date > string';
const NULLABLE_INTEGERS = ['int32 > double', 'int64 > double'];
const DUCKDB: readonly Engine[] = [
  { call: `duckdb.sql("from 'lake/events/*/*.parquet'")`, modules: ['duckdb'] },
  { call: `lake = duckdb.connect('lake/lake.duckdb', read_only=True); lake.sql('from events')`, modules: ['duckdb'] },
];

/** The first call that someone types. README's table has these. */
const ENGINES: readonly Engine[] = [
  ...DUCKDB,
  {
    call: `pyarrow.dataset.dataset('lake/events', partitioning='hive').to_table()`,
    modules: ['pyarrow.dataset'],
    types: [TEXT_DAY],
  },
  { call: `pyarrow.parquet.read_table('lake/events')`, modules: ['pyarrow.parquet'], types: [TEXT_DAY] },
  { call: `pandas.read_parquet('lake/events')`, modules: ['pandas'], types: [TEXT_DAY, ...NULLABLE_INTEGERS] },
  { call: `polars.scan_parquet('lake/events')`, modules: ['polars'] },
  {
    call:
      `datafusion.SessionContext().read_parquet('lake/events', ` +
      `table_partition_cols=[('event_date', pyarrow.date32())])`,
    modules: ['datafusion', 'pyarrow'],
  },
  {
    call: `dask.dataframe.read_parquet('lake/events')`,
    modules: ['dask.dataframe'],
    types: [TEXT_DAY, ...NULLABLE_INTEGERS],
  },
  {
    call: `fastparquet.ParquetFile('lake/events').to_pandas()`,
    modules: ['fastparquet'],
    types: ['date > without zone', 'instant > without zone'],
    sinceRefused: /Invalid comparison/,
    exportedRefused: /Encoding 6/,
  },
  { call: `chdb.query("select * from file('lake/events/*/*.parquet', Parquet)", 'ArrowTable')`, modules: ['chdb'] },
  { call: `daft.read_parquet('lake/events/**/*.parquet', hive_partitioning=True)`, modules: ['daft'] },
];

/** By TZ of the process, which is the zone of the session for all of them. */
const ZONES = { UTC: 'UTC', 'America/New_York': 'EDT', 'Asia/Tokyo': 'JST' };

interface Kit {
  readonly python: string;
  /** Has the older DuckDB. */
  readonly older: string;
}

async function install(folder: string): Promise<Kit> {
  const list = join(folder, 'installed.txt');
  const kit = { python: join(folder, 'venv/bin/python'), older: join(folder, 'older') };
  const wanted = [...PACKAGES, DUCKDB_OLD].join('\n');
  if (existsSync(list) && (await readFile(list, 'utf8')) === wanted) return kit;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await output('python3', ['-m', 'venv', 'venv'], { cwd: folder });
  const pip = async (...args: string[]) => {
    const { exitCode, stderr } = await run(kit.python, ['-m', 'pip', 'install', '-q', ...args], { cwd: folder });
    if (exitCode !== 0) throw new Error(`pip could not install ${args.join(' ')} from PyPI:\n${stderr.trim()}`);
  };
  await pip('--disable-pip-version-check', ...PACKAGES);
  await pip('--disable-pip-version-check', '--no-deps', '--target', kit.older, DUCKDB_OLD);
  await writeFile(list, wanted);
  return kit;
}

interface Found {
  readonly refused?: string;
  readonly tables: Readonly<Record<string, Table>>;
  readonly since: number | string;
}

interface Table {
  readonly rows: number;
  readonly types: Readonly<Record<string, string>>;
  readonly digests: Readonly<Record<string, string>>;
  readonly rowDigest: string;
}

interface Page {
  readonly id: string;
  readonly dateTime: string;
  readonly score?: number | string | null;
  readonly file?: { readonly size?: number | string | null; readonly sha256?: string | null } | null;
  readonly process?: { readonly pid?: number | string | null } | null;
}

/** All events by HTTP, as `JSON.parse` gives them. */
async function pagesOf({ simulator }: TestGateway): Promise<Page[]> {
  const body = new URLSearchParams({ username: 'demo', password: 'demo', token: 'true' });
  const token = await (await fetch(`${simulator.url}/auth`, { method: 'POST', body })).text();
  const events: Page[] = [];
  for (let pageNumber = 0; ; pageNumber += 1) {
    const filter = "event.dateTime : ['2020-08-17T00:00:00.000Z' .. '2020-08-19T23:59:59.999Z']";
    const query = new URLSearchParams({ filter, pageSize: '1000', pageNumber: `${pageNumber}` });
    const headers = { authorization: `Bearer ${token}` };
    const page = JSON.parse(await (await fetch(`${simulator.url}/ioc/events?${query}`, { headers })).text()) as Page[];
    events.push(...page);
    if (page.length < 1000) return events;
  }
}

/** What the engines must find. `ids` is hashed by Python the same way. */
async function truthOf(events: readonly Page[]) {
  const { createHash } = await import('node:crypto');
  const sum = (values: readonly unknown[]) => values.reduce<number>((total, value) => total + Number(value ?? 0), 0);
  const nulls = (values: readonly unknown[]) => values.filter((value) => value === undefined || value === null).length;
  const scores = events.map((event) => event.score);
  const sizes = events.map((event) => event.file?.size);
  const days = events.map((event) => event.dateTime.slice(0, 10)).toSorted();
  const ids = events.map((event) => event.id).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return {
    ids: createHash('md5').update(ids.join('\n')).digest('hex'),
    fileSizes: sum(sizes),
    scores: sum(scores),
    nulls: {
      score: nulls(scores),
      file_sha256: nulls(events.map((event) => event.file?.sha256)),
      file_size: nulls(sizes),
      process_id: nulls(events.map((event) => event.process?.pid)),
    },
    days: Object.fromEntries([...new Set(days)].map((day) => [day, days.filter((each) => each === day).length])),
  };
}

/** `lake's > engine's` of all types that differ, over all tables. */
function differentTypes(engine: Found, lake: Found): string[] {
  const different = Object.entries(engine.tables).flatMap(([name, { types }]) =>
    Object.entries(types)
      .map(([column, type]) => [lake.tables[name]?.types[column], type])
      .filter(([expected, type]) => expected !== type)
      .map((pair) => pair.join(' > ')),
  );
  return [...new Set(different)].toSorted();
}

definePart('lake-readers', install, (kit) => {
  let folder: string;
  let events: Page[];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'edrlake-readers-'));
    const [from, to] = ['2020-08-17', '2020-08-19'];
    await using gateway = await startTestGateway({ events: 2000, from, to, seed: 3 });
    events = await pagesOf(gateway);
    const env = { EDRLAKE_USERNAME: 'demo', EDRLAKE_PASSWORD: 'demo' };
    const program = join(TOP, 'packages/edrlake/bin/edrlake.js');
    const edrlake = (...args: string[]) => output(process.execPath, [program, ...args], { cwd: folder, env });
    const lakes = ['exported/lake', 'compacted/lake'] as const;
    // Two commits, so that a day has several files.
    const noon = '2020-08-18T12:00:00Z';
    for (const range of [
      ['--from', from, '--to', noon],
      ['--from', noon, '--to', to],
    ])
      await edrlake('backfill', '--base-url', gateway.simulator.url, '--lake', lakes[0], ...range);
    await cp(join(folder, lakes[0]), join(folder, lakes[1]), { recursive: true });
    await edrlake('compact', '--lake', lakes[1]);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const read = async (layout: string, zone: string, engines: readonly Engine[], older = false) => {
    const script = join(TOP, 'test/services/lake-readers/read_lake.py');
    const modules = [...new Set(engines.flatMap((engine) => engine.modules))];
    const args = [script, ...modules, '--', ...engines.map(({ call }) => call)];
    const env = { TZ: zone, PYTHONWARNINGS: 'ignore', ...(older && { PYTHONPATH: kit().older }) };
    const text = await output(kit().python, args, { cwd: join(folder, layout), env });
    return JSON.parse(text) as { zone: string; duckdb: string | null; calls: Record<string, Found> };
  };
  let lakeItself: Found | undefined;
  /** Of one engine, the same for every layout and zone. */
  const reference = async () => {
    lakeItself ??= Object.values((await read('exported', 'UTC', DUCKDB.slice(0, 1))).calls)[0];
    if (lakeItself === undefined) throw new Error('the first engine gave no answer');
    return lakeItself;
  };

  test.for(['exported', 'compacted'].flatMap((layout) => Object.entries(ZONES).map((zone) => [layout, ...zone])))(
    'each engine finds every value in a lake as %s, in %s',
    async ([layout = '', zone = '', shortName]) => {
      const lake = await reference();
      const truth = await truthOf(events);
      const since = events.filter((event) => Date.parse(event.dateTime) >= Date.UTC(2020, 7, 18)).length;
      expect(events.length).toBe(2000);
      for (const older of [false, true]) {
        const engines = older ? DUCKDB : ENGINES;
        const { zone: found, duckdb, calls } = await read(layout, zone, engines, older);
        expect(`duckdb==${duckdb}`).toBe(older ? DUCKDB_OLD : DUCKDB_NEW);
        expect(found, 'the zone of the process').toBe(shortName);
        for (const { call, types = [], sinceRefused, exportedRefused } of engines) {
          const answer = calls[call] as Found;
          const where = `${call}${older ? ` of ${DUCKDB_OLD}` : ''}`;
          if (layout === 'exported' && exportedRefused !== undefined) {
            expect(answer.refused, where).toMatch(exportedRefused);
            continue;
          }
          expect(answer.refused, where).toBeUndefined();
          expect(answer, where).toMatchObject(truth);
          if (sinceRefused === undefined) expect(answer.since, where).toBe(since);
          else expect(answer.since, where).toMatch(sinceRefused);
          expect(differentTypes(answer, lake), where).toEqual(types.toSorted());
          for (const [name, { rows, digests, rowDigest }] of Object.entries(lake.tables)) {
            expect(answer.tables[name]?.digests, `${where}: ${name}`).toEqual(digests);
            expect(answer.tables[name], `${where}: ${name}`).toMatchObject({ rows, rowDigest });
          }
        }
      }
    },
  );

  test('README names the calls', async () => {
    const readme = await readFile(join(TOP, 'README.md'), 'utf8');
    for (const { call } of ENGINES) expect(readme.includes(`\`${call}\``), call).toBe(true);
  });
});
