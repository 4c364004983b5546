import { FOLDERS } from '../storage/layout.ts';
import type { Store } from '../storage/store.ts';
import type { CommitLog } from './commit-log.ts';

/**
 * Of some paths of data files those that the lake has lost: the newest version does not name them, and they are neither
 * in their folder nor in the trash. The order of the questions matters: a file that left the newest version is in its
 * folder, or in the trash, or is gone.
 */
export async function lostAmong(store: Store, log: CommitLog, paths: readonly string[]): Promise<string[]> {
  if (paths.length === 0) return [];
  const { files } = await log.refresh();
  const unnamed = paths.filter((path) => !files.has(path));
  const absent = await store.absent(unnamed);
  const trashed = new Set((await store.walk(FOLDERS.trash)).map((path) => path.split('/').slice(2).join('/')));
  return unnamed.filter((path) => absent.has(path) && !trashed.has(path));
}
