import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { report } from '../stages/own-time.ts';
import { fetchPages, type PageOrder } from './page-fetching.ts';

// A reference that does not change with edrlake: JSON.parse of all pages in one thread. Only the parsing is timed.

const order = JSON.parse(process.argv[2] ?? '{}') as PageOrder;
const pages = JSON.parse(await readFile(order.pageListFile, 'utf8')) as string[];
let parseSeconds = 0;
let textBytes = 0;
let events = 0;
await fetchPages({ ...order, concurrency: 1 }, pages, async (body) => {
  const bytes = body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body) : body;
  const startedAt = performance.now();
  events += (JSON.parse(bytes.toString('utf8')) as unknown[]).length;
  parseSeconds += (performance.now() - startedAt) / 1000;
  textBytes += bytes.length;
});
report({ parseSeconds, textBytes, events });
