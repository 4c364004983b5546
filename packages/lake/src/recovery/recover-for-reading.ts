import { access, constants } from 'node:fs/promises';
import type { Emit } from '@edrlake/core';
import type { CommitLog } from '../log/commit-log.ts';
import { FOLDERS, trashFolder, VIEW_FILE } from '../storage/layout.ts';
import type { Store } from '../storage/store.ts';
import { leaseOwners, lookAtLeases } from '../storage/watch-leases.ts';
import { unfinishedCommits } from './recover.ts';

/** A lake that is being opened for reading. */
export interface RecoveredLake {
  readonly store: Store;
  readonly log: CommitLog;
  readonly nowMs: number;
  readonly emit: Emit;
  /** Whether this process can write `lake.duckdb`. */
  readonly keepsViews: boolean;
  /** Opens it for writing without waiting, which recovers what dead processes left, and closes it again. */
  readonly openToWrite: () => Promise<void>;
}

/**
 * Recovers a lake before it is read. Files that a dead process left in the table folders double rows for readers that
 * use a pattern, and `lake.duckdb` may name files that are gone. Where the lake may be written, this process recovers
 * it; otherwise it reports the unfinished commits. Costs one listing and the examination of two files.
 */
export async function recoverForReading({
  store,
  log,
  nowMs,
  emit,
  keepsViews,
  openToWrite,
}: RecoveredLake): Promise<void> {
  const { isOwnerAlive } = await lookAtLeases(store, nowMs);
  const abandoned = async () => (await unfinishedCommits(store)).filter(({ owner }) => !isOwnerAlive(owner)).length;
  const isWorkedOn = async () => (await leaseOwners(store)).some(isOwnerAlive);
  let commits = await abandoned();
  const isTidy = async () => !keepsViews || !(await areViewsBehind(store, log)) || (await isWorkedOn());
  if (commits === 0 && (await isTidy())) return;
  const isWritable = await Promise.all([FOLDERS.spool, FOLDERS.trash].map((folder) => mayWrite(store, folder)));
  // A failure here must not prevent reading.
  if (!isWritable.includes(false)) await openToWrite().catch(() => undefined);
  commits = await abandoned();
  if (commits > 0) emit({ type: 'unfinished', commits });
}

/** Whether a process died between a commit that removed files and writing the views that no longer name them. */
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
