import { randomUUID } from 'node:crypto';
import { access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { closeAfter, type Dataset, EdrlakeError, isoInstant, sum, systemBeat, systemProcesses } from '@edrlake/core';
import { type LakeOptions, openLake } from './lake.ts';
import { openCommitLog } from './log/commit-log.ts';
import { emptyState, type LakeState, schemaOf } from './log/lake-state.ts';
import { checkpointText, listLog, readEntry } from './log/log-files.ts';
import { makeDirectories, markerText, readMarker, refuseOtherDataset } from './log/prepare-directory.ts';
import { storeAt } from './object-store/open-object-lake.ts';
import { type Adopted, adoptFiles } from './recovery/adopt-files.ts';
import { refuseLostLog } from './recovery/refuse-lost-log.ts';
import { newestVersion, oldLogFolder, replaceLog } from './recovery/replace-log.ts';
import type { DuckDbSession } from './storage/duckdb.ts';
import { FOLDERS, FORMAT_FILE, trashPath } from './storage/layout.ts';
import { openLease } from './storage/lease.ts';
import { loadWithDuckDb } from './storage/load-duckdb.ts';
import type { Store } from './storage/store.ts';

/** The result of rebuilding the log. */
export interface RebuildReport {
  readonly version: number;
  /** Data files that the new log names. */
  readonly files: number;
  /** Rows of events in the lake afterwards. */
  readonly events: number;
  /** Rows that were removed because an event was stored more than once, or a child row had no event. */
  readonly removedRows: number;
  /** Data files that cannot be read, or that edrlake did not write; they are in the trash. */
  readonly setAside: readonly string[];
  /** Folder of the lake with the old log, which no command reads or deletes. */
  readonly oldLog: string;
}

/**
 * Rebuilds the commit log from the existing data files, for a lake whose log is lost or cannot be read to its end. The
 * new version has all of their rows, each event once; none of it is proven. The new log begins with a checkpoint of a
 * version above all that were ever used. Writing it is the commit point: a crash before it leaves the old log, a crash
 * after it leaves old files and duplicates, which running it again removes.
 * @param force rebuild even a readable log, and lose its proofs
 * @throws {EdrlakeError} `LAKE_MISSING`, `LAKE_UNWRITABLE`, `LAKE_CONTENDED` while another process works on the lake,
 * `USAGE` when the log is readable, `LAKE_INCOMPATIBLE` when a newer edrlake has written it, `LAKE_OTHER_DATASET`
 */
export async function rebuildLog(
  options: Omit<LakeOptions, 'create' | 'readOnly'>,
  about: { readonly force: boolean; readonly runId: string },
): Promise<RebuildReport> {
  const directory = resolve(options.directory);
  const place = { directory, ...(options.objects && { objects: options.objects }) };
  const store = await storeAt(place, { writes: true, nowMs: options.clock.nowMs() });
  const stamp = isoInstant(options.clock.nowMs()).replace(/[-:]|\.\d+/g, '');
  const oldLog = oldLogFolder(store, stamp);
  const rebuilt = await closeAfter(
    async () => store.remote?.close(),
    () => replaceWith(store, { options, directory, oldLog, stamp, ...about }),
  );
  const lake = await openLake({ ...options, create: false, readOnly: false });
  try {
    const { removedRows } = await lake.deduplicate(about.runId);
    const { files, version: newest } = await lake.snapshot();
    const events = sum(files.events ?? [], ({ rowCount }) => rowCount);
    const count = sum(Object.values(files), (some) => some.length);
    return { version: newest, files: count, events, removedRows, setAside: rebuilt.setAside, oldLog };
  } finally {
    await lake.close();
  }
}

interface Rebuilding {
  readonly options: Omit<LakeOptions, 'create' | 'readOnly'>;
  readonly directory: string;
  readonly force: boolean;
  readonly runId: string;
  readonly oldLog: string;
  readonly stamp: string;
}

/** Puts a new log in the place of the old one. */
async function replaceWith(store: Store, rebuilding: Rebuilding): Promise<Adopted> {
  const { options, directory, force, runId, oldLog, stamp } = rebuilding;
  const { dataset, clock, processes = systemProcesses, beat = systemBeat } = options;
  await requireBroken(store, directory, dataset, force);
  await makeDirectories(directory, store);
  const lease = await openLease(store, { processes, beat });
  try {
    if (await lease.hasCompany()) {
      throw new EdrlakeError('LAKE_CONTENDED', 'another process works on this lake, or may do so', {
        disposition: 'retry',
        hint: 'Stop it, or wait until it has ended, and run again.',
      });
    }
    const version = (await newestVersion(store)) + 1;
    const found = await withDuckDb(options, (connection) => adoptFiles({ store, connection }, dataset.tables));
    // In an object store nothing is moved: what the log does not name is nothing, and goes with a vacuum.
    const aside = store.remote === null ? found.setAside : [];
    await store.move(
      aside.map((path) => ({ from: path, to: trashPath(`rebuild-${stamp}`, path) })),
      'skip',
    );
    // By another id each machine notices that its copies of log entries are of another log.
    const id = store.remote === null ? null : randomUUID();
    const marker = await readMarker(store, dataset).catch(() => null);
    await store.put(FORMAT_FILE, markerText(dataset, clock.nowMs(), id, marker?.subscription));
    const checkpoint = checkpointText(stateOf(version, found, options, runId));
    await replaceLog(store, { version, checkpoint, runId, oldLog, stamp });
    return found;
  } finally {
    await lease.release();
  }
}

async function withDuckDb<T>(
  { memoryLimit = '512MB', threads }: Pick<LakeOptions, 'memoryLimit' | 'threads'>,
  work: (connection: DuckDbSession['connection']) => Promise<T>,
): Promise<T> {
  const duckDb = await (await loadWithDuckDb(() => import('./storage/duckdb.ts'))).openDuckDb(null, {
    ...{ memoryLimit, threads: threads ?? null, keepsRowOrder: false },
    spillDirectory: join(tmpdir(), `edrlake-spill-${randomUUID()}`),
  });
  try {
    return await work(duckDb.connection);
  } finally {
    duckDb.close();
  }
}

async function requireBroken(store: Store, directory: string, dataset: Dataset, force: boolean): Promise<void> {
  const missing = () =>
    new EdrlakeError('LAKE_MISSING', `there is no lake at ${store.address}`, { hint: 'Check --lake.' });
  if (store.remote === null) {
    await access(directory).catch(() => {
      throw missing();
    });
  }
  const { tables } = dataset;
  const files = (await Promise.all(tables.map(({ name }) => store.walk(name)))).flat();
  // A marker that is lost or broken is written again.
  const marker = await readMarker(store, dataset).catch(() => null);
  if (marker !== null) refuseOtherDataset(marker.dataset, dataset, store.address);
  if ((await store.read(FORMAT_FILE)) === null && files.length === 0) {
    throw missing();
  }
  // Entries of a newer edrlake may contain facts that would be lost.
  for (const entry of (await listLog(store)).entries) {
    await readEntry(store, entry).catch((thrown) => {
      if (thrown instanceof EdrlakeError && thrown.code === 'LAKE_INCOMPATIBLE') throw thrown;
    });
  }
  if (force) return;
  try {
    const log = await openCommitLog(store);
    const { entries, checkpoints } = await listLog(store);
    const newest = Math.max(0, ...entries, ...checkpoints);
    // In an object store, files without any log may be of a first commit that never came about: a writer goes on then.
    // And this machine may have copies of entries that are lost.
    if (store.remote !== null && (log.known().version > newest || (newest === 0 && files.length > 0))) return;
    await refuseLostLog(store, log, tables);
  } catch (thrown) {
    // Another rebuilding has begun: it died, or the claim of the version keeps one of both out.
    if (thrown instanceof EdrlakeError && ['LAKE_CORRUPT', 'LAKE_CONTENDED'].includes(thrown.code)) return;
    throw thrown;
  }
  throw new EdrlakeError('USAGE', 'the commit log of this lake can be followed: there is nothing to rebuild', {
    hint: 'A rebuilt log has no proofs, so everything has to be fetched again to be proven. If you want that: --force',
  });
}

function stateOf(
  version: number,
  { files, schemas, known, tables }: Adopted,
  { clock }: Pick<LakeOptions, 'clock'>,
  runId: string,
): LakeState {
  const state = emptyState();
  const current = schemaOf(tables, known, schemas.values());
  const numbers = [...schemas.keys()];
  const schemaVersion = Math.max(0, ...numbers) + 1;
  // An index file that does not exist: the next commit rebuilds the index from the data files.
  const none = { path: `${FOLDERS.ids}/none.parquet`, rowCount: 0, level: 0 };
  return {
    ...state,
    ...{ version, schemaVersion, schemas: new Map([...schemas, [schemaVersion, current]]) },
    files: new Map(files.map((file) => [file.path, file])),
    identityFiles: new Map([[none.path, none]]),
    commits: [
      {
        ...{ version, runId, committedAtMs: clock.nowMs(), newEvents: 0, changedEvents: 0, unchangedEvents: 0 },
        ...{ deletedEvents: 0, filesAdded: files.length, filesRemoved: 0, windows: 0 },
      },
    ],
  };
}
