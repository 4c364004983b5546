import {
  EdrlakeError,
  type FetchedWindow,
  isMemoryError,
  outOfMemory,
  quoteFile,
  quoteName,
  quoteText,
  type SqlConnection,
} from '@edrlake/core';
import type { RecordSpec } from '../spec/record-spec.ts';
import { linesSql, noLinesSql } from '../sql/conforming.ts';

/**
 * Temporary tables of a batch's source, dropped after staging: `pages` (`filename`, `window_no`), the irregular records
 * as events, and what is irregular in each.
 */
export const SPOOL_TABLES = ['pages', 'irregular_events', 'irregular_records'] as const;

/** The longest line that DuckDB reads by default. Its read buffers have twice this size. */
const LINE_BYTES = 16_777_216;

/** Names the windows' pages in a table and returns a relation of their lines, in the order of the windows and pages. */
export async function spooledLines(
  connection: SqlConnection,
  spec: RecordSpec,
  windows: readonly FetchedWindow[],
  pagesTable: string,
): Promise<string> {
  const pages = windows.flatMap((window, windowNo) =>
    window.pages.filter((page) => page.recordCount > 0).map((page) => ({ path: page.path, windowNo })),
  );
  const table = quoteName(pagesTable);
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${table} (filename VARCHAR, window_no INTEGER)`);
  if (pages.length === 0) return noLinesSql(spec);
  const values = pages.map((page) => `(${quoteText(page.path)}, ${page.windowNo})`);
  await connection.run(`INSERT INTO ${table} VALUES ${values.join(', ')}`);
  return linesSql(spec, `[${pages.map((page) => quoteFile(page.path)).join(', ')}]`, LINE_BYTES);
}

/** The error of a page that cannot be read: it is not what was spooled, or there is no memory to read it. */
export function unreadable(cause: unknown): EdrlakeError {
  if (cause instanceof Error && isMemoryError(cause)) return outOfMemory(cause);
  return new EdrlakeError('BODY_BROKEN', `a spooled page cannot be read: ${String(cause)}`, {
    disposition: 'retry',
    cause,
    hint: 'Fetch the windows of this batch again.',
  });
}
