import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteFile } from '@edrlake/core';
import type { LoggedFile } from '../log/lake-state.ts';
import type { Snapshot } from '../log/snapshot.ts';
import { rowsOf } from '../log/table-rows.ts';
import { isFileError } from '../storage/file-errors.ts';
import { EVENTS } from '../storage/layout.ts';
import type { Store } from '../storage/store.ts';

/**
 * The time of the newest event, in UTC epoch milliseconds; null without events. Only the files of the newest day are
 * considered. The log has the time for every file that this edrlake wrote; where it lacks one, the files are read, and
 * where they are lost the result is null: reconcile reports lost files.
 */
export async function newestEventMs(
  snapshot: Snapshot,
  store: Store,
  connect: () => Promise<DuckDBConnection>,
): Promise<number | null> {
  const files = filesOfNewestDay(snapshot.files[EVENTS] ?? []);
  const known = files.flatMap((file) => file.newestEventMs ?? []);
  if (known.length === files.length) return known.length === 0 ? null : Math.max(...known);
  const paths = files.map(({ path }) => quoteFile(store.locate(path))).join(', ');
  const sql = `SELECT epoch_ms(max(event_time))::DOUBLE AS newest FROM read_parquet([${paths}])`;
  try {
    const [row] = await rowsOf(await connect(), sql);
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
