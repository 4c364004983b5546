import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { queriedType, rowMeaning, systemClock, type TableSpec } from '@edrlake/core';
import { QUALYS_EDR } from '@edrlake/datasets';
import { openEdrLake } from '@edrlake/runner';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { READERS } from '../../packages/cli/src/args/options.ts';
import { connectText } from '../../packages/cli/src/render/connect-text.ts';
import { inPlainDuckDb, runCommand } from './command.ts';

const TOP = fileURLToPath(new URL('../../', import.meta.url));

/** A heading, and the statement below it. */
const QUESTION = /^### (.+)\n(?:(?!^#).*\n)*?```sql\n((?:(?!^```).*\n)+)```/gm;

let directory: string;
let lake: string;
let questions: readonly { readonly title: string; readonly sql: string }[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-cookbook-'));
  lake = join(directory, 'lake');
  expect(await runCommand(['demo', '--lake', lake])).toMatchObject({ exitCode: 0 });
  const page = await readFile(join(TOP, 'docs/cookbook.md'), 'utf8');
  questions = [...page.matchAll(QUESTION)].map(([, title = '', sql = '']) => ({ title, sql }));
  expect(questions).toHaveLength([...page.matchAll(/^### /gm)].length);
}, 120_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

// When this fails: npm run docs
it('the page of the schema is up to date', async () => {
  const filled = new Map<string, number>();
  for (const { name, columns } of QUALYS_EDR.tables) {
    const shares = columns.map((column) => `count("${column.name}") / greatest(count(*), 1)`);
    const [row = []] = await inPlainDuckDb(`SELECT ${shares.join(', ')} FROM ${name}`, join(lake, 'lake.duckdb'));
    for (const [n, column] of columns.entries()) filled.set(`${name}.${column.name}`, Number(row[n]));
  }
  const page = schemaPage((table, column) => filled.get(`${table}.${column}`) ?? 0);
  await expect(page).toMatchFileSnapshot(join(TOP, 'docs/schema.md'));
});

it('every question of the cookbook has an answer in the demo lake', async () => {
  expect(questions.length).toBeGreaterThanOrEqual(20);
  const stdin = questions.map(({ sql }) => sql).join('\n');
  const { stdout, stderr, exitCode } = await runCommand(['sql', '--json', '--lake', lake], { stdin });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const answers = JSON.parse(stdout) as readonly (readonly unknown[])[];
  expect(answers).toHaveLength(questions.length);
  expect(questions.flatMap(({ title }, n) => (answers[n]?.length ? [] : [title]))).toEqual([]);
});

describe('lake.duckdb', () => {
  it('says what every table and column means to any DuckDB', async () => {
    const sql = `SELECT table_name, column_name, comment FROM duckdb_columns() WHERE comment IS NOT NULL ORDER BY ALL`;
    const found = (await inPlainDuckDb(sql, join(lake, 'lake.duckdb'))).map(([table, column]) => `${table}.${column}`);
    const expected = QUALYS_EDR.tables.flatMap(({ name, columns }) =>
      columns.map((column) => `${name}.${column.name}`),
    );
    expect(found.sort()).toEqual(expected.sort());
    const views = await inPlainDuckDb(
      'SELECT view_name FROM duckdb_views() WHERE comment IS NULL AND NOT internal',
      join(lake, 'lake.duckdb'),
    );
    expect(views).toEqual([]);
  });
});

describe('connect', () => {
  const COUNT = 'SELECT count(*), count(extra), min(event_date)::VARCHAR FROM events';

  it('prints what a plain DuckDB, Python and Spark read the lake with', async () => {
    const [direct] = await inPlainDuckDb(COUNT, join(lake, 'lake.duckdb'));
    const { stdout } = await runCommand(['connect', '--lake', lake]);
    expect(await inPlainDuckDb(`${stdout} ${COUNT}`)).toEqual([direct]);
    const python = await runCommand(['connect', '--format', 'python', '--lake', lake]);
    expect(python.stdout).toContain(`duckdb.connect(${JSON.stringify(join(lake, 'lake.duckdb'))}, read_only=True)`);
    const spark = await runCommand(['connect', '--format', 'spark', '--lake', lake]);
    expect(spark.stdout).toContain(`events = spark.read.parquet(${JSON.stringify(join(lake, 'events'))})`);
    for (const format of ['excel', 'csv']) {
      expect(await runCommand(['connect', '--format', format, '--lake', lake])).toMatchObject({ exitCode: 2 });
    }
    expect(await runCommand(['query', 'FROM events', '--format', 'spark', '--lake', lake])).toMatchObject({
      exitCode: 2,
    });
  });

  it('names each file of the version where a pattern would find replaced ones, and prints no secret', async () => {
    const [direct] = await inPlainDuckDb(COUNT, join(lake, 'lake.duckdb'));
    const snapshotOf = await openEdrLake(
      lake,
      { create: false, readOnly: true },
      { clock: systemClock, emit: () => {} },
    );
    const { version, files } = await snapshotOf.snapshot();
    await snapshotOf.close();
    const credentials = { accessKeyId: 'AKIATEST', secretAccessKey: 'very-secret' };
    const s3 = { endpoint: 'http://127.0.0.1:9000', region: 'eu-central-1', credentials };
    const source = { address: lake, version, tables: QUALYS_EDR.tables, files, s3 };
    const texts = READERS.map((reader) => connectText(source, reader));
    for (const text of texts) {
      expect(text).not.toMatch(/AKIATEST|very-secret/);
      for (const { path } of files.events ?? []) expect(text).toContain(path);
    }
    expect(texts[0]).toContain("ENDPOINT '127.0.0.1:9000', URL_STYLE 'path', USE_SSL false");
    const views = texts[0]?.split('\n').filter((line) => line.startsWith('CREATE OR REPLACE VIEW')) ?? [];
    expect(await inPlainDuckDb(`${views.join('\n')} ${COUNT}`)).toEqual([direct]);
  });
});

function schemaPage(shareOf: (table: string, column: string) => number): string {
  const tables = QUALYS_EDR.tables.map((table) => tableSection(table, (column) => shareOf(table.name, column)));
  return `# Tables and columns

What a lake of Qualys EDR events holds. This page is made from the table specification and checked by a test; the same
texts are comments in \`lake.duckdb\`, and \`edrlake schema TABLE\` prints them. *Filled* is the share of rows that have a
value in the demo lake, whose made-up events have what the vendor's samples have. *Source* names the fields of an event,
or of the element, that a value is read from: the first that has one counts. All times are UTC.

${tables.join('\n\n')}
`;
}

function tableSection(table: TableSpec, shareOf: (column: string) => number): string {
  const rows = table.columns.map(({ name, type, meaning, unit, paths }) => {
    const said = unit === undefined || unit === 'UTC' ? meaning : `${meaning} (${unit})`;
    const source = paths.map((path) => `\`${path}\``).join(', ');
    return `| \`${name}\` | ${queriedType(type)} | ${said} | ${source} | ${percent(shareOf(name))} |`;
  });
  const folders = `Folders are \`${table.partitionBy}=YYYY-MM-DD\`.`;
  return `## ${table.name}

${rowMeaning(table).replace(/^a/, 'A')}. ${folders}

| column | type | meaning | source | filled |
| --- | --- | --- | --- | --- |
${rows.join('\n')}`;
}

/** In steps of ten: the page is not about the demo. */
function percent(share: number): string {
  if (share === 0) return '–';
  if (share === 1) return 'always';
  return share < 0.05 ? '< 5 %' : `${Math.round(share * 10) * 10} %`;
}
