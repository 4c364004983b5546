import { MS_PER_DAY } from '@edrlake/core';
import type { CommitTools } from '../log/commit-context.ts';
import { readEntry } from '../log/log-files.ts';
import { FOLDERS, isDataFile, PROBE_FOLDER } from '../storage/layout.ts';
import type { UnfinishedUpload } from '../storage/store.ts';

/** An object that no version needs, or an upload that was never finished. */
export interface UnnamedObject {
  readonly path: string;
  readonly bytes: number;
  readonly upload: UnfinishedUpload | null;
}

/**
 * Writers on other machines cannot be seen: an object of no version may belong to a commit that is under way there, or
 * to one whose log entry the network has kept. None takes a day.
 */
const OTHERS_GRACE_MS = MS_PER_DAY;

/**
 * Objects of a lake in an object store that the newest version does not name. One that a commit of the log replaced is
 * included once that commit is older than the grace period; one that no entry says anything about, and an upload that
 * was never finished, once they are also a day old.
 * @param beforeMs the end of the grace period
 */
export async function findUnnamedObjects(
  { store, log, tables }: Pick<CommitTools, 'store' | 'log' | 'tables'>,
  beforeMs: number,
  nowMs: number,
): Promise<UnnamedObject[]> {
  const oldMs = Math.min(beforeMs, nowMs - OTHERS_GRACE_MS);
  const folders = [...tables.map(({ name }) => name), FOLDERS.ids, PROBE_FOLDER];
  // Listed before the log is read: what a commit adds meanwhile is not in the list.
  const seen = (await Promise.all(folders.map((folder) => store.walk(folder)))).flat();
  const { files, identityFiles, commits } = await log.refresh();
  const replacedAtMs = new Map<string, number>();
  for (const { version, committedAtMs } of commits.filter((commit) => commit.committedAtMs >= oldMs)) {
    const entry = await readEntry(store, version);
    for (const path of [...(entry?.removed ?? []), ...(entry?.idsRemoved ?? [])]) replacedAtMs.set(path, committedAtMs);
  }
  const isOurs = (path: string) => path.startsWith(`${PROBE_FOLDER}/`) || isDataFile(path);
  const unnamed = seen.filter((path) => isOurs(path) && !files.has(path) && !identityFiles.has(path));
  const things = await store.look(unnamed);
  const found: UnnamedObject[] = unnamed.flatMap((path, position) => {
    const thing = things[position];
    const replaced = replacedAtMs.get(path);
    const isOld = replaced === undefined ? (thing?.changedAtMs ?? nowMs) < oldMs : replaced < beforeMs;
    return thing != null && isOld ? [{ path, bytes: thing.bytes, upload: null }] : [];
  });
  for (const upload of (await store.remote?.unfinishedUploads(oldMs)) ?? []) {
    found.push({ path: upload.path, bytes: 0, upload });
  }
  return found;
}
