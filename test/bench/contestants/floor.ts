import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { type FloorWay, floorScript } from './floor-script.ts';
import { fetchToDisk, type PageOrder } from './page-fetching.ts';

// The least that anyone could do by hand: all pages to disk, then one DuckDB script. Nothing is sorted, compared or proven.

/** What the floor is told, as the one argument. */
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
const startedAt = performance.now();
const files = await fetchToDisk(order, pages, pageFolder);
const fetchedAt = performance.now();
const instance = await DuckDBInstance.create(':memory:', {
  memory_limit: order.memoryLimit,
  preserve_insertion_order: 'false',
  temp_directory: join(order.folder, 'spill'),
});
const connection = await instance.connect();
const seconds: number[] = [];
for (const statement of floorScript(files, order.folder, order.way)) {
  const begunAt = performance.now();
  await connection.run(statement);
  seconds.push((performance.now() - begunAt) / 1000);
}
connection.closeSync();
instance.closeSync();
process.stdout.write(
  `${JSON.stringify({ fetchSeconds: (fetchedAt - startedAt) / 1000, statementSeconds: seconds })}\n`,
);
