import { EdrlakeError, type TableSpec } from '@edrlake/core';
import type { CommitLog } from '../log/commit-log.ts';
import type { LakeState } from '../log/lake-state.ts';
import { LOG_HINT } from '../log/log-files.ts';
import { FOLDERS, indexVersion } from '../storage/layout.ts';
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
  const isEmpty = state.version === 0;
  const index = (await store.list(FOLDERS.ids)).map((name) => `${FOLDERS.ids}/${name}`).filter(isParquet);
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
  if (first === undefined) return;
  const what =
    now.version === 0
      ? `the commit log is empty, though the lake has data, such as ${first}`
      : `the commit log ends at version ${now.version}, though ${first} belongs to version ${indexVersion(first)}`;
  throw new EdrlakeError('LAKE_CORRUPT', what, { context: { version: now.version, path: first }, hint: LOG_HINT });
}

/** Whether only a version that the state does not have can have added the file. */
function isUnknown(state: LakeState, path: string): boolean {
  return state.version === 0 || (indexVersion(path) ?? 0) > state.version;
}

async function filesOf(store: Store, tables: readonly TableSpec[]): Promise<string[]> {
  return (await Promise.all(tables.map(({ name }) => store.walk(name)))).flat().filter(isParquet);
}

function isParquet(path: string): boolean {
  return path.endsWith('.parquet');
}
