import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { report, timed } from '../stages/own-time.ts';
import { floorScript } from './floor-script.ts';
import { fetchToDisk, type PageOrder } from './page-fetching.ts';

// The minimum by hand: all pages to disk, then a DuckDB script. Nothing is sorted, compared or proven.

/** How the floor uses DuckDB. */
export interface FloorWay {
  /** How many pages are read at a time; null: all at once. */
  readonly pagesAtOnce: number | null;
  /** DuckDB's memory, such as `512MB`; null: as much as it needs. */
  readonly memoryLimit: string | null;
  /** DuckDB's threads; null: one for each core. */
  readonly threads: number | null;
}

/** The options of the floor, as the only argument. */
export interface FloorOrder extends PageOrder, FloorWay {
  /** An empty folder for pages and tables. */
  readonly folder: string;
}

const order = JSON.parse(process.argv[2] ?? '{}') as FloorOrder;
const pages = JSON.parse(await readFile(order.pageListFile, 'utf8')) as string[];
const pageFolder = join(order.folder, 'pages');
await mkdir(pageFolder, { recursive: true });
const fetched = await timed(() => fetchToDisk(order, pages, pageFolder));
const pagesAtOnce = order.pagesAtOnce ?? fetched.value.length;
const script = await timed(async () => {
  const instance = await DuckDBInstance.create(':memory:', {
    ...(order.memoryLimit === null ? {} : { memory_limit: order.memoryLimit }),
    ...(order.threads === null ? {} : { threads: String(order.threads) }),
    preserve_insertion_order: 'false',
    temp_directory: join(order.folder, 'spill'),
  });
  const connection = await instance.connect();
  for (let start = 0; start < fetched.value.length; start += pagesAtOnce) {
    const files = fetched.value.slice(start, start + pagesAtOnce);
    const step = { files, folder: order.folder, number: start / pagesAtOnce };
    for (const statement of floorScript(step)) await connection.run(statement);
  }
  connection.closeSync();
  instance.closeSync();
});
report({
  fetch: { seconds: fetched.seconds, cpuSeconds: fetched.cpuSeconds },
  script: { seconds: script.seconds, cpuSeconds: script.cpuSeconds },
});
