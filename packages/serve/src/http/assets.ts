import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EdrlakeError } from '@edrlake/core';

/** A file of the page, as it is sent. */
export interface Asset {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly etag: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Beside the bundle, and in the package that the compiler and the page's build write to. */
const PLACES = ['./page/', '../../dist/page/', '../page/'];

/**
 * The files of the page by their path in a URL. All are read now: no path of a request ever reaches the disk.
 * @throws {EdrlakeError} `BUG` where the page was not built
 */
export async function readAssets(): Promise<ReadonlyMap<string, Asset>> {
  for (const place of PLACES) {
    const folder = fileURLToPath(new URL(place, import.meta.url));
    const names = await readdir(folder, { recursive: true }).catch((): string[] => []);
    if (!names.includes('index.html')) continue;
    const files = names.filter((name) => TYPES[extname(name)] !== undefined);
    const read = files.map(async (name): Promise<[string, Asset]> => {
      const bytes = new Uint8Array(await readFile(join(folder, name)));
      const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 16)}"`;
      return [`/${name.replaceAll('\\', '/')}`, { bytes, type: TYPES[extname(name)] ?? '', etag }];
    });
    return new Map(await Promise.all(read));
  }
  throw new EdrlakeError('BUG', 'expected the files of the page beside the program, found none', {
    hint: 'In a checkout: npm run build',
  });
}
