import { copyFileSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onFailingDisk } from './failing-disk.ts';

/** Appends the entry of another writer's commit: an empty one, or one with files. */
export function putEntry(
  directory: string,
  version: number,
  files: { added?: unknown[]; removed?: string[] } = {},
): void {
  const nothing = {
    newEvents: 0,
    changedEvents: 0,
    unchangedEvents: 0,
    deletedEvents: 0,
    added: [],
    removed: [],
    ...files,
  };
  const entry = {
    ...{ format: 1, version, commitId: `other-${version}`, runId: 'other', committedAt: '2020-08-17T00:00:00.000Z' },
    ...{ schemaVersion: 0, ...nothing, idsAdded: [], idsRemoved: [], proofs: [] },
  };
  const path = join(directory, `_log/${String(version).padStart(20, '0')}.json`);
  writeFileSync(path, JSON.stringify(entry), { flag: 'wx' });
}

/** Another writer puts a copy in the place of each event file, as a compaction would, and moves the old ones away. */
function replaceEventFiles(directory: string): void {
  const names = readdirSync(join(directory, '_log')).filter((name) => /^\d+\.json$/.test(name));
  const entries = names.map((name) => JSON.parse(readFileSync(join(directory, '_log', name), 'utf8')));
  const gone = new Set(entries.flatMap(({ removed }) => removed));
  const files = entries
    .flatMap(({ added }) => added)
    .filter(({ table, path }) => table === 'events' && !gone.has(path));
  const added = files.map((file) => ({ ...file, path: file.path.replace('.parquet', '-c0.parquet') }));
  for (const [n, { path }] of files.entries()) copyFileSync(join(directory, path), join(directory, added[n].path));
  putEntry(directory, entries.length + 1, { added, removed: files.map(({ path }) => path) });
  for (const { path } of files) {
    renameSync(join(directory, path), join(directory, '_spool/tmp', `other-${path.replaceAll('/', '-')}`));
  }
}

/**
 * Does some work while another writer replaces all event files, just before the first of them is opened for its
 * checksum.
 */
export async function whileReplaced<T>(directory: string, work: () => Promise<T>) {
  let isReplaced = false;
  const matches = (path: string) => {
    if (isReplaced || !/\/events\/.*\.parquet$/.test(path) || path.includes('_spool')) return false;
    isReplaced = true;
    replaceEventFiles(directory);
    return false;
  };
  const { outcome } = await onFailingDisk([{ call: 'open', errno: 'EIO', nth: null, matches }], work);
  return { ...outcome, isReplaced };
}
