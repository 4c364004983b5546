import { sum } from '@edrlake/core';
import type { HuntFolder, ListFault } from '../indicators/hunt-folder.ts';
import type { HuntState, ListFindings, MatchReader, StandingList } from './hunt-state.ts';
import type { NewMatches } from './new-matches.ts';

/** A list that is always hunted, and what was found of it. */
export interface StandingListReport extends ListFindings {
  readonly indicators: number;
  /** Whether it could not be read, so that it is hunted as it was before. */
  readonly isAsBefore: boolean;
}

/** What standing hunts have found. */
export interface StandingReport {
  /** The version of the lake that was looked at; null where there are no lists. */
  readonly version: number | null;
  /** Data files that are gone or damaged, so that what they hold is not known. */
  readonly pending: number;
  readonly lists: readonly StandingListReport[];
  readonly matches: number;
  /** Those that the reader has not seen before. */
  readonly fresh: NewMatches;
  /** What is no indicator in the lists, which does not stop the rest. */
  readonly faults: readonly ListFault[];
}

/** The calls of a lake that keep standing hunts. */
interface Keeping {
  keepHunts(
    lists: ((before: readonly StandingList[]) => readonly StandingList[]) | null,
    context: { readonly signal: AbortSignal },
  ): Promise<HuntState | null>;
  newMatches(reader: MatchReader, limit: number): Promise<NewMatches>;
}

/**
 * Makes the lists of a folder those that are always hunted, and brings their matches to the newest version. A list that
 * is gone from the folder is no longer hunted, and its matches go with it. One that cannot be read stays as it was.
 * @param folder null: the lists stay as they are
 * @param about who is shown new matches, and how many at most
 */
export async function huntStanding(
  lake: Keeping,
  folder: HuntFolder | null,
  about: { readonly reader: MatchReader; readonly limit: number; readonly signal: AbortSignal },
): Promise<StandingReport> {
  const { reader, limit, signal } = about;
  const unread = new Set(folder?.unread);
  const asInFolder = (before: readonly StandingList[]) => [
    ...(folder?.lists ?? []),
    ...before.filter(({ name }) => unread.has(name)).map(({ name, indicators }) => ({ name, indicators })),
  ];
  const state = await lake.keepHunts(folder === null ? (before) => before : asInFolder, { signal });
  const lists = (state?.lists ?? []).map(({ indicators, ...list }) => ({
    ...list,
    indicators: indicators.length,
    isAsBefore: unread.has(list.name),
  }));
  return {
    version: state?.version ?? null,
    pending: state?.pending ?? 0,
    lists,
    matches: sum(lists, ({ matches }) => matches),
    fresh: await lake.newMatches(reader, limit),
    faults: folder?.faults ?? [],
  };
}
