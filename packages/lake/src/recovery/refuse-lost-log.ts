import { EdrlakeError, type TableSpec } from '@edrlake/core';
import type { CommitLog } from '../log/commit-log.ts';
import type { LakeState } from '../log/lake-state.ts';
import { LOG_HINT } from '../log/log-files.ts';
import { FOLDERS, indexVersion, isDataFile } from '../storage/layout.ts';
import type { Store } from '../storage/store.ts';
import { unfinishedCommits } from './recover.ts';

/**
 * Refuses a lake whose log is behind its folders: there are data files or index files without any log, or index files
 * of versions above the newest entry. The log was lost, or an older one was restored. A writer would begin a second
 * history, and a vacuum would take the data for leftovers. Costs one listing, and more only where the log is empty.
 * @throws {EdrlakeError} `LAKE_CORRUPT`
 */
export async function refuseLostLog(store: Store, log: CommitLog, tables: readonly TableSpec[]): Promise<void> {
  const state = await log.refresh();
  if (store.remote !== null) return refuseLostRemoteLog(store, state.version);
  const isEmpty = state.version === 0;
  const index = (await store.list(FOLDERS.ids)).map((name) => `${FOLDERS.ids}/${name}`).filter(isDataFile);
  const files = isEmpty ? [...index, ...(await filesOf(store, tables))] : index;
  const suspects = files.filter((path) => isUnknown(state, path));
  if (suspects.length === 0) return;
  // The order matters: a file that was seen, is named by no manifest now, still exists and is in no version has no
  // entry.
  const announced = new Set((await unfinishedCommits(store)).flatMap(({ files: announced }) => announced));
  const left = suspects.filter((path) => !announced.has(path));
  const things = await store.look(left);
  const now = await log.refresh();
  const [first] = left.filter((path, position) => things[position] !== null && isUnknown(now, path));
  if (first !== undefined) throw lostLog(now.version, first);
}

/**
 * In an object store, files of commits that never came about stay until a vacuum. They are of the version after the
 * newest one at most, so only files of later versions show that entries are missing.
 */
async function refuseLostRemoteLog(store: Store, version: number): Promise<void> {
  const names = await store.list(FOLDERS.ids);
  const first = names.find((name) => (indexVersion(name) ?? 0) > version + 1);
  if (first !== undefined) throw lostLog(version, `${FOLDERS.ids}/${first}`);
}

function lostLog(version: number, path: string): EdrlakeError {
  const what =
    version === 0
      ? `the commit log is empty, though the lake has data, such as ${path}`
      : `the commit log ends at version ${version}, though ${path} belongs to version ${indexVersion(path)}`;
  return new EdrlakeError('LAKE_CORRUPT', what, { context: { version, path }, hint: LOG_HINT });
}

/** Whether only a version that the state does not have can have added the file. */
function isUnknown(state: LakeState, path: string): boolean {
  return state.version === 0 || (indexVersion(path) ?? 0) > state.version;
}

async function filesOf(store: Store, tables: readonly TableSpec[]): Promise<string[]> {
  return (await Promise.all(tables.map(({ name }) => store.walk(name)))).flat().filter(isDataFile);
}
