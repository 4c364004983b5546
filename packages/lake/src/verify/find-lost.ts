import { dayOf, type TimeRange } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import type { LoggedFile } from '../log/lake-state.ts';
import { partitionDay } from '../log/table-rows.ts';
import { resizedFiles } from '../storage/checksum.ts';

/** Each further look means that another writer has replaced files meanwhile. */
const MAX_LOOKS = 5;

/**
 * Data files of the newest version that are gone or not of their committed size; only of days the range touches where one is
 * given. Files that another writer replaced while they were looked at are none.
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
    const { files: now } = await log.refresh();
    if (looks === MAX_LOOKS || lost.every(({ path }) => now.has(path))) return lost;
  }
}
