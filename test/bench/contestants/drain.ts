import { readFile } from 'node:fs/promises';
import { fetchPages, type PageOrder } from './page-fetching.ts';

// What the gateway alone can deliver: all pages are fetched and thrown away, still compressed.

const order = JSON.parse(process.argv[2] ?? '{}') as PageOrder;
const pages = JSON.parse(await readFile(order.pageListFile, 'utf8')) as string[];
const startedAt = performance.now();
const bodyBytes = await fetchPages(order, pages, async () => {});
process.stdout.write(`${JSON.stringify({ bodyBytes, seconds: (performance.now() - startedAt) / 1000 })}\n`);
