import { EdrlakeError, isoInstant, type ProcessOwner, systemProcesses } from '@edrlake/core';
import type { CommitTools } from '../log/commit-context.ts';
import type { Appended } from '../log/commit-log.ts';
import type { LogEntry } from '../log/lake-state.ts';
import { entryText } from '../log/log-files.ts';
import { FOLDERS, FORMAT, manifestPath, stagePath, trashPath } from '../storage/layout.ts';
import { leaseLost } from '../storage/lease.ts';
import type { Move, Store } from '../storage/store.ts';

/**
 * The files that a commit is about to move into the table folders. It is in the spool from before the first move until
 * the commit has finished, so that the next writer can finish the commit or remove the files.
 */
export interface CommitManifest {
  readonly format: number;
  readonly commitId: string;
  readonly version: number;
  readonly owner: ProcessOwner;
  readonly writtenAt: string;
  /** Final paths. */
  readonly files: readonly string[];
  /** Where its files and its entry were staged. Manifests of older versions lack it. */
  readonly stage?: string;
}

/** The log entry of a commit, in its staging folder. */
const ENTRY_NAME = 'entry.json';

/**
 * Commits in progress in this process. A manifest of this process without one of them is left from a commit that
 * failed.
 */
const atWork = new Set<string>();

/**
 * Publishes staged files and their log entry together. Before the entry is linked, every file is checked to be in its
 * final place with its full size.
 * @param moves from the staging folder to the final paths
 * @returns false when another writer took the version: everything is back in the staging folder, as before the call.
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`, `LEASE_LOST`; the lake is as before the call. Where it is unknown whether
 * the entry is in the log, the manifest stays, and the next writer finds out.
 */
export async function applyCommit(context: CommitTools, entry: LogEntry, moves: readonly Move[]): Promise<boolean> {
  const { store, log, lease, onStep } = context;
  const staged = `${stagePath(context.workFolder, entry.commitId)}/${ENTRY_NAME}`;
  const hasFiles = moves.length > 0 || entry.removed.length > 0 || entry.idsRemoved.length > 0;
  lease?.assertHeld();
  atWork.add(entry.commitId);
  // A process that takes this commit over moves the staging folder away first, so the entry in it can never be
  // appended: this process, stopped and resumed, cannot commit what another one has undone.
  await store.put(staged, entryText(entry));
  // A crash before this line leaves staged files in the work folder; the next writer removes the folder.
  if (hasFiles) await store.put(manifestPath(entry.commitId), JSON.stringify(manifestOf(context, entry, moves)));
  onStep('manifest-written');
  const takeBack = async () => {
    if (!hasFiles) return;
    // A crash or an error in here leaves some files staged and some in place: the manifest still names all of them.
    await store.move(
      moves.map(({ from, to }) => ({ from: to, to: from })),
      'skip',
    );
    await store.remove(manifestPath(entry.commitId));
  };
  let appended: Appended;
  try {
    // A crash from here on leaves files in the table folders that no log entry names. Readers that follow the log do
    // not see them; the next writer finds the manifest and moves them to the trash.
    await moveStepwise(context, moves, { ifGone: 'fail', step: 'file-moved' });
    await requireArrived(store, entry);
    onStep('files-moved');
    // The commit point: once the entry has its name, the commit is part of the lake and nothing undoes it.
    appended = await log.append(entry, staged);
  } catch (thrown) {
    // The first error is the one to report.
    await takeBack().catch(() => undefined);
    throw thrown;
  }
  if (typeof appended === 'object') throw appended.doubt;
  if (appended !== 'committed') {
    await takeBack();
    if (appended === 'fenced') throw leaseLost();
    return false;
  }
  onStep('committed');
  return true;
}

/** Ends what `applyCommit` began, however it ended. From now on any writer may finish or undo what remains of it. */
export function releaseCommit(commitId: string): void {
  atWork.delete(commitId);
}

/** Whether this process is at work on a commit. */
export function isAtWork(commitId: string): boolean {
  return atWork.has(commitId);
}

/**
 * Checks that every file is in its place: a system call that reported success, or an error that was misread, is no
 * proof.
 */
async function requireArrived(store: Store, { added, idsAdded }: LogEntry): Promise<void> {
  const files: readonly { readonly path: string; readonly fileBytes?: number }[] = [...added, ...idsAdded];
  const found = await store.look(files.map(({ path }) => path));
  for (const [position, { path, fileBytes }] of files.entries()) {
    const bytes = found[position]?.bytes ?? null;
    if (bytes !== null && (fileBytes === undefined || bytes === fileBytes)) continue;
    const what = bytes === null ? 'did not arrive' : `arrived with ${bytes} bytes instead of ${fileBytes}`;
    throw new EdrlakeError('LAKE_UNWRITABLE', `${path} ${what}`, {
      context: { path, bytes, fileBytes },
      hint: 'Nothing was committed. Check the disk, and that no other program works in the lake, and run again.',
    });
  }
}

/**
 * The rest of a commit after its log entry. A crash in here leaves replaced files next to their replacements, so that a
 * pattern over the table folders returns events twice; the next writer finds the manifest and calls this again.
 */
export async function finalizeCommit(context: Pick<CommitTools, 'store' | 'onStep'>, entry: LogEntry): Promise<void> {
  const moves = [...entry.removed, ...entry.idsRemoved].map((path) => ({
    from: path,
    to: trashPath(entry.version, path),
  }));
  await moveStepwise(context, moves, { ifGone: 'skip', step: 'file-trashed' });
  context.onStep('trashed');
  await context.store.remove(manifestPath(entry.commitId));
  context.onStep('settled');
}

/**
 * Moves files one by one where a test observes the steps. Otherwise one call moves all of them and syncs each folder
 * once.
 */
async function moveStepwise(
  { store, onStep }: Pick<CommitTools, 'store' | 'onStep'>,
  moves: readonly Move[],
  { ifGone, step }: { readonly ifGone: 'skip' | 'fail'; readonly step: 'file-moved' | 'file-trashed' },
): Promise<void> {
  if (onStep === ignoreSteps) {
    await store.move(moves, ifGone);
    return;
  }
  for (const move of moves) {
    await store.move([move], ifGone);
    onStep(step);
  }
}

/** The `onStep` of every caller except tests. */
export function ignoreSteps(): void {}

function manifestOf(
  { clock, lease, workFolder }: CommitTools,
  entry: LogEntry,
  moves: readonly Move[],
): CommitManifest {
  return {
    format: FORMAT,
    commitId: entry.commitId,
    version: entry.version,
    owner: lease?.owner ?? systemProcesses.current(),
    writtenAt: isoInstant(clock.nowMs()),
    files: moves.map(({ to }) => to),
    stage: stagePath(workFolder, entry.commitId),
  };
}

/** Ends the name of the file that names the owner of a work folder. It exists whenever the folder does. */
export const OWNER_SUFFIX = '.owner.json';

/** Claims a new work folder for this process. @returns its path relative to the lake. */
export async function claimWorkFolder(store: Store, owner: ProcessOwner, name: string): Promise<string> {
  const folder = `${FOLDERS.work}/${name}`;
  await store.put(`${folder}${OWNER_SUFFIX}`, JSON.stringify(owner));
  return folder;
}

/** Removes a work folder and then the claim to it. */
export async function releaseWorkFolder(store: Store, folder: string): Promise<void> {
  await store.remove(folder);
  await store.remove(`${folder}${OWNER_SUFFIX}`);
}
