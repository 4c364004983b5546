import { sum } from '@edrlake/core';
import type { LoggedFile } from '../log/lake-state.ts';
import { firstWrittenStem } from '../storage/layout.ts';

/**
 * The event files of the events whose child rows may be in a lost file: the file that the same commit wrote for the
 * same day, or, where that one was rewritten or merged since, all files of the day.
 */
export function parentsOf(child: LoggedFile, eventsOfDay: readonly LoggedFile[]): readonly LoggedFile[] {
  const stem = firstWrittenStem(child.path);
  const partners = stem === null ? [] : eventsOfDay.filter(({ path }) => firstWrittenStem(path) === stem);
  return partners.length > 0 ? partners : eventsOfDay;
}

/** Rows of some files. */
export function rowsIn(files: readonly LoggedFile[]): number {
  return sum(files, ({ rowCount }) => rowCount);
}
