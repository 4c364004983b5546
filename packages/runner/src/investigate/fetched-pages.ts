import { join } from 'node:path';
import type { Lake } from '@edrlake/lake';
import { readExportLines } from '../run/journal.ts';

/** A page of a window, as the journal of its run has it. */
export interface FetchedPage {
  readonly pageNumber: number;
  readonly recordCount: number;
  /** When it was on disk. */
  readonly atMs: number;
}

/**
 * The pages that a run fetched of a window, in their order; null where its journal is not on this machine. Which of
 * them held an event is recorded nowhere: pages are deleted after the commit.
 */
export async function fetchedPages(
  lake: Pick<Lake, 'directory'>,
  runId: string,
  windowId: string,
): Promise<readonly FetchedPage[] | null> {
  const lines = await readExportLines(join(lake.directory, '_runs'), runId).catch(() => []);
  if (lines.length === 0) return null;
  // A page that was fetched again counts as it was the last time.
  const pages = new Map<number, FetchedPage>();
  for (const line of lines) {
    if (line.type !== 'page' || line.page.windowId !== windowId) continue;
    const { pageNumber, recordCount } = line.page;
    pages.set(pageNumber, { pageNumber, recordCount, atMs: line.atMs });
  }
  return [...pages.values()].sort((a, b) => a.pageNumber - b.pageNumber);
}
