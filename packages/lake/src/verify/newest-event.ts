import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteFile } from '@edrlake/core';
import type { LoggedFile } from '../log/lake-state.ts';
import type { Snapshot } from '../log/snapshot.ts';
import { rowsOf } from '../log/table-rows.ts';
import { isFileError } from '../storage/file-errors.ts';
import { EVENTS } from '../storage/layout.ts';
import type { Store } from '../storage/store.ts';

/**
 * When the newest event happened, in UTC epoch milliseconds; null without events. The files of the newest day decide. The log
 * has it of every file that this edrlake wrote; only where it lacks one are the files themselves asked, and where they are
 * gone it is null: reconciling is what tells of lost files.
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
