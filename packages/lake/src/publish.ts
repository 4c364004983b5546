import { isDeepStrictEqual } from 'node:util';
import { type Clock, EdrlakeError, isoInstant, MS_PER_HOUR } from '@edrlake/core';
import type { Appended, CommitLog } from './commit-log.ts';
import type { LakeState, LogEntry } from './lake-state.ts';
import { FOLDERS, FORMAT, isManifestName, manifestPath, trashPath } from './layout.ts';
import { checkFormat, readEntry } from './log-files.ts';
import { currentOwner, ownerState, type ProcessOwner } from './owner.ts';
import type { Move, Store } from './store.ts';
import type { Workbench } from './workbench.ts';

/**
 * What a commit is about to put into the table folders. It lies in the spool from before the first file appears there
 * until the commit is settled, so that whoever finds it can finish the commit or take the files away again.
 */
interface Manifest {
  readonly format: number;
  readonly commitId: string;
  readonly version: number;
  readonly owner: ProcessOwner;
  readonly writtenAt: string;
  /** Final paths. */
  readonly files: readonly string[];
}

/** Commits that this process is at work on: a manifest of its own that is not one of them is left from one that failed. */
const atWork = new Set<string>();

/** A process of another host whose manifest is older than this cannot be publishing any more: it takes seconds. */
const FOREIGN_GRACE_MS = 24 * MS_PER_HOUR;

/**
 * Makes staged files and their log entry visible together. Every file was seen in its final place, in its size, before the
 * entry is written.
 * @param moves from the staging folder to the final paths
 * @returns false when another writer took the version: everything is back in the staging folder, as before the call.
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`; the lake is as before the call, or, where it is not known whether the entry is
 * in the log, the manifest stays so that the next writer finds out.
 */
export async function publish(bench: Workbench, entry: LogEntry, moves: readonly Move[]): Promise<boolean> {
  const { store, log, onStep } = bench;
  const hasFiles = moves.length > 0 || entry.removed.length > 0 || entry.idsRemoved.length > 0;
  atWork.add(entry.commitId);
  // A crash before this line leaves staged files in the work folder; the next writer removes the folder.
  if (hasFiles) await store.put(manifestPath(entry.commitId), JSON.stringify(manifestOf(bench.clock, entry, moves)));
  onStep('manifest-written');
  const takeBack = async () => {
    if (!hasFiles) return;
    // A crash or an error in here leaves some files staged and some in place: the manifest still names them all.
    await store.move(
      moves.map(({ from, to }) => ({ from: to, to: from })),
      'skip',
    );
    await store.remove(manifestPath(entry.commitId));
  };
  let appended: Appended;
  try {
    // A crash from here on leaves files in the table folders that no log entry names. Readers that follow the log do not
    // see them; the next writer finds the manifest and moves them to the trash.
    await moveStepwise(bench, moves, { ifGone: 'fail', step: 'file-moved' });
    await requireArrived(store, entry);
    onStep('files-moved');
    // The point of no return: once the entry has its name, the commit is part of the lake and nothing takes it back.
    appended = await log.append(entry);
  } catch (thrown) {
    // The first error is the one to tell.
    await takeBack().catch(() => undefined);
    throw thrown;
  }
  if (typeof appended === 'object') throw appended.doubt;
  if (appended === 'taken') {
    await takeBack();
    return false;
  }
  onStep('committed');
  return true;
}

/** Ends what `publish` began, however it ended: what is left of it, any writer may put right from now on. */
export function releaseCommit(commitId: string): void {
  atWork.delete(commitId);
}

/** A file is there when it was seen there: a system call that reported success, or an error that was misread, is no proof. */
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
 * What remains after the point of no return. A crash in here leaves removed files beside the ones that replaced them, so
 * that a pattern over the table folders would see events twice; the next writer finds the manifest and settles again.
 */
export async function settle(bench: Pick<Workbench, 'store' | 'onStep'>, entry: LogEntry): Promise<void> {
  const moves = [...entry.removed, ...entry.idsRemoved].map((path) => ({
    from: path,
    to: trashPath(entry.version, path),
  }));
  await moveStepwise(bench, moves, { ifGone: 'skip', step: 'file-trashed' });
  bench.onStep('trashed');
  await bench.store.remove(manifestPath(entry.commitId));
  bench.onStep('settled');
}

/** Without somebody watching the steps, one call moves everything and syncs each folder once. */
async function moveStepwise(
  { store, onStep }: Pick<Workbench, 'store' | 'onStep'>,
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

/** The `onStep` of everyone but tests. */
export function ignoreSteps(): void {}

function manifestOf(clock: Clock, entry: LogEntry, moves: readonly Move[]): Manifest {
  return {
    format: FORMAT,
    commitId: entry.commitId,
    version: entry.version,
    owner: currentOwner(),
    writtenAt: isoInstant(clock.nowMs()),
    files: moves.map(({ to }) => to),
  };
}

/**
 * Puts right what processes that died left behind: finishes their commits, or takes the files of commits that never
 * happened out of the table folders, and removes their work folders. Work of live processes is left alone. May be
 * interrupted and repeated, and run by several processes at once.
 * @returns how many commits were finished or taken back.
 */
export async function recover(store: Store, log: CommitLog, clock: Clock): Promise<number> {
  let recovered = 0;
  for (const name of (await store.list(FOLDERS.spool)).filter(isManifestName)) {
    const path = `${FOLDERS.spool}/${name}`;
    const text = await store.read(path);
    // Another writer was faster.
    if (text === null) continue;
    const manifest = JSON.parse(text) as Manifest;
    checkFormat(path, manifest.format);
    if (mayStillRun(manifest, clock)) continue;
    await recoverOne(store, await log.refresh(), manifest);
    recovered += 1;
  }
  await removeWorkOfTheDead(store);
  return recovered;
}

async function recoverOne(store: Store, state: LakeState, manifest: Manifest): Promise<void> {
  const entry = await readEntry(store, manifest.version);
  if (entry?.commitId === manifest.commitId) {
    await settle({ store, onStep: ignoreSteps }, entry);
    return;
  }
  // A file that the lake names is never moved, whatever the manifest says.
  const orphans = manifest.files.filter((file) => !state.files.has(file) && !state.identityFiles.has(file));
  await store.move(
    orphans.map((file) => ({ from: file, to: trashPath(manifest.commitId, file) })),
    'skip',
  );
  await store.remove(manifestPath(manifest.commitId));
}

function mayStillRun(manifest: Manifest, clock: Clock): boolean {
  if (isDeepStrictEqual(manifest.owner, currentOwner())) return atWork.has(manifest.commitId);
  const state = ownerState(manifest.owner);
  if (state !== 'elsewhere') return state === 'alive';
  return clock.nowMs() - Date.parse(manifest.writtenAt) < FOREIGN_GRACE_MS;
}

/** Final paths of the files that commits under way, or not yet recovered from, are about to publish. */
export async function announcedFiles(store: Store): Promise<Set<string>> {
  const announced = new Set<string>();
  for (const name of (await store.list(FOLDERS.spool)).filter(isManifestName)) {
    const text = await store.read(`${FOLDERS.spool}/${name}`);
    for (const path of text === null ? [] : (JSON.parse(text) as Manifest).files) announced.add(path);
  }
  return announced;
}

/** Ends the name of the file that says whose a work folder is. It exists whenever the folder does. */
export const OWNER_SUFFIX = '.owner.json';

/** Starts a work folder of this process. @returns its path relative to the lake. */
export async function claimWorkFolder(store: Store, name: string): Promise<string> {
  const folder = `${FOLDERS.work}/${name}`;
  await store.put(`${folder}${OWNER_SUFFIX}`, JSON.stringify(currentOwner()));
  return folder;
}

/** Removes a work folder and then the claim to it. */
export async function releaseWorkFolder(store: Store, folder: string): Promise<void> {
  await store.remove(folder);
  await store.remove(`${folder}${OWNER_SUFFIX}`);
}

async function removeWorkOfTheDead(store: Store): Promise<void> {
  for (const name of await store.list(FOLDERS.work)) {
    if (!name.endsWith(OWNER_SUFFIX)) continue;
    const text = await store.read(`${FOLDERS.work}/${name}`);
    if (text === null || ownerState(JSON.parse(text) as ProcessOwner) !== 'dead') continue;
    await releaseWorkFolder(store, `${FOLDERS.work}/${name.slice(0, -OWNER_SUFFIX.length)}`);
  }
}
