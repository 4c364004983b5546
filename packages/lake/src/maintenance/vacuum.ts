import { isoInstant, MS_PER_DAY, MS_PER_HOUR, sum } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import { lostAmong } from '../log/lost-files.ts';
import { findOrphans } from '../recovery/find-orphans.ts';
import { unfinishedCommits } from '../recovery/recover.ts';
import {
  FOLDERS,
  isDataFile,
  isTableMetadata,
  PROBE_FOLDER,
  PUBLISHED,
  parseLogName,
  trashFolder,
  trashPath,
  VIEW_FILE,
} from '../storage/layout.ts';
import { PARTIAL_SUFFIX, type Store, type UnfinishedUpload } from '../storage/store.ts';
import { findUnnamedObjects } from './unnamed-objects.ts';

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
 * `lake.duckdb`. `derived`: a file of the value index or of standing hunts that they do not use. `published`: the
 * second name of a file in the trash, in a published table.
 */
export type VacuumReason =
  | 'trash'
  | 'orphan'
  | 'partial'
  | 'spool'
  | 'index'
  | 'log'
  | 'views'
  | 'derived'
  | 'published';

/** One path that is removed: a file, or a folder with everything in it. */
export interface VacuumedPath {
  /** Relative to the lake. */
  readonly path: string;
  readonly reason: VacuumReason;
  /** 1 for a file, those in it for a folder. */
  readonly files: number;
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
type Found = Omit<VacuumedPath, 'keptAt'> & { readonly upload?: UnfinishedUpload | null };

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
  const findFiles = context.store.remote === null ? findUnnamed : findObjects;
  for (const find of [findTrash, findPublished, findFiles, findSpools, findViewLeftovers, findDerived]) {
    signal.throwIfAborted();
    found.push(...(await find(context, limits)));
  }
  // Last, and in ascending order: an entry that exists implies that those after it exist.
  found.push(...(await findLogEntries(context, beforeMs, dryRun)));
  const trash = `vacuum-${isoInstant(context.clock.nowMs()).replace(/[-:]|\.\d+/g, '')}`;
  const removed: VacuumedPath[] = [];
  for (const each of found) {
    signal.throwIfAborted();
    const { upload = null, ...about } = each;
    // An object store has no trash: what no version names has stayed in its place for the grace period.
    const keptAt = isData(each) && context.store.remote === null ? trashPath(trash, each.path) : null;
    if (!dryRun && upload !== null) await context.store.remote?.abortUpload(upload);
    else if (!dryRun) await letGo(context.store, each.path, keptAt);
    removed.push({ ...about, keptAt });
  }
  return {
    dryRun,
    removed: removed.sort((a, b) => compare(a.reason, b.reason) || compare(a.path, b.path)),
    bytes: sum(removed, ({ bytes, keptAt }) => (keptAt === null ? bytes : 0)),
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
    // Each folder of a young commit would be walked in vain.
    if (filling.has(name) || (committedAtMs.get(Number(name)) ?? 0) >= limits.beforeMs) continue;
    const path = `${FOLDERS.trash}/${name}`;
    const { files, bytes, changedAtMs } = await weigh(store, path);
    const isEmpty = files.length === 0;
    // A folder without files may be about to be filled.
    const removedAtMs = isEmpty ? changedAtMs : (committedAtMs.get(Number(name)) ?? changedAtMs);
    if (removedAtMs >= (isEmpty ? beforeMs : limits.beforeMs)) continue;
    // First, because without the folder they would not be found again here; publishing would release them.
    found.push(...(await secondNames(store, path, files)), { path, reason: 'trash', files: files.length, bytes });
  }
  return found;
}

/** What published tables call files of the trash. They take no space of their own. */
async function secondNames(store: Store, folder: string, files: readonly string[]): Promise<Found[]> {
  const names = files.map((file) => `${PUBLISHED}/${file.slice(folder.length + 1)}`);
  const things = await store.look(names);
  return names.flatMap((path, position) =>
    (things[position] ?? null) === null ? [] : [{ path, reason: 'published' as const, files: 1, bytes: 0 }],
  );
}

/** Second names of files that the lake has lost, which only published tables still have. */
async function findPublished({ store, log, tables }: VacuumContext, limits: Limits): Promise<Found[]> {
  const walked = (await store.walk(PUBLISHED)).map((path) => path.slice(PUBLISHED.length + 1));
  const named = walked.filter((path) => isDataFile(path) && tables.some(({ name }) => path.startsWith(`${name}/`)));
  const lost = (await lostAmong(store, log, named)).map((path) => `${PUBLISHED}/${path}`);
  const things = await store.look(lost);
  return lost.flatMap((path, position) => {
    const thing = things[position] ?? null;
    if (thing === null || thing.changedAtMs >= limits.beforeMs) return [];
    return [{ path, reason: 'published' as const, files: 1, bytes: thing.bytes }];
  });
}

/**
 * Data files and index files that no log entry names, and partial files of dead writers. The order matters: a file that
 * is seen first and named by no manifest afterwards was taken back, or its commit is in the log.
 */
async function findUnnamed({ store, log, tables }: VacuumContext, limits: Limits): Promise<Found[]> {
  const folders = [...tables.map(({ name }) => name), FOLDERS.ids, FOLDERS.log];
  const walked = (await Promise.all(folders.map((folder) => store.walk(folder)))).flat();
  const seen = walked.filter((path) => isPartial(path) || !isTableMetadata(path));
  seen.push(...(await store.walk(PUBLISHED)).filter(isPartial));
  const { spool, work, runs, leases, proof } = FOLDERS;
  seen.push(...(await partialIn(store, [spool, work, runs, leases, proof])));
  seen.push(...(await store.list('')).filter(isPartial));
  const beforeMs = await limits.besideOthersMs();
  const announced = new Set((await unfinishedCommits(store)).flatMap(({ files }) => files));
  const { files, identityFiles } = await log.refresh();
  const isNamed = (path: string) => files.has(path) || identityFiles.has(path) || announced.has(path);
  const unnamed = seen.filter((path) => isPartial(path) || (path.endsWith('.parquet') && !isNamed(path)));
  return (await store.look(unnamed)).flatMap((thing, position) => {
    const path = unnamed[position];
    if (path === undefined || thing === null || thing.changedAtMs >= beforeMs) return [];
    return [{ path, reason: reasonOf(path), files: 1, bytes: thing.bytes }];
  });
}

/** The same in an object store, and partial files of this machine. */
async function findObjects(context: VacuumContext, limits: Limits): Promise<Found[]> {
  const found = await findUnnamedObjects(context, limits.beforeMs, context.clock.nowMs());
  const objects = found.map(
    ({ path, bytes, upload }): Found => ({
      ...{ path, files: 1, bytes, upload },
      reason: upload === null ? reasonOf(path) : 'partial',
    }),
  );
  const partial = await partialIn(context.store, [FOLDERS.spool, FOLDERS.work, FOLDERS.runs, FOLDERS.leases]);
  return [...objects, ...(await onlyOld(context.store, partial, 'partial', await limits.besideOthersMs()))];
}

function reasonOf(path: string): VacuumReason {
  if (isPartial(path) || path.startsWith(`${PROBE_FOLDER}/`)) return 'partial';
  return path.startsWith(`${FOLDERS.ids}/`) ? 'index' : 'orphan';
}

/** Partial files directly in some folders. */
async function partialIn(store: Store, folders: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const folder of folders) found.push(...(await store.list(folder)).map((name) => `${folder}/${name}`));
  return found.filter(isPartial);
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

/**
 * Files of the index of values and of standing hunts that no document of theirs names: a killed process had not come to
 * naming or removing them. What a live one is about to name is younger.
 */
async function findDerived({ store, clock }: VacuumContext, limits: Limits): Promise<Found[]> {
  const found: Found[] = [];
  // Writers on other machines, of a lake in an object store, cannot be seen.
  const unseenMs = store.remote === null ? Number.POSITIVE_INFINITY : clock.nowMs() - MS_PER_DAY;
  for (const folder of [FOLDERS.values, FOLDERS.hunts]) {
    const names = await store.list(folder);
    const files = names.filter((name) => name.endsWith('.parquet') || isPartial(name));
    if (files.length === 0) continue;
    const beforeMs = Math.min(await limits.besideOthersMs(), unseenMs);
    const documents = names.filter((name) => name.endsWith('.json'));
    const texts = await Promise.all(documents.map((name) => store.read(`${folder}/${name}`)));
    // Another process has replaced one since: what the new one names is not known.
    if (texts.includes(null)) continue;
    const unnamed = files.filter((name) => !texts.some((text) => text?.includes(name) === true));
    const paths = unnamed.map((name) => `${folder}/${name}`);
    found.push(...(await onlyOld(store, paths, 'derived', beforeMs)));
  }
  return found;
}

async function onlyOld(
  store: Store,
  paths: readonly string[],
  reason: VacuumReason,
  beforeMs: number,
): Promise<Found[]> {
  const found: Found[] = [];
  for (const path of paths) {
    const { files, bytes, changedAtMs } = await weigh(store, path);
    if (changedAtMs < beforeMs) found.push({ path, reason, files: files.length, bytes });
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
  return paths.map((path, position) => ({ path, reason: 'log', files: 1, bytes: things[position]?.bytes ?? 0 }));
}

/** Size and last change of a file, or of a folder with everything in it. */
async function weigh(
  store: Store,
  path: string,
): Promise<{ readonly files: readonly string[]; readonly bytes: number; readonly changedAtMs: number }> {
  const files = await store.walk(path);
  const things = (await store.look([...new Set([path, ...files])])).filter((thing) => thing !== null);
  return {
    files,
    bytes: sum(things, (thing) => thing.bytes),
    changedAtMs: things.reduce((newest, thing) => Math.max(newest, thing.changedAtMs), 0),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
