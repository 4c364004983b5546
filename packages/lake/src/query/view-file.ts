import { EdrlakeError, sum } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import type { Snapshot } from '../log/snapshot.ts';
import { isDataFileError } from '../storage/file-errors.ts';
import { FOLDERS, VIEW_FILE } from '../storage/layout.ts';
import { areProofsOf, writeProofDocuments } from '../verify/proof-documents.ts';
import { isViewFileOf, staleViews, type ViewSource, writeViewFile } from './views.ts';

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
      if ((await log.refresh()).version === views.snapshot.version) return;
    }
  };
  return {
    afterCommit: async (filesRemoved) => {
      const { files } = await log.refresh();
      if (filesRemoved > 0 || files.size > filesShown * 1.25) await write();
    },
    refresh: async () => {
      const { version, files } = await log.refresh();
      const isCurrent =
        (await areProofsOf(store, version)) && (await isViewFileOf({ store, connection: await connect() }, version));
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
      if (isBehind || !(await areProofsOf(store, (await log.refresh()).version))) await write();
    },
  };
}

function fileCount(snapshot: Snapshot): number {
  return sum(Object.values(snapshot.files), (files) => files.length);
}
