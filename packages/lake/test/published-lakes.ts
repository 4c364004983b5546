import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { madeOnce, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, type SmallEvent } from './small-lake.ts';

const { signal } = new AbortController();

/** The tables of the small lake. */
export const TABLES = ['events', 'certificates', 'rejects'];

export const event = (id: string, day: number, more: Partial<SmallEvent> = {}): SmallEvent => ({
  id,
  timeMs: DAY_1 + day * DAY + HOUR,
  issuers: [`of ${id}`],
  ...more,
});

/** Adds, a late event, a replacement, a compaction; then what is new again: five versions. */
const filled = madeOnce(async (lake) => {
  await deliver(lake, [event('a', 0), event('b', 0), event('c', 1)]);
  await deliver(lake, [event('late', 0)], { rejects: ['{"broken'] });
  await deliver(lake, [event('b', 0, { score: 7, issuers: [] })]);
  await lake.compact({}, { runId: 'test', signal });
  await deliver(lake, [event('d', 1)]);
});

/** Events and scores of each version of that lake. */
export const SCORES: Readonly<Record<number, unknown[][]>> = {
  1: [
    ['a', null],
    ['b', null],
    ['c', null],
  ],
  2: [
    ['a', null],
    ['b', null],
    ['c', null],
    ['late', null],
  ],
  3: [
    ['a', null],
    ['b', 7],
    ['c', null],
    ['late', null],
  ],
  4: [
    ['a', null],
    ['b', 7],
    ['c', null],
    ['late', null],
  ],
  5: [
    ['a', null],
    ['b', 7],
    ['c', null],
    ['d', null],
    ['late', null],
  ],
};

export async function openFilled(more: Parameters<typeof openSmall>[1] = {}) {
  const directory = await newDirectory();
  await filled(directory);
  return { directory, lake: await openSmall(directory, more) };
}

/** The files of a table by the lake's own log, folded here: paths in the table, for each version. */
export async function loggedIn(directory: string, table: string): Promise<Map<number, string[]>> {
  const files = new Set<string>();
  const versions = new Map<number, string[]>([[0, []]]);
  for (const name of (await readdir(join(directory, '_log'))).filter((each) => /^\d{20}\.json$/.test(each)).sort()) {
    const entry = JSON.parse(await readFile(join(directory, '_log', name), 'utf8')) as {
      version: number;
      added: { path: string }[];
      removed: string[];
    };
    for (const path of entry.removed) files.delete(path);
    for (const { path } of entry.added) files.add(path);
    const own = [...files].filter((path) => path.startsWith(`${table}/`)).map((path) => path.slice(table.length + 1));
    versions.set(entry.version, own.sort());
  }
  return versions;
}

/** Every file below a folder, with its text. */
export async function treeOf(folder: string): Promise<Record<string, string>> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const texts = await Promise.all(files.map(async (file) => [relative(folder, file), await readFile(file, 'latin1')]));
  return Object.fromEntries(texts.sort());
}
