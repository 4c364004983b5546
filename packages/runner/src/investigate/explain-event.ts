import type { EventWindow, EventWrite, FoundEvent, Lake } from '@edrlake/lake';
import { type FetchedPage, fetchedPages } from './fetched-pages.ts';

/** A window, and the pages of it that one run fetched. */
export interface ExplainedWindow extends EventWindow {
  /** Whether the commit that brought the stored version also holds this proof: the event was on one of its pages. */
  readonly broughtIt: boolean;
  /** Of that commit's run; null where its journal is not on this machine, or the window belongs to another commit. */
  readonly pages: readonly FetchedPage[] | null;
}

/** How a stored event came to be as it is, as far as the lake records it. */
export interface EventExplanation {
  /** Oldest first. */
  readonly writes: readonly EventWrite[];
  /** The commit that brought the stored version; null where the id index was rebuilt since. */
  readonly broughtBy: EventWrite | null;
  /** Newest first. */
  readonly windows: readonly ExplainedWindow[];
}

/** Adds what journals know of the pages to what the lake knows of an event. */
export async function explainEvent(lake: Pick<Lake, 'directory'>, found: FoundEvent): Promise<EventExplanation> {
  const broughtBy = found.writes.findLast(({ kind }) => BRINGS.has(kind)) ?? null;
  const windows: ExplainedWindow[] = [];
  for (const window of found.windows) {
    const { commit = null } = broughtBy ?? {};
    const broughtIt = commit !== null && commit.version === window.version;
    const pages = broughtIt ? await fetchedPages(lake, commit.runId, window.proof.window.id) : null;
    windows.push({ ...window, broughtIt, pages });
  }
  return { writes: found.writes, broughtBy, windows };
}

const BRINGS: ReadonlySet<EventWrite['kind']> = new Set(['stored', 'replaced', 'replaced-or-confirmed']);
