import { readFile } from 'node:fs/promises';
import { report, timed } from '../stages/own-time.ts';
import { fetchPages, type PageOrder } from './page-fetching.ts';

// The speed of the gateway alone: fetches all pages and discards them, still compressed.

const order = JSON.parse(process.argv[2] ?? '{}') as PageOrder;
const pages = JSON.parse(await readFile(order.pageListFile, 'utf8')) as string[];
const { value: bodyBytes, ...time } = await timed(() => fetchPages(order, pages, async () => {}));
report({ ...time, bodyBytes });
