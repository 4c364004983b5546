import { quoteFile } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import type { LoggedFile } from '../log/lake-state.ts';
import type { Snapshot } from '../log/snapshot.ts';
import { rowsOf } from '../log/table-rows.ts';
import { isFileError } from '../storage/file-errors.ts';
import { EVENTS } from '../storage/layout.ts';

/**
 * The time of the newest event, in UTC epoch milliseconds; null without events. Only the files of the newest day are
 * considered. The log has the time for every file that this edrlake wrote; where it lacks one, the files are read, and
 * where they are lost the result is null: reconcile reports lost files.
 */
export async function newestEventMs(
  snapshot: Snapshot,
  readFiles: (files: readonly LoggedFile[]) => Promise<number | null>,
): Promise<number | null> {
  const files = filesOfNewestDay(snapshot.files[EVENTS] ?? []);
  const known = files.flatMap((file) => file.newestEventMs ?? []);
  if (known.length === files.length) return known.length === 0 ? null : Math.max(...known);
  return readFiles(files);
}

/** The time of the newest event in some files; null where one of them is lost. */
export async function readNewestEventMs(
  { store, connection }: Pick<CommitContext, 'store' | 'connection'>,
  files: readonly LoggedFile[],
): Promise<number | null> {
  const paths = files.map(({ path }) => quoteFile(store.locate(path))).join(', ');
  const sql = `SELECT epoch_ms(max(event_time))::DOUBLE AS newest FROM read_parquet([${paths}])`;
  try {
    const [row] = await rowsOf(connection, sql);
    return typeof row?.newest === 'number' ? row.newest : null;
  } catch (thrown) {
    if (isFileError(thrown)) return null;
    throw thrown;
  }
}

function filesOfNewestDay(files: readonly LoggedFile[]): LoggedFile[] {
  let newest = '';
  for (const { partition } of files) if (partition > newest) newest = partition;
  return files.filter(({ partition }) => partition === newest);
}
