import { EdrlakeError } from '@edrlake/core';
import type { LogEntry } from '../log/lake-state.ts';
import { readEntry, rebuildingText } from '../log/log-files.ts';
import {
  checkpointPath,
  entryPath,
  FOLDERS,
  indexVersion,
  isManifestName,
  parseLogName,
  trashPath,
} from '../storage/layout.ts';
import type { Move, Store } from '../storage/store.ts';

/** Where the old logs of a lake in an object store are: a later rebuilding needs to know what they removed. */
const OLD_LOGS = '_log-old';

/** The folder of the lake for its old log. */
export function oldLogFolder(store: Store, stamp: string): string {
  return store.remote === null ? `${FOLDERS.log}-${stamp}` : `${OLD_LOGS}/${stamp}`;
}

/** The folder in the old log that receives the manifests. */
const MANIFESTS = 'manifests';

/** A new log, and where the old one goes. */
export interface NewLog {
  readonly version: number;
  readonly checkpoint: string;
  readonly runId: string;
  /** Folder of the lake for the old log. */
  readonly oldLog: string;
  /** Names the folder of the trash for what else is replaced. */
  readonly stamp: string;
}

/** The highest version that any name in the lake contains, or any copy that this machine has of its log. */
export async function newestVersion(store: Store): Promise<number> {
  const copies = (await store.remote?.copies(FOLDERS.log)) ?? [];
  const logged = [...(await store.list(FOLDERS.log)), ...copies].map((name) => parseLogName(name)?.version ?? 0);
  const indexed = (await store.list(FOLDERS.ids)).map((name) => indexVersion(name) ?? 0);
  const trashed = (await store.list(FOLDERS.trash)).map((name) => (/^\d{20}$/.test(name) ? Number(name) : 0));
  return Math.max(0, ...[...logged, ...indexed, ...trashed].filter(Number.isSafeInteger));
}

/**
 * Files that entries of the old logs, as far as they can be read, have removed: in an object store they stay in their
 * places until a vacuum. One counts only where all files that came instead of it are there, or were removed themselves.
 */
export async function replacedFiles(store: Store, files: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const entries: LogEntry[] = [];
  const earlier = store.remote === null ? [] : await store.walk(OLD_LOGS);
  const named = [...(await store.list(FOLDERS.log)).map((name) => `${FOLDERS.log}/${name}`), ...earlier];
  for (const path of named) {
    const name = parseLogName(path.slice(path.lastIndexOf('/') + 1));
    if (name === null || name.isCheckpoint) continue;
    const entry = await readEntry(store, name.version, path).catch((thrown) => {
      if (thrown instanceof EdrlakeError && ['LAKE_CORRUPT', 'LAKE_CONTENDED'].includes(thrown.code)) return null;
      throw thrown;
    });
    if (entry !== null) entries.push(entry);
  }
  const replaced = new Set<string>();
  for (const { added, removed } of entries.sort((a, b) => b.version - a.version)) {
    const isWhole = added.every(({ path }) => files.has(path) || replaced.has(path));
    if (isWhole) for (const path of removed) replaced.add(path);
  }
  return replaced;
}

/**
 * Writes the checkpoint that the new log begins with: from then on readers see the new log. The old one is kept.
 *
 * In an object store, writers on other machines cannot be seen. So the version is claimed first, by a conditional write
 * of the name that their next commit needs. The log is listed after that: what is there by then is of the old log.
 * @throws {EdrlakeError} `LAKE_CONTENDED` where another writer has the version, or a later one
 */
export async function replaceLog(store: Store, next: NewLog): Promise<void> {
  const { version, checkpoint, oldLog, stamp, runId } = next;
  const claim = entryPath(version);
  if (store.remote !== null && !(await store.putIfAbsent(claim, rebuildingText(runId)))) throw overtaken(version);
  const names = (await store.list(FOLDERS.log)).sort();
  const old = names.map((name) => `${FOLDERS.log}/${name}`).filter((path) => path !== claim);
  if (names.some((name) => (parseLogName(name)?.version ?? 0) >= version && `${FOLDERS.log}/${name}` !== claim)) {
    await store.remove(claim);
    throw overtaken(version);
  }
  await store.put(checkpointPath(version), checkpoint);
  const inOldLog = (path: string) => `${oldLog}/${path.slice(FOLDERS.log.length + 1)}`;
  const logMoves = old.map((path) => ({ from: path, to: inOldLog(path) }));
  const manifests = (await store.list(FOLDERS.spool)).filter(isManifestName);
  const manifestMoves = manifests.map((name) => ({
    from: `${FOLDERS.spool}/${name}`,
    to: `${oldLog}/${MANIFESTS}/${name}`,
  }));
  if (store.remote !== null) {
    for (const move of [...logMoves, ...manifestMoves]) await copyAndRemove(store, move);
    return;
  }
  const index = (await store.list(FOLDERS.ids)).map((name) => `${FOLDERS.ids}/${name}`);
  const indexMoves = index.map((path) => ({ from: path, to: trashPath(`rebuild-${stamp}`, path) }));
  await store.move([...logMoves, ...manifestMoves, ...indexMoves], 'skip');
}

function overtaken(version: number): EdrlakeError {
  return new EdrlakeError('LAKE_CONTENDED', `another process wrote version ${version} while the log was rebuilt`, {
    disposition: 'retry',
    hint: 'Stop what writes the lake, on all machines, and run again.',
  });
}

/** An object store has no rename. Repeated after a crash, it finds its copy. */
async function copyAndRemove(store: Store, { from, to }: Move): Promise<void> {
  const bytes = await store.readBytes(from);
  if (bytes !== null) await store.put(to, bytes);
  await store.remove(from);
}
