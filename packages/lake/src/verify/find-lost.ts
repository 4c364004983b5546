import { dayOf, type TimeRange } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import type { LoggedFile } from '../log/lake-state.ts';
import { partitionDay } from '../log/table-rows.ts';
import { resizedFiles } from '../storage/checksum.ts';

/** Each further attempt means that another writer has replaced files in the meantime. */
const MAX_LOOKS = 5;

/**
 * Data files of the newest version that are missing or not of their committed size; with a range only those of days
 * that it touches. Files that another writer replaced during the check are not included.
 */
export async function findLost(
  { store, log }: Pick<CommitContext, 'store' | 'log'>,
  range?: TimeRange,
): Promise<LoggedFile[]> {
  const isWanted = (file: LoggedFile) => {
    const day = partitionDay(file);
    return range === undefined || (dayOf(range.startMs) <= day && day <= dayOf(range.endMs - 1));
  };
  for (let looks = 1; ; looks += 1) {
    const { files } = await log.refresh();
    const lost = await resizedFiles(store, [...files.values()].filter(isWanted));
    if (lost.length === 0) return lost;
    const { files: now } = await log.refresh();
    if (looks === MAX_LOOKS || lost.every(({ path }) => now.has(path))) return lost;
  }
}
