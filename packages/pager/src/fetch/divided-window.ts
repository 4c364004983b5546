import type { EdrlakeError, FetchedWindow, PlannedWindow } from '@edrlake/core';
import { type FailedWindow, failedWindow, isFailedWindow } from './failed-window.ts';
import type { WindowFetching } from './fetch-pages.ts';
import { pageStats } from './page-stats.ts';
import type { Listing, PageWithIds } from './spool.ts';
import { vanishedError, vanishedOf } from './vanished.ts';

/** A window that was divided after answers to it had come, and its parts, until the last of them is done. */
export interface DividedWindow {
  readonly planned: PlannedWindow;
  /** What it listed, and no part that is done has listed yet. */
  readonly missing: Set<string>;
  /** Its pages and those of parts that were divided themselves. They stay on disk until its parts list their events. */
  readonly came: CameBefore[];
  /** Parts that are done. None of them is evidence before all are. */
  readonly done: (FetchedWindow | FailedWindow)[];
  /** Parts that are not. */
  open: number;
}

/** Pages of a window that was divided. */
interface CameBefore {
  readonly planned: PlannedWindow;
  readonly pages: readonly PageWithIds[];
}

/** Adds what a window listed before it was divided. */
export function addListed(divided: DividedWindow, came: CameBefore, answered: readonly Listing[]): void {
  divided.came.push(came);
  for (const { ids } of answered) for (const id of ids) if (id !== null) divided.missing.add(id);
}

/**
 * Takes parts that are done. Together they must list what the whole listed before, because none of them can know alone
 * which of it was its own.
 * @returns all parts, once the last one is done: failed, with all pages that came, where events are missing
 */
export async function partsDone(
  fetching: WindowFetching,
  divided: DividedWindow,
  done: readonly (FetchedWindow | FailedWindow)[],
  listed: readonly Listing[],
): Promise<(FetchedWindow | FailedWindow)[]> {
  divided.done.push(...done);
  for (const { ids } of listed) for (const id of ids) if (id !== null) divided.missing.delete(id);
  divided.open -= 1;
  if (divided.open > 0) return [];
  const { window } = divided.planned;
  const vanished = await vanishedOf(fetching, window, divided.missing);
  if (vanished.size > 0) return unproven(fetching, divided, vanishedError(window, vanished.size));
  for (const { planned } of divided.came) await fetching.spool.removeWindow(planned.window.id);
  return divided.done;
}

/** What came of windows whose other parts are not requested any more. They are forgotten. */
export function giveUp(
  fetching: WindowFetching,
  divided: Set<DividedWindow>,
  because: EdrlakeError,
): (FetchedWindow | FailedWindow)[] {
  const came = [...divided].flatMap((one) => unproven(fetching, one, because));
  divided.clear();
  return came;
}

/** All that has come of a divided window, none of it complete. */
function unproven(
  fetching: WindowFetching,
  { came, done, missing }: DividedWindow,
  error: EdrlakeError,
): (FetchedWindow | FailedWindow)[] {
  const parts = done.map((part) =>
    isFailedWindow(part) || part.verdict !== 'complete'
      ? part
      : failedWindow(fetching, part, error, { ...part, verdict: 'incomplete' }),
  );
  const wholes = came.flatMap(({ planned: { window, count }, pages: all }) => {
    const pages = all.filter(({ ids }) => ids.some((id) => id === null || missing.has(id)));
    if (pages.length === 0) return [];
    const found = { pages: pages.map(({ page }) => page), ...pageStats(pages) };
    return [failedWindow(fetching, { window, count }, error, { window, count, ...found, verdict: 'incomplete' })];
  });
  return [...parts, ...wholes];
}
