import { EdrlakeError, type FetchedWindow, isMemoryError, outOfMemory, quoteFile } from '@edrlake/core';
import type { RecordSpec } from '../spec/record-spec.ts';
import { linesSql, noLinesSql } from '../sql/conforming.ts';

/**
 * Temporary tables of a batch's source, dropped after staging: the irregular records as events, what is irregular in
 * each, and events of other customers.
 */
export const SPOOL_TABLES = ['irregular_events', 'irregular_records', 'foreign_events'] as const;

/** The longest line that DuckDB reads by default. Its read buffers have twice this size. */
const LINE_BYTES = 16_777_216;

/** The spooled pages of some windows as relations, in the order of the windows and pages. */
export interface SpooledPages {
  /** As `linesSql`. */
  readonly lines: string;
  /** `file_index` and `window_no`. */
  readonly pages: string;
}

/** The pages that have a record. */
export function spooledPages(spec: RecordSpec, windows: readonly FetchedWindow[]): SpooledPages {
  const pages = windows.flatMap((window, windowNo) =>
    window.pages.filter((page) => page.recordCount > 0).map((page) => ({ path: page.path, windowNo })),
  );
  const windowNos = `[${pages.map(({ windowNo }) => windowNo).join(', ')}]::INTEGER[]`;
  return {
    lines:
      pages.length === 0
        ? noLinesSql(spec)
        : linesSql(spec, `[${pages.map(({ path }) => quoteFile(path)).join(', ')}]`, LINE_BYTES),
    pages: `(SELECT generate_subscripts(${windowNos}, 1)::INTEGER - 1 AS file_index, unnest(${windowNos}) AS window_no)`,
  };
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
