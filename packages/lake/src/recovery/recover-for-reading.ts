import { access, constants } from 'node:fs/promises';
import type { Emit } from '@edrlake/core';
import type { CommitLog } from '../log/commit-log.ts';
import { FOLDERS, trashFolder, VIEW_FILE } from '../storage/layout.ts';
import { leaseOwners, lookAtLeases } from '../storage/lease.ts';
import type { Store } from '../storage/store.ts';
import { unfinishedCommits } from './recover.ts';

/** A lake that is being opened for reading. */
export interface RecoveredLake {
  readonly store: Store;
  readonly log: CommitLog;
  readonly nowMs: number;
  readonly emit: Emit;
  /** Opens it for writing, which puts right what dead processes left, without waiting, and closes it again. */
  readonly openToWrite: () => Promise<void>;
}

/**
 * What a process that died in the middle of a commit left in the table folders would double rows for everyone who reads them
 * by a pattern, and `lake.duckdb` may name files that are gone. The next process that opens the lake for reading corrects that where
 * the lake may be written, and says so where it may not. Costs one listing, and looks at two files.
 */
export async function recoverForReading({ store, log, nowMs, emit, openToWrite }: RecoveredLake): Promise<void> {
  const { isOwnerAlive } = await lookAtLeases(store, nowMs);
  const abandoned = async () => (await unfinishedCommits(store)).filter(({ owner }) => !isOwnerAlive(owner)).length;
  const isWorkedOn = async () => (await leaseOwners(store)).some(isOwnerAlive);
  let commits = await abandoned();
  if (commits === 0 && (!(await areViewsBehind(store, log)) || (await isWorkedOn()))) return;
  const isWritable = await Promise.all([FOLDERS.spool, FOLDERS.trash].map((folder) => mayWrite(store, folder)));
  // Reading must go on whatever fails here.
  if (!isWritable.includes(false)) await openToWrite().catch(() => undefined);
  commits = await abandoned();
  if (commits > 0) emit({ type: 'unfinished', commits });
}

/** Whether a process died between a commit that removed files and the views that no longer name them. */
async function areViewsBehind(store: Store, log: CommitLog): Promise<boolean> {
  const last = (await log.refresh()).commits.findLast(({ filesRemoved }) => filesRemoved > 0);
  if (last === undefined) return false;
  const [views, removed] = await store.look([VIEW_FILE, `${FOLDERS.trash}/${trashFolder(last.version)}`]);
  return removed != null && (views == null || views.changedAtMs < removed.changedAtMs);
}

async function mayWrite(store: Store, folder: string): Promise<boolean> {
  return access(store.locate(folder), constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}
