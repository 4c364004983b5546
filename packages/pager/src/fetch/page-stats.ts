import type { PageWithIds } from './spool.ts';

/** The content of all pages of one window together. */
export interface PageStats {
  readonly recordCount: number;
  readonly distinctIds: number;
  /** Records without an identity: whether they repeat is unknown. */
  readonly withoutId: number;
  readonly bodyBytes: number;
}

/** Adds up the pages; an id in several pages counts once. */
export function pageStats(pages: readonly PageWithIds[]): PageStats {
  const ids = new Set<string>();
  let withoutId = 0;
  let recordCount = 0;
  let bodyBytes = 0;
  for (const { page, ids: pageIds } of pages) {
    recordCount += page.recordCount;
    bodyBytes += page.bodyBytes;
    for (const id of pageIds) {
      if (id === null) withoutId++;
      else ids.add(id);
    }
  }
  return { recordCount, distinctIds: ids.size, withoutId, bodyBytes };
}

/** Whether as many records came as were counted, and none twice. */
export function addsUp(found: PageStats, count: number): boolean {
  return found.recordCount === count && found.distinctIds + found.withoutId === count;
}

/**
 * The fewest pages of several attempts that contain every distinct record of all of them: all pages of the last
 * attempt, and of earlier ones those with an id that is in no later attempt. Records without an id count as new:
 * dropping one could lose it.
 */
export function pagesWorthKeeping(attempts: readonly (readonly PageWithIds[])[]): PageWithIds[] {
  const kept: PageWithIds[] = [];
  const ids = new Set<string>();
  for (const pages of [...attempts].reverse()) {
    const isLast = kept.length === 0;
    const worth = pages.filter((page) => isLast || page.ids.some((id) => id === null || !ids.has(id)));
    for (const page of worth) for (const id of page.ids) if (id !== null) ids.add(id);
    kept.push(...worth);
  }
  return kept;
}
