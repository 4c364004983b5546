import { isDeepStrictEqual } from 'node:util';
import type { QueryScope, TimeAxis, TimeRange } from '@edrlake/core';
import { listRunIds } from '../journal/journal-file.ts';
import { readExportLines } from './journal.ts';

/** Journals looked at, newest first. */
const MAX_JOURNALS_READ = 200;

/**
 * The ranges of windows that failed or stayed unverified in the newest runs of an axis and scope, newest run first.
 * Some of them may be proven since: the caller compares them with the lake.
 */
export async function failedRanges(runsDirectory: string, axis: TimeAxis, scope: QueryScope): Promise<TimeRange[]> {
  const ranges: TimeRange[] = [];
  for (const runId of (await listRunIds(runsDirectory)).slice(0, MAX_JOURNALS_READ)) {
    for (const line of await readExportLines(runsDirectory, runId)) {
      if (line.type !== 'finish') continue;
      const { request, windows } = line.report;
      if (request.axis !== axis || !isDeepStrictEqual(request.scope, scope)) continue;
      ranges.push(...[...windows.failed, ...(windows.unverified ?? [])].map(({ range }) => range));
    }
  }
  return ranges;
}
