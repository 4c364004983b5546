import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent } from 'undici';

/** The options of the fetching programs, as the only argument. */
export interface PageOrder {
  readonly url: string;
  /** A file with the paths and queries of the pages, as a JSON list. */
  readonly pageListFile: string;
  readonly concurrency: number;
}

/** Requests all pages in order, a fixed number at once, and passes each body on as received. @returns bytes received */
export async function fetchPages(
  order: PageOrder,
  pages: readonly string[],
  use: (body: Buffer, pageNumber: number) => Promise<void>,
): Promise<number> {
  const agent = new Agent({ connections: order.concurrency });
  const origin = order.url;
  const headers = { accept: 'application/json', 'accept-encoding': 'gzip' };
  let next = 0;
  let bodyBytes = 0;
  const work = async () => {
    for (let pageNumber = next++; pageNumber < pages.length; pageNumber = next++) {
      const { statusCode, body } = await agent.request({
        origin,
        path: pages[pageNumber] ?? '',
        method: 'GET',
        headers,
      });
      const bytes = Buffer.from(await body.arrayBuffer());
      if (statusCode !== 200) throw new Error(`page ${pageNumber}: status ${statusCode}`);
      bodyBytes += bytes.length;
      await use(bytes, pageNumber);
    }
  };
  await Promise.all(Array.from({ length: order.concurrency }, work));
  await agent.close();
  return bodyBytes;
}

/** Fetches all pages into a folder. @returns the files, in the order of the pages */
export async function fetchToDisk(order: PageOrder, pages: readonly string[], folder: string): Promise<string[]> {
  const fileOf = (pageNumber: number) => join(folder, `${String(pageNumber).padStart(6, '0')}.json.gz`);
  await fetchPages(order, pages, (body, pageNumber) => writeFile(fileOf(pageNumber), body));
  return pages.map((_, pageNumber) => fileOf(pageNumber));
}
