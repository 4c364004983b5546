import { isoInstant, MS_PER_DAY, MS_PER_HOUR } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import { findOrphans } from '../recovery/find-orphans.ts';
import { unfinishedCommits } from '../recovery/recover.ts';
import { FOLDERS, parseLogName, trashFolder, trashPath, VIEW_FILE } from '../storage/layout.ts';
import { PARTIAL_SUFFIX, type Store } from '../storage/store.ts';

/** What vacuuming works with: it needs no DuckDB. */
type VacuumContext = Omit<CommitContext, 'connection'>;

/** What to vacuum. */
export interface VacuumOptions {
  /** How long unneeded files are kept, 7 days unless given: for readers of older versions, and to undo by hand. */
  readonly graceMs?: number;
  /** Only reports what would be removed. */
  readonly dryRun?: boolean;
}

/**
 * Why a path may be removed. `trash`: a commit replaced it. `orphan`: no version names it and no commit is about to
 * publish it. `partial`: a write that did not finish. `spool`: pages or work of a dead process. `index`: a file of the
 * id index that no version names. `log`: an entry that a checkpoint includes. `views`: a file that was left next to
 * `lake.duckdb`.
 */
export type VacuumReason = 'trash' | 'orphan' | 'partial' | 'spool' | 'index' | 'log' | 'views';

/** One path that is removed: a file, or a folder with everything in it. */
export interface VacuumedPath {
  /** Relative to the lake. */
  readonly path: string;
  readonly reason: VacuumReason;
  readonly bytes: number;
  /** Where data of no version is kept, in the trash, until a later vacuum deletes it; null where it is deleted now. */
  readonly keptAt: string | null;
}

/** What a vacuum removed, or would remove. */
export interface VacuumReport {
  readonly dryRun: boolean;
  /** By reason and path. */
  readonly removed: readonly VacuumedPath[];
  /** Total size of what is deleted. */
  readonly bytes: number;
}

/** One result of a search. */
type Found = Omit<VacuumedPath, 'keptAt'>;

const DEFAULT_GRACE_MS = 7 * MS_PER_DAY;

/**
 * While other processes are at work, a younger file may be one that they are writing, even with a shorter grace period.
 */
const OTHERS_GRACE_MS = MS_PER_HOUR;

/**
 * The newest entries, which stay at any age: a writer at work must never find the name of its own entry free
 * again.
 */
const ENTRIES_KEPT = 32;

/**
 * Removes what no reader or writer needs: nothing that the newest version names, nothing that a version of the grace
 * period named, nothing that a live process is working on. May be interrupted at any moment and run again, and run in
 * parallel with writers. Data files that no version names go to the trash first. Partition folders stay, also empty
 * ones: a writer may be about to use one.
 * @param signal is checked between removals
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`, `LAKE_CORRUPT`
 */
export async function vacuum(
  context: VacuumContext,
  { graceMs = DEFAULT_GRACE_MS, dryRun = false }: VacuumOptions,
  signal: AbortSignal,
): Promise<VacuumReport> {
  const nowMs = context.clock.nowMs();
  const beforeMs = nowMs - graceMs;
  const limits: Limits = {
    beforeMs,
    besideOthersMs: async () =>
      (await context.lease?.hasCompany()) === true ? Math.min(beforeMs, nowMs - OTHERS_GRACE_MS) : beforeMs,
  };
  const found: Found[] = [];
  for (const find of [findTrash, findUnnamed, findSpools, findViewLeftovers]) {
    signal.throwIfAborted();
    found.push(...(await find(context, limits)));
  }
  // Last, and in ascending order: an entry that exists implies that those after it exist.
  found.push(...(await findLogEntries(context, beforeMs, dryRun)));
  const trash = `vacuum-${isoInstant(context.clock.nowMs()).replace(/[-:]|\.\d+/g, '')}`;
  const removed: VacuumedPath[] = [];
  for (const each of found) {
    signal.throwIfAborted();
    const keptAt = isData(each) ? trashPath(trash, each.path) : null;
    if (!dryRun) await letGo(context.store, each.path, keptAt);
    removed.push({ ...each, keptAt });
  }
  return {
    dryRun,
    removed: removed.sort((a, b) => compare(a.reason, b.reason) || compare(a.path, b.path)),
    bytes: removed.reduce((sum, { bytes, keptAt }) => sum + (keptAt === null ? bytes : 0), 0),
  };
}

/** Data that no version names may be all that remains of a version whose log entry was lost: it is kept for a while. */
function isData({ reason }: Found): boolean {
  return reason === 'orphan' || reason === 'index';
}

async function letGo(store: Store, path: string, keptAt: string | null): Promise<void> {
  if (keptAt === null) await store.remove(path);
  else await store.move([{ from: path, to: keptAt }], 'skip');
}

/** Only paths that last changed before these instants may be removed. */
interface Limits {
  /** For complete files that are not needed any more. */
  readonly beforeMs: number;
  /**
   * For files that another process may be writing. Called after the folder was listed: a process that had written by
   * then holds a lease, and names are not used twice.
   */
  besideOthersMs(): Promise<number>;
}

/** Folders of the trash, by the time of the commit that filled them. */
async function findTrash({ store, log }: VacuumContext, limits: Limits): Promise<Found[]> {
  const found: Found[] = [];
  const names = await store.list(FOLDERS.trash);
  const beforeMs = await limits.besideOthersMs();
  // A commit that still has its manifest may still fill its folder.
  const filling = new Set(
    (await unfinishedCommits(store)).flatMap(({ version, commitId }) => [trashFolder(version), trashFolder(commitId)]),
  );
  const { commits } = await log.refresh();
  const committedAtMs = new Map(commits.map((commit) => [commit.version, commit.committedAtMs]));
  for (const name of names) {
    if (filling.has(name)) continue;
    const path = `${FOLDERS.trash}/${name}`;
    const { fileCount, bytes, changedAtMs } = await weigh(store, path);
    // A folder without files may be about to be filled.
    const removedAtMs = fileCount === 0 ? changedAtMs : (committedAtMs.get(Number(name)) ?? changedAtMs);
    if (removedAtMs < (fileCount === 0 ? beforeMs : limits.beforeMs)) found.push({ path, reason: 'trash', bytes });
  }
  return found;
}

/**
 * Data files and index files that no log entry names, and partial files of dead writers. The order matters: a file that
 * is seen first and named by no manifest afterwards was taken back, or its commit is in the log.
 */
async function findUnnamed({ store, log, tables }: VacuumContext, limits: Limits): Promise<Found[]> {
  const folders = [...tables.map(({ name }) => name), FOLDERS.ids, FOLDERS.log];
  const seen = (await Promise.all(folders.map((folder) => store.walk(folder)))).flat();
  for (const folder of [FOLDERS.spool, FOLDERS.work, FOLDERS.runs, FOLDERS.leases, FOLDERS.proof]) {
    seen.push(...(await store.list(folder)).map((name) => `${folder}/${name}`).filter(isPartial));
  }
  seen.push(...(await store.list('')).filter(isPartial));
  const beforeMs = await limits.besideOthersMs();
  const announced = new Set((await unfinishedCommits(store)).flatMap(({ files }) => files));
  const { files, identityFiles } = await log.refresh();
  const isNamed = (path: string) => files.has(path) || identityFiles.has(path) || announced.has(path);
  const unnamed = seen.filter((path) => isPartial(path) || (path.endsWith('.parquet') && !isNamed(path)));
  const reasonOf = (path: string): VacuumReason =>
    isPartial(path) ? 'partial' : path.startsWith(`${FOLDERS.ids}/`) ? 'index' : 'orphan';
  return (await store.look(unnamed)).flatMap((thing, position) => {
    const path = unnamed[position];
    if (path === undefined || thing === null || thing.changedAtMs >= beforeMs) return [];
    return [{ path, reason: reasonOf(path), bytes: thing.bytes }];
  });
}

/** Partial files of run state have a suffix of their own. */
function isPartial(path: string): boolean {
  return path.endsWith(PARTIAL_SUFFIX) || (path.startsWith(`${FOLDERS.runs}/`) && path.endsWith('.part'));
}

async function findSpools({ store, lease }: VacuumContext, limits: Limits): Promise<Found[]> {
  return onlyOld(store, await findOrphans(store, lease), 'spool', limits.beforeMs);
}

/** Files that DuckDB shells left next to the views. */
async function findViewLeftovers({ store }: VacuumContext, limits: Limits): Promise<Found[]> {
  const names = (await store.list('')).filter((name) => name.startsWith(`${VIEW_FILE}.`) && !isPartial(name));
  return onlyOld(store, names, 'views', await limits.besideOthersMs());
}

async function onlyOld(
  store: Store,
  paths: readonly string[],
  reason: VacuumReason,
  beforeMs: number,
): Promise<Found[]> {
  const found: Found[] = [];
  for (const path of paths) {
    const { bytes, changedAtMs } = await weigh(store, path);
    if (changedAtMs < beforeMs) found.push({ path, reason, bytes });
  }
  return found;
}

/** Entries older than the grace period, oldest first. Makes sure that a checkpoint includes them. */
async function findLogEntries({ store, log }: VacuumContext, beforeMs: number, dryRun: boolean): Promise<Found[]> {
  const { version: newest, commits } = await log.refresh();
  const candidates = commits.filter(({ version }) => version <= newest - ENTRIES_KEPT);
  const firstYoung = candidates.findIndex(({ committedAtMs }) => committedAtMs >= beforeMs);
  const last = (firstYoung === -1 ? candidates : candidates.slice(0, firstYoung)).at(-1)?.version ?? 0;
  const names = (await store.list(FOLDERS.log)).map((name) => ({
    path: `${FOLDERS.log}/${name}`,
    ...parseLogName(name),
  }));
  const paths = names
    .filter(({ version, isCheckpoint }) => isCheckpoint === false && version !== undefined && version <= last)
    .map(({ path }) => path)
    .sort();
  const isHeld = names.some(({ version = 0, isCheckpoint }) => isCheckpoint === true && version >= last);
  if (paths.length > 0 && !isHeld && !dryRun) await log.checkpoint();
  const things = await store.look(paths);
  return paths.map((path, position) => ({ path, reason: 'log', bytes: things[position]?.bytes ?? 0 }));
}

/** Size and last change of a file, or of a folder with everything in it. */
async function weigh(
  store: Store,
  path: string,
): Promise<{ readonly fileCount: number; readonly bytes: number; readonly changedAtMs: number }> {
  const files = await store.walk(path);
  const things = (await store.look([...new Set([path, ...files])])).filter((thing) => thing !== null);
  return {
    fileCount: files.length,
    bytes: things.reduce((sum, thing) => sum + thing.bytes, 0),
    changedAtMs: things.reduce((newest, thing) => Math.max(newest, thing.changedAtMs), 0),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
