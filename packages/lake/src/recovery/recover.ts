import { type Emit, MS_PER_MINUTE, type ProcessOwner } from '@edrlake/core';
import {
  type CommitManifest,
  finalizeCommit,
  ignoreSteps,
  isAtWork,
  OWNER_SUFFIX,
  releaseWorkFolder,
} from '../commit/apply-commit.ts';
import type { CommitLog } from '../log/commit-log.ts';
import type { LakeState } from '../log/lake-state.ts';
import { checkFormat, readEntry } from '../log/log-files.ts';
import { FOLDERS, isManifestName, manifestPath, trashPath } from '../storage/layout.ts';
import { isSameProcess, type Lease } from '../storage/lease.ts';
import type { Store } from '../storage/store.ts';
import { BEAT_MS, EXPIRY_BEATS, parseOwner } from '../storage/watch-leases.ts';

/** What recovery works with. */
export interface RecoveryTools {
  readonly store: Store;
  readonly log: CommitLog;
  readonly lease: Lease;
  readonly emit: Emit;
}

/** The result of a recovery. */
export interface Recovered {
  /** Commits that were finished or undone. */
  readonly commits: number;
  /** Commits of processes elsewhere whose leases have not expired. */
  readonly pending: number;
}

/**
 * A process of an older version elsewhere holds no lease and moves files for seconds: after this time it is taken for
 * dead.
 */
const WITHOUT_LEASE_MS = 10 * MS_PER_MINUTE;

/** A commit of a live process on another host takes seconds. One that takes longer is left to the next command. */
const MAX_WAIT_BEATS = 2 * EXPIRY_BEATS;

/**
 * Recovers what dead processes left behind: finishes their commits, or moves the files of commits that are not in the
 * log out of the table folders, and removes their work folders. Work of live processes is left alone. May be
 * interrupted and repeated, and run by several processes at once.
 * @param waits whether to wait for commits of processes elsewhere, until they end or their lease expires
 */
export async function recover(tools: RecoveryTools, waits: boolean): Promise<Recovered> {
  let commits = 0;
  let hasSaid = false;
  for (let beats = 0; ; beats += 1) {
    const found = await recoverManifests(tools);
    commits += found.commits;
    const [first] = found.pending;
    if (first === undefined || !waits || beats === MAX_WAIT_BEATS) {
      await removeWorkOfTheDead(tools);
      await tools.lease.clear();
      if (commits > 0) tools.emit({ type: 'recovered', commits });
      return { commits, pending: found.pending.length };
    }
    if (!hasSaid) {
      const { host, pid } = first;
      tools.emit({ type: 'lease-wait', work: 'commit', host, pid, atMostMs: BEAT_MS * EXPIRY_BEATS });
      hasSaid = true;
    }
    await tools.lease.nextBeat();
  }
}

async function recoverManifests(
  tools: RecoveryTools,
): Promise<{ readonly commits: number; readonly pending: ProcessOwner[] }> {
  const { store, log } = tools;
  const pending: ProcessOwner[] = [];
  let commits = 0;
  for (const name of await manifestNames(store)) {
    const path = `${FOLDERS.spool}/${name}`;
    const manifest = await readManifest(store, path);
    // Another writer has recovered it.
    if (manifest === null) continue;
    const verdict = await judge(tools, path, manifest);
    if (verdict === 'busy') continue;
    if (verdict === 'uncertain') {
      // It may have ended since.
      if ((await store.look([path]))[0] !== null) pending.push(manifest.owner);
      continue;
    }
    await recoverOne(store, log, manifest);
    commits += 1;
  }
  return { commits, pending };
}

/** `uncertain`: its process cannot be seen from here, and its lease has not expired. */
async function judge(
  tools: RecoveryTools,
  path: string,
  { owner, commitId }: CommitManifest,
): Promise<'busy' | 'left' | 'uncertain'> {
  const { lease } = tools;
  // A manifest of this process is left from a commit that failed, unless that commit is in progress.
  if (isSameProcess(owner, lease.owner)) return isAtWork(commitId) ? 'busy' : 'left';
  const state = await lease.lookAt(owner);
  if (state === 'alive') return 'busy';
  const isDead = state === 'dead' || (await isOldWithoutLease(tools, path, owner));
  return isDead && (await lease.take(owner)) ? 'left' : 'uncertain';
}

async function recoverOne(store: Store, log: CommitLog, manifest: CommitManifest): Promise<void> {
  const { stage, version, commitId } = manifest;
  // First, so that a commit that is not in the log by now can no longer be appended.
  if (stage !== undefined) {
    const fenced = `${stage}.fenced`;
    await store.rename(stage, fenced);
    await store.remove(fenced);
  }
  const state: LakeState = await log.refresh();
  const entry = await readEntry(store, version);
  if (entry?.commitId === commitId) {
    // Its process may have died before it synced the name. Without it, the files that it replaced are still the lake.
    await store.syncNames(FOLDERS.log);
    await finalizeCommit({ store, onStep: ignoreSteps }, entry);
    return;
  }
  // A file that the lake names is never moved, even if the manifest says so.
  const orphans = manifest.files.filter((file) => !state.files.has(file) && !state.identityFiles.has(file));
  await store.move(
    orphans.map((file) => ({ from: file, to: trashPath(commitId, file) })),
    'skip',
  );
  await store.remove(manifestPath(commitId));
}

/** By the file system's clock, because the manifest was written on another machine. */
async function isOldWithoutLease({ store, lease }: RecoveryTools, path: string, owner: ProcessOwner): Promise<boolean> {
  if (owner.instance !== undefined) return false;
  const probe = `${FOLDERS.leases}/${lease.owner.instance ?? ''}.probe`;
  await store.put(probe, '');
  const [manifest, now] = await store.look([path, probe]);
  await store.remove(probe);
  return manifest != null && now != null && now.changedAtMs - manifest.changedAtMs > WITHOUT_LEASE_MS;
}

async function manifestNames(store: Store): Promise<string[]> {
  return (await store.list(FOLDERS.spool)).filter(isManifestName);
}

/**
 * Null when it is gone. A file that is not a manifest is moved to the trash: manifests are written whole, so another
 * program changed it, and it says nothing reliable.
 */
async function readManifest(store: Store, path: string): Promise<CommitManifest | null> {
  const text = await store.read(path);
  if (text === null) return null;
  const manifest = parseManifest(text);
  if (manifest === null) {
    await store.rename(path, `${FOLDERS.trash}/unreadable-${path.slice(FOLDERS.spool.length + 1)}`);
    return null;
  }
  checkFormat(path, manifest.format);
  return manifest;
}

function parseManifest(text: string): CommitManifest | null {
  try {
    const found = JSON.parse(text) as Partial<CommitManifest> | null;
    if (typeof found !== 'object' || found === null || found.format === undefined) return null;
    const owner = parseOwner(JSON.stringify(found.owner ?? null));
    const isWhole = owner !== null && typeof found.commitId === 'string' && Number.isSafeInteger(found.version);
    return isWhole && Array.isArray(found.files) ? (found as CommitManifest) : null;
  } catch {
    return null;
  }
}

/** The manifests of commits that are in progress or were left unfinished. */
export async function unfinishedCommits(store: Store): Promise<readonly CommitManifest[]> {
  const found: CommitManifest[] = [];
  for (const name of await manifestNames(store)) {
    const text = await store.read(`${FOLDERS.spool}/${name}`);
    const manifest = text === null ? null : parseManifest(text);
    if (manifest !== null) found.push(manifest);
  }
  return found;
}

async function removeWorkOfTheDead({ store, lease }: RecoveryTools): Promise<void> {
  for (const name of await store.list(FOLDERS.work)) {
    if (!name.endsWith(OWNER_SUFFIX)) continue;
    const owner = parseOwner(await store.read(`${FOLDERS.work}/${name}`));
    if (owner === null || (await lease.lookAt(owner)) !== 'dead' || !(await lease.take(owner))) continue;
    await releaseWorkFolder(store, `${FOLDERS.work}/${name.slice(0, -OWNER_SUFFIX.length)}`);
  }
}
