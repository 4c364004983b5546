import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { report, timed } from '../stages/own-time.ts';
import { encodingScript, tablesInMemory } from './floor-script.ts';
import { fetchToDisk, type PageOrder } from './page-fetching.ts';

// What no program on this machine gets below: inflating, parsing and compressing, each alone, on one core. Each step
// is repeated, and the least CPU time counts, because everything else on the machine only adds to it.

/** The options of this program, as the only argument. */
export interface LimitOrder extends PageOrder {
  /** An empty folder. */
  readonly folder: string;
}

/** Microseconds of CPU time for each event, and how many events were measured. */
export interface LimitFigures {
  readonly events: number;
  /** gunzip: the zlib that Node has. */
  readonly inflateUs: number;
  /** JSON to a tree: the yyjson that DuckDB has. */
  readonly parseUs: number;
  /** zstd, first level, of Parquet that is already encoded: the one that DuckDB has. */
  readonly compressUs: number;
  /** Encoding that Parquet from columns in memory, without compressing it. */
  readonly encodeUs: number;
}

const PAGES = 60;
const PASSES = 6;
const JSON_TEXT = 'json_text';

const order = JSON.parse(process.argv[2] ?? '{}') as LimitOrder;
const all = JSON.parse(await readFile(order.pageListFile, 'utf8')) as string[];
const pageFolder = join(order.folder, 'pages');
await mkdir(pageFolder, { recursive: true });
const files = await fetchToDisk(order, all.slice(0, PAGES), pageFolder);
const bodies = await Promise.all(files.map((file) => readFile(file)));
const texts = bodies.map((body) => (isGzip(body) ? gunzipSync(body) : body).toString('utf8'));
const events = texts.reduce((sum, text) => sum + (JSON.parse(text) as unknown[]).length, 0);

const instance = await DuckDBInstance.create(':memory:', { threads: '1', preserve_insertion_order: 'false' });
const connection = await instance.connect();
await connection.run(`CREATE TEMP TABLE ${JSON_TEXT} (body VARCHAR)`);
for (const text of texts) await connection.run(`INSERT INTO ${JSON_TEXT} VALUES ($1)`, [text]);
for (const statement of tablesInMemory(files)) await connection.run(statement);

const inflate = await leastCpu(async () => {
  for (const body of bodies) if (isGzip(body)) gunzipSync(body);
});
const parse = await leastCpu(() => connection.run(`SELECT count(*) FROM ${JSON_TEXT} WHERE json_valid(body)`));
const encode = await leastCpu(() => runAll(connection, encodingScript(order.folder, "COMPRESSION 'uncompressed'")));
const both = await leastCpu(() =>
  runAll(connection, encodingScript(order.folder, 'COMPRESSION zstd, COMPRESSION_LEVEL 1')),
);
connection.closeSync();
instance.closeSync();
const figures: LimitFigures = {
  events,
  inflateUs: perEvent(inflate),
  parseUs: perEvent(parse),
  compressUs: perEvent(Math.max(0, both - encode)),
  encodeUs: perEvent(encode),
};
report(figures);

function perEvent(cpuSeconds: number): number {
  return (cpuSeconds / events) * 1e6;
}

function isGzip(body: Buffer): boolean {
  return body[0] === 0x1f && body[1] === 0x8b;
}

async function leastCpu(work: () => Promise<unknown>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let pass = 0; pass < PASSES; pass += 1) least = Math.min(least, (await timed(work)).cpuSeconds);
  return least;
}

async function runAll(target: DuckDBConnection, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await target.run(statement);
}
