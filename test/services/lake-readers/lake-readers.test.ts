import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestGateway, type TestGateway } from 'edrlake/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { definePart, output, run, TOP } from '../part.ts';

/** The first is the one of the other engines' Python. */
const DUCKDB_VERSIONS = ['2.0.1', '1.5.6', '1.1.3'] as const;
const [DUCKDB_NEW, ...DUCKDB_OLDER] = DUCKDB_VERSIONS;
const PACKAGES = [
  ...[`duckdb==${DUCKDB_NEW}`, 'pyarrow==25.0.1', 'pandas==3.1.1', 'polars==2.1.0', 'datafusion==55.0.0'],
  ...['dask[dataframe]==2026.8.0', 'fastparquet==2026.9.0', 'chdb==4.4.0', 'daft==0.7.26'],
];
const SPARK_PACKAGES = ['pyspark==4.0.3'];
/** What Spark 4.0 runs on, and the packages of Debian and its kin that have it. */
const JAVA_VERSIONS = ['17', '21'];
const JAVA_PACKAGES = ['openjdk-17-jre-headless', 'openjdk-21-jre-headless'];

interface Engine {
  readonly call: string;
  /** What the call imports. */
  readonly modules: readonly string[];
  /** Types that are not those of the lake: `lake's > engine's`. */
  readonly types?: readonly string[];
  /** Where the engine refuses a comparison with an instant. */
  readonly sinceRefused?: RegExp;
  /** Where it refuses a layout. */
  readonly refuses?: Readonly<Partial<Record<Layout, RegExp>>>;
}

/** A lake as the bulk writer left it, compacted, and as the portable writer left it: folders that hold a `lake`. */
const LAYOUTS = ['exported', 'compacted', 'portable'] as const;
type Layout = (typeof LAYOUTS)[number];

const TEXT_DAY = 'date > string';
const NULLABLE_INTEGERS = ['int32 > double', 'int64 > double'];
const DUCKDB: readonly Engine[] = [
  { call: `duckdb.sql("from 'lake/events/*/*.parquet'")`, modules: ['duckdb'] },
  {
    call: `lake = duckdb.connect('lake/lake.duckdb', read_only=True); lake.sql('from events')`,
    modules: ['duckdb'],
    // The file of views is written by DuckDB, with the first command that has it.
    refuses: { portable: /database does not exist/ },
  },
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
    refuses: { exported: /Encoding 6/ },
  },
  { call: `chdb.query("select * from file('lake/events/*/*.parquet', Parquet)", 'ArrowTable')`, modules: ['chdb'] },
  { call: `daft.read_parquet('lake/events/**/*.parquet', hive_partitioning=True)`, modules: ['daft'] },
];

const SPARK: Engine = {
  call: `pyspark.sql.SparkSession.builder.getOrCreate().read.parquet('lake/events')`,
  modules: ['pyspark.sql'],
};

/** Reads one file, whose day is the name of its folder. */
const HYPARQUET: Engine = {
  call: 'await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors })',
  modules: [],
  types: [TEXT_DAY],
};

/** By TZ of the process, which is the zone of the session for all of them but Spark. */
const ZONES = { UTC: 'UTC', 'America/New_York': 'EDT', 'Asia/Tokyo': 'JST' };

/** Version of the Java that Spark would start; '' where there is none. */
async function javaVersion(): Promise<string> {
  const { JAVA_HOME } = process.env;
  const program = JAVA_HOME === undefined ? 'java' : join(JAVA_HOME, 'bin/java');
  const settings = ['-XshowSettings:properties', '-version'];
  const { stderr } = await run(program, settings, { cwd: TOP }).catch(() => ({ stderr: '' }));
  return /java\.specification\.version = (\S+)/.exec(stderr)?.[1] ?? '';
}

/** Installs Java where this machine has none that Spark runs on. @throws where that is impossible */
async function needJava(): Promise<void> {
  const found = await javaVersion();
  if (JAVA_VERSIONS.includes(found)) return;
  const apt = (...args: string[]) =>
    run('apt-get', ['-q', ...args], { cwd: TOP, env: { DEBIAN_FRONTEND: 'noninteractive' } }).catch(
      ({ message }: Error) => ({ exitCode: 1, stderr: message }),
    );
  await apt('update');
  let why = '';
  for (const name of JAVA_PACKAGES) {
    const { exitCode, stderr } = await apt('install', '-y', '--no-install-recommends', name);
    if (exitCode === 0 && JAVA_VERSIONS.includes(await javaVersion())) return;
    why += `\n${name}: ${stderr.trim()}`;
  }
  const has = found === '' ? 'this machine has none' : `this machine has ${found}`;
  throw new Error(`Spark needs Java ${JAVA_VERSIONS.join(' or ')}; ${has}, and apt-get could not install it:${why}`);
}

interface Kit {
  readonly python: string;
  /** A Python with Spark. */
  readonly sparkPython: string;
  /** The folder of an older DuckDB. */
  older(version: string): string;
}

async function install(folder: string): Promise<Kit> {
  const list = join(folder, 'installed.txt');
  const python = join(folder, 'venv/bin/python');
  const sparkPython = join(folder, 'spark/bin/python');
  const older = (version: string) => join(folder, `duckdb-${version}`);
  const kit = { python, older, sparkPython };
  await needJava();
  const sparkPackages = [...SPARK_PACKAGES, ...PACKAGES.filter((each) => each.startsWith('pyarrow'))];
  const wanted = [...PACKAGES, ...DUCKDB_OLDER, ...sparkPackages].join('\n');
  if (existsSync(list) && (await readFile(list, 'utf8')) === wanted) return kit;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const pip = async (pythonOf: string, ...args: string[]) => {
    const quiet = ['-m', 'pip', 'install', '-q', '--disable-pip-version-check'];
    const { exitCode, stderr } = await run(pythonOf, [...quiet, ...args], { cwd: folder });
    if (exitCode !== 0) throw new Error(`pip could not install ${args.join(' ')} from PyPI:\n${stderr.trim()}`);
  };
  for (const name of ['venv', 'spark']) await output('python3', ['-m', 'venv', name], { cwd: folder });
  await pip(python, ...PACKAGES);
  for (const version of DUCKDB_OLDER) {
    await pip(python, '--no-deps', '--target', older(version), `duckdb==${version}`);
  }
  // Apart from the others: it has opinions about their versions.
  await pip(sparkPython, ...sparkPackages);
  await writeFile(list, wanted);
  return kit;
}

/** What an engine found, in each zone and layout. */
interface Answers {
  /** Version of DuckDB, where that is among the engines. */
  readonly duckdb: string | null;
  readonly answers: readonly {
    /** Short name, as Python's `%Z` says it. */
    readonly zone: string;
    readonly layout: Layout;
    /** By call. */
    readonly calls: Readonly<Record<string, Found>>;
  }[];
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
      // A column without values has no type where only values have types.
      .filter(([expected, type]) => expected !== type && type !== 'unknown')
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
    // Two commits, so that a day has several files.
    const noon = '2020-08-18T12:00:00Z';
    for (const [layout, writer] of Object.entries({ exported: 'duckdb', portable: 'parquetjs' })) {
      for (const range of [
        ['--from', from, '--to', noon],
        ['--from', noon, '--to', to],
      ]) {
        const target = ['--base-url', gateway.simulator.url, '--lake', `${layout}/lake`, '--writer', writer];
        await edrlake('backfill', ...target, ...range);
      }
    }
    await cp(join(folder, 'exported'), join(folder, 'compacted'), { recursive: true });
    await edrlake('compact', '--lake', 'compacted/lake');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const python = async (program: string, engines: readonly Engine[], about: object, env: Record<string, string>) => {
    const script = join(TOP, 'test/services/lake-readers/read_lake.py');
    const modules = [...new Set(engines.flatMap((engine) => engine.modules))];
    const asked = { modules, calls: engines.map(({ call }) => call), layouts: LAYOUTS, ...about };
    const settings = { cwd: folder, env: { PYTHONWARNINGS: 'ignore', ...env } };
    return JSON.parse(await output(program, [script, JSON.stringify(asked)], settings)) as Answers;
  };
  let lakeItself: Found | undefined;
  /** Of one engine, the same for every layout and zone. */
  const reference = async () => {
    if (lakeItself !== undefined) return lakeItself;
    const about = { layouts: ['exported'], zones: ['UTC'] };
    const { answers } = await python(kit().python, DUCKDB.slice(0, 1), about, { TZ: 'UTC' });
    lakeItself = Object.values(answers[0]?.calls ?? {})[0];
    if (lakeItself === undefined) throw new Error('the first engine gave no answer');
    return lakeItself;
  };
  /** Compares what engines have found in all layouts, in the zones with these short names. */
  const expectValues = async ({ answers }: Answers, engines: readonly Engine[], zones: readonly string[], by = '') => {
    const lake = await reference();
    const truth = await truthOf(events);
    const since = events.filter((event) => Date.parse(event.dateTime) >= Date.UTC(2020, 7, 18)).length;
    expect(events.length).toBe(2000);
    expect(answers.map(({ zone, layout }) => `${zone} ${layout}`)).toEqual(
      zones.flatMap((zone) => LAYOUTS.map((layout) => `${zone} ${layout}`)),
    );
    for (const { zone, layout, calls } of answers) {
      for (const { call, types = [], sinceRefused, refuses = {} } of engines) {
        const answer = calls[call] as Found;
        const where = `${call}${by}: ${layout}, ${zone}`;
        const refusal = refuses[layout];
        if (refusal !== undefined) {
          expect(answer.refused, where).toMatch(refusal);
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
  };

  test.for(Object.entries(ZONES))(
    'each engine finds every value in a lake of either writer and in a compacted one, in %s',
    async ([zone, shortName]) => {
      const about = { zones: [zone] };
      const found = await python(kit().python, ENGINES, about, { TZ: zone });
      expect(found.duckdb).toBe(DUCKDB_NEW);
      await expectValues(found, ENGINES, [shortName]);
      for (const version of DUCKDB_OLDER) {
        const older = await python(kit().python, DUCKDB, about, { TZ: zone, PYTHONPATH: kit().older(version) });
        expect(older.duckdb).toBe(version);
        await expectValues(older, DUCKDB, [shortName], ` of DuckDB ${version}`);
      }
      const script = join(TOP, 'test/services/lake-readers/read_lake.mjs');
      const settings = { cwd: folder, env: { TZ: zone } };
      const text = await output(process.execPath, [script, HYPARQUET.call, ...LAYOUTS], settings);
      await expectValues(JSON.parse(text) as Answers, [HYPARQUET], [shortName]);
    },
  );

  test('Spark finds every value in a lake of either writer and in a compacted one, in each zone', async () => {
    const found = await python(kit().sparkPython, [SPARK], { zones: Object.keys(ZONES) }, {});
    await expectValues(found, [SPARK], Object.values(ZONES));
  });

  test('README names the calls', async () => {
    const readme = await readFile(join(TOP, 'README.md'), 'utf8');
    for (const { call } of [...ENGINES, SPARK, HYPARQUET]) expect(readme.includes(`\`${call}\``), call).toBe(true);
  });
});
