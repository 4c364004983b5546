import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { report, timed } from '../stages/own-time.ts';
import { type FloorWay, floorScript } from './floor-script.ts';
import { fetchToDisk, type PageOrder } from './page-fetching.ts';

// The minimum by hand: all pages to disk, then one DuckDB script. Nothing is sorted, compared or proven.

/** The options of the floor, as the only argument. */
export interface FloorOrder extends PageOrder {
  /** An empty folder for pages and tables. */
  readonly folder: string;
  readonly memoryLimit: string;
  readonly way: FloorWay;
}

const order = JSON.parse(process.argv[2] ?? '{}') as FloorOrder;
const pages = JSON.parse(await readFile(order.pageListFile, 'utf8')) as string[];
const pageFolder = join(order.folder, 'pages');
await mkdir(pageFolder, { recursive: true });
const fetched = await timed(() => fetchToDisk(order, pages, pageFolder));
const seconds: number[] = [];
const script = await timed(async () => {
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: order.memoryLimit,
    preserve_insertion_order: 'false',
    temp_directory: join(order.folder, 'spill'),
  });
  const connection = await instance.connect();
  for (const statement of floorScript(fetched.value, order.folder, order.way)) {
    seconds.push((await timed(() => connection.run(statement))).seconds);
  }
  connection.closeSync();
  instance.closeSync();
});
report({
  fetch: { seconds: fetched.seconds, cpuSeconds: fetched.cpuSeconds },
  script: { seconds: script.seconds, cpuSeconds: script.cpuSeconds },
  statementSeconds: seconds,
});
