import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import { closeAfter, EdrlakeError, errnoOf, isDiskError, quoteText, sum, syncPath } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import { isSamePoint, type LogPoint } from '../log/log-point.ts';
import type { Snapshot } from '../log/snapshot.ts';
import { errnoInWords, isDataFileError, messageOf } from '../storage/file-errors.ts';
import { FOLDERS, VIEW_FILE } from '../storage/layout.ts';
import { viewPlace } from '../storage/view-place.ts';
import { areProofsOf, writeProofDocuments } from '../verify/proof-documents.ts';
import { commentsSql, createViews, isOfOlderForm, showsVersion, type ViewSource } from './views.ts';

/** Keeps `lake.duckdb` up to date without rewriting it at every commit. */
export interface ViewKeeper {
  /**
   * After a commit: rewrites the file when it names files that are gone, or when the lake has grown by a quarter since.
   * The cost of writing it grows with the number of files, so it is written less often the more there are.
   */
  afterCommit(filesRemoved: number): Promise<void>;
  /** Rewrites the file unless it shows the newest version. */
  refresh(): Promise<void>;
}

/** Commits of others while the file is written, after which this process leaves it to them. */
const MAX_ROUNDS = 3;

/** @param source what the newest version shows. */
export function keepViews(
  { store, log, workFolder, onStep }: Pick<CommitContext, 'store' | 'log' | 'workFolder' | 'onStep'>,
  connect: () => Promise<CommitContext['connection']>,
  source: () => Promise<ViewSource>,
): ViewKeeper {
  let filesShown = 0;
  // Failures that follow from the first, such as a DuckDB that no longer works, do not say what happened.
  let firstFailure: unknown = null;
  const write = async () => {
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const views = await source();
      // Set before writing: otherwise a write that fails would be repeated at every commit.
      filesShown = fileCount(views.snapshot);
      try {
        await writeViewFile({ store, connection: await connect(), workFolder }, views);
        await writeProofs(store, views);
      } catch (thrown) {
        // A view over a missing file cannot be created. The views stay behind until the file has been removed from the
        // lake; queries notice that themselves, and commits need no views.
        if (isDataFileError(thrown)) return;
        const isExplained = thrown instanceof EdrlakeError && thrown.code === 'VIEWS_STALE';
        firstFailure ??= thrown;
        throw isExplained ? thrown : firstFailure;
      }
      firstFailure = null;
      onStep('views-written');
      // Two writers may rename in the wrong order: the later one checks again.
      if (isSamePoint(await log.refresh(), views.snapshot)) return;
    }
  };
  return {
    afterCommit: async (filesRemoved) => {
      const { files } = await log.refresh();
      if (filesRemoved > 0 || files.size > filesShown * 1.25) await write();
    },
    refresh: async () => {
      const { version, commitId, files } = await log.refresh();
      const point = { version, commitId };
      const isCurrent =
        (await areProofsOf(store, point)) && (await isViewFileOf({ store, connection: await connect() }, point));
      if (isCurrent) filesShown = files.size;
      else await write();
    },
  };
}

async function writeProofs(store: CommitContext['store'], views: ViewSource): Promise<void> {
  await writeProofDocuments(store, views).catch((thrown: unknown) => {
    throw staleViews(thrown, views.snapshot.version, FOLDERS.proof) ?? thrown;
  });
}

/**
 * Where DuckDB may not start, a file of views that is behind is removed: it would name files that are gone, or show an
 * older version as if it were the newest. The next command that writes the lake with DuckDB makes it again. The
 * documents of proofs need no DuckDB.
 * @param source what the newest version shows
 */
export function dropViews(
  { store, log }: Pick<CommitContext, 'store' | 'log'>,
  source: () => Promise<ViewSource>,
): ViewKeeper {
  let isBehind = false;
  const write = async () => {
    if (isBehind) await store.remove(VIEW_FILE);
    await writeProofs(store, await source());
    isBehind = false;
  };
  return {
    afterCommit: async (filesRemoved) => {
      isBehind = true;
      // In an object store no file of views names what is gone, and the documents can wait for the end.
      if (filesRemoved > 0 && store.remote === null) await write();
    },
    refresh: async () => {
      if (isBehind || !(await areProofsOf(store, await log.refresh()))) await write();
    },
  };
}

function fileCount(snapshot: Snapshot): number {
  return sum(Object.values(snapshot.files), (files) => files.length);
}

/**
 * Replaces `lake.duckdb` with one for the given version. It is written in the work folder and renamed into place, so
 * that a reader that has the old one open keeps reading it; a crash leaves the old one, which the next writer replaces.
 * No process ever opens `lake.duckdb` itself for writing.
 */
async function writeViewFile(
  { store, connection, workFolder }: Pick<CommitContext, 'store' | 'connection' | 'workFolder'>,
  source: ViewSource,
): Promise<void> {
  // Each attempt has a name of its own: DuckDB may still hold the file of one that failed.
  const staged = `${workFolder}/views-${randomUUID()}.duckdb`;
  const location = store.locate(staged);
  try {
    await attached(connection, quoteText(location), async (name) => {
      await connection.run(`USE ${name}`);
      const stamp = `edrlake ${randomUUID()}`;
      const place = await viewPlace(store.locate(''), stamp);
      await inTransaction(connection, async () => {
        await createViews(connection, source, place);
        await connection.run(commentsSql(source));
        await connection.run(`COMMENT ON TABLE lake_info IS ${quoteText(stamp)}`);
      });
      await connection.run('CHECKPOINT');
    });
    await syncPath(location);
    // A shell that has the old file open for writing may have left a write-ahead log, which must not be applied to the
    // new one.
    await store.move([{ from: staged, to: VIEW_FILE }], 'fail');
    await store.remove(`${VIEW_FILE}.wal`);
  } catch (thrown) {
    for (const path of [location, `${location}.wal`]) await rm(path, { force: true }).catch(() => undefined);
    if (isDataFileError(thrown)) throw thrown;
    throw staleViews(thrown, source.snapshot.version) ?? thrown;
  }
}

/** Statements by themselves are each written to a log of the database and synced. */
async function inTransaction(connection: DuckDBConnection, work: () => Promise<void>): Promise<void> {
  await connection.run('BEGIN');
  try {
    await work();
    await connection.run('COMMIT');
  } catch (thrown) {
    // A failed commit has ended it.
    await connection.run('ROLLBACK').catch(() => undefined);
    throw thrown;
  }
}

/** Explains an error of the disk: the lake is complete without its views. null for any other error. */
function staleViews(thrown: unknown, version: number, file: string = VIEW_FILE): EdrlakeError | null {
  const known = thrown instanceof EdrlakeError ? thrown.code === 'LAKE_UNWRITABLE' : isDiskError(thrown);
  const errno =
    errnoInWords(thrown) ?? (known ? errnoOf(thrown instanceof EdrlakeError ? thrown.cause : thrown) : null);
  if (errno === null && !/^IO Error/.test(messageOf(thrown))) return null;
  const reason = STALE_REASONS[errno ?? ''] ?? 'the disk refused it';
  return new EdrlakeError(
    'VIEWS_STALE',
    `version ${version} is committed and safe, but ${file} could not be written: ${reason} (${errno ?? messageOf(thrown)})`,
    {
      cause: thrown,
      context: { version, errno },
      hint: `edrlake query shows all of it. Put the disk right; the next command that writes brings ${file} up to date.`,
    },
  );
}

const STALE_REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'files may not be so large here',
  EACCES: 'the folder may not be written',
  EROFS: 'the disk can only be read',
};

let attachments = 0;

/**
 * Attaches a database for some work; starting another DuckDB would take longer than the work. An error of the work
 * takes precedence over an error of detaching.
 */
async function attached<T>(
  connection: DuckDBConnection,
  path: string,
  work: (name: string) => Promise<T>,
  options = '',
): Promise<T> {
  attachments += 1;
  const name = `lake_views_${attachments}`;
  await connection.run(`ATTACH ${path} AS ${name}${options}`);
  return closeAfter(
    async () => {
      await connection.run('USE memory');
      await connection.run(`DETACH ${name}`);
    },
    () => work(name),
  );
}

/**
 * Whether `lake.duckdb` was made for this version of the lake, and for its current path.
 * @param anywhere accept another path: in a lake that was moved the views find the files as well
 */
export async function isViewFileOf(
  { store, connection }: Pick<CommitContext, 'store' | 'connection'>,
  point: LogPoint,
  anywhere = false,
): Promise<boolean> {
  const place = anywhere ? null : store;
  return asked({ store, connection }, (prefix) => showsVersion(connection, place, point, prefix));
}

/** Whether an older edrlake made `lake.duckdb` for a version of this number. */
export async function isOlderViewFileOf(
  context: Pick<CommitContext, 'store' | 'connection'>,
  { version }: Pick<LogPoint, 'version'>,
): Promise<boolean> {
  return asked(context, (prefix) => isOfOlderForm(context.connection, version, prefix));
}

async function asked(
  { store, connection }: Pick<CommitContext, 'store' | 'connection'>,
  question: (prefix: string) => Promise<boolean>,
): Promise<boolean> {
  try {
    const path = quoteText(store.locate(VIEW_FILE));
    return await attached(connection, path, (name) => question(`${name}.main.`), ' (READ_ONLY)');
  } catch {
    // Missing, unreadable, or held by another process: replacing it is safe for both.
    return false;
  }
}
