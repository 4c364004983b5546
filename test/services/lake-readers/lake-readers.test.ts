import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestGateway, type TestGateway } from 'edrlake/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { definePart, output, TOP } from '../part.ts';
import { DUCKDB_NEW, DUCKDB_OLDER, install } from './engines.ts';
import { columnsOf, MADE_COLUMNS } from './pages-truth.ts';

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
/**
 * With files of both writers for one day; and that compacted, which the portable writer leaves to DuckDB. Neither has
 * more to do with zones than those above.
 */
const MIXTURES = ['mixed', 'mixed-compacted'] as const;
type Layout = (typeof LAYOUTS)[number] | (typeof MIXTURES)[number];

const TEXT_DAY = 'date > string';
const NULLABLE_INTEGERS = ['int32 > double', 'int64 > double'];
const NO_VIEWS = /database does not exist/;
const DUCKDB: readonly Engine[] = [
  { call: `duckdb.sql("from 'lake/events/*/*.parquet'")`, modules: ['duckdb'] },
  {
    call: `lake = duckdb.connect('lake/lake.duckdb', read_only=True); lake.sql('from events')`,
    modules: ['duckdb'],
    // The file of views is written by DuckDB, with the first command that has it.
    refuses: { portable: NO_VIEWS, mixed: NO_VIEWS },
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
    refuses: { exported: /Encoding 6/, mixed: /Encoding 6/ },
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
const SHORT_NAMES: Readonly<Record<string, string>> = { UTC: 'UTC', 'America/New_York': 'EDT', 'Asia/Tokyo': 'JST' };
const ZONES = Object.keys(SHORT_NAMES);

/** What is to be read, by zone. */
type Layouts = Readonly<Record<string, readonly Layout[]>>;

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
    const writers = {
      exported: ['duckdb', 'duckdb'],
      portable: ['parquetjs', 'parquetjs'],
      mixed: ['duckdb', 'parquetjs'],
    } as const;
    for (const [layout, [first, second]] of Object.entries(writers)) {
      const target = ['--base-url', gateway.simulator.url, '--lake', `${layout}/lake`];
      await edrlake('backfill', ...target, '--writer', first, '--from', from, '--to', noon);
      await edrlake('backfill', ...target, '--writer', second, '--from', noon, '--to', to);
    }
    for (const [layout, compacted] of [
      ['exported', 'compacted'],
      ['mixed', 'mixed-compacted'],
    ] as const) {
      await cp(join(folder, layout), join(folder, compacted), { recursive: true });
      await edrlake('compact', '--lake', `${compacted}/lake`);
    }
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const python = async (program: string, engines: readonly Engine[], layouts: Layouts, env: Record<string, string>) => {
    const script = join(TOP, 'test/services/lake-readers/read_lake.py');
    const modules = [...new Set(engines.flatMap((engine) => engine.modules))];
    const asked = { modules, calls: engines.map(({ call }) => call), layouts };
    const settings = { cwd: folder, env: { PYTHONWARNINGS: 'ignore', ...env } };
    return JSON.parse(await output(program, [script, JSON.stringify(asked)], settings)) as Answers;
  };
  let lakeItself: Found | undefined;
  /** Of one engine, the same for every layout and zone. */
  const reference = async () => {
    if (lakeItself !== undefined) return lakeItself;
    const layouts: Layouts = { UTC: ['exported'] };
    const { answers } = await python(kit().python, DUCKDB.slice(0, 1), layouts, { TZ: 'UTC' });
    const found = Object.values(answers[0]?.calls ?? {})[0];
    if (found === undefined) throw new Error('the first engine gave no answer');
    // What all others are compared with is compared with the pages, column by column.
    for (const [table, digests] of Object.entries(columnsOf(events))) {
      const all = Object.entries(found.tables[table]?.digests ?? {});
      const plain = all.filter(([column]) => !MADE_COLUMNS.includes(column));
      expect(Object.fromEntries(plain), `${table}, from the pages`).toEqual(digests);
    }
    lakeItself = found;
    return lakeItself;
  };
  /** Compares what engines have found. */
  const expectValues = async ({ answers }: Answers, engines: readonly Engine[], asked: Layouts, by = '') => {
    const lake = await reference();
    const truth = await truthOf(events);
    const since = events.filter((event) => Date.parse(event.dateTime) >= Date.UTC(2020, 7, 18)).length;
    expect(events.length).toBe(2000);
    expect(answers.map(({ zone, layout }) => `${zone} ${layout}`)).toEqual(
      Object.entries(asked).flatMap(([zone, layouts]) => layouts.map((layout) => `${SHORT_NAMES[zone]} ${layout}`)),
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

  const hyparquet = async (zone: string, layouts: readonly Layout[]): Promise<Answers> => {
    const script = join(TOP, 'test/services/lake-readers/read_lake.mjs');
    const settings = { cwd: folder, env: { TZ: zone } };
    return JSON.parse(await output(process.execPath, [script, HYPARQUET.call, ...layouts], settings)) as Answers;
  };

  test.for(ZONES)(
    'each engine finds every value in a lake of either writer and in a compacted one, in %s',
    async (zone) => {
      const asked: Layouts = { [zone]: LAYOUTS };
      const found = await python(kit().python, ENGINES, asked, { TZ: zone });
      expect(found.duckdb).toBe(DUCKDB_NEW);
      await expectValues(found, ENGINES, asked);
      for (const version of DUCKDB_OLDER) {
        const older = await python(kit().python, DUCKDB, asked, { TZ: zone, PYTHONPATH: kit().older(version) });
        expect(older.duckdb).toBe(version);
        await expectValues(older, DUCKDB, asked, ` of DuckDB ${version}`);
      }
      await expectValues(await hyparquet(zone, LAYOUTS), [HYPARQUET], asked);
    },
  );

  test('each engine finds every value where both writers wrote a day, and after its compaction', async () => {
    const asked: Layouts = { UTC: MIXTURES };
    await expectValues(await python(kit().python, ENGINES, asked, { TZ: 'UTC' }), ENGINES, asked);
    await expectValues(await hyparquet('UTC', MIXTURES), [HYPARQUET], asked);
  });

  test('Spark finds every value in all these lakes, and those of one writer in each zone', async () => {
    const asked: Layouts = {
      ...Object.fromEntries(ZONES.map((zone) => [zone, LAYOUTS])),
      UTC: [...LAYOUTS, ...MIXTURES],
    };
    await expectValues(await python(kit().sparkPython, [SPARK], asked, {}), [SPARK], asked);
  });

  test('README names the calls', async () => {
    const readme = await readFile(join(TOP, 'README.md'), 'utf8');
    for (const { call } of [...ENGINES, SPARK, HYPARQUET]) expect(readme.includes(`\`${call}\``), call).toBe(true);
  });
});
