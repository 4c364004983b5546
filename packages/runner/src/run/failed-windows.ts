import { isDeepStrictEqual } from 'node:util';
import { intersect, type QueryScope, type TimeAxis, type TimeRange } from '@edrlake/core';
import { listRunIds } from '../journal/journal-file.ts';
import { readExportLines } from './journal.ts';

/** Journals looked at, newest first. */
const MAX_JOURNALS_READ = 50;

/** A window that the newest run that asked for it could not prove. */
export interface FailedWindow {
  readonly range: TimeRange;
  readonly code: string;
  readonly message: string;
  readonly runId: string;
  /** When that run ended. */
  readonly atMs: number;
}

/** Where to look for them. */
export interface FailedWindowQuestion {
  readonly axis: TimeAxis;
  readonly scope: QueryScope;
  readonly range: TimeRange;
}

/**
 * The windows that touch a range and failed or stayed unverified, of the newest runs, newest run first; of windows that
 * overlap the newest. Some of them may be proven since: the caller compares them with the lake.
 */
export async function failedWindows(runsDirectory: string, question: FailedWindowQuestion): Promise<FailedWindow[]> {
  const found: FailedWindow[] = [];
  for (const runId of (await listRunIds(runsDirectory)).slice(0, MAX_JOURNALS_READ)) {
    for (const line of (await readExportLines(runsDirectory, runId)).toReversed()) {
      if (line.type !== 'finish') continue;
      const { request, windows } = line.report;
      if (request.axis !== question.axis || !isDeepStrictEqual(request.scope, question.scope)) continue;
      for (const { range, code, message } of [...windows.failed, ...(windows.unverified ?? [])]) {
        const isAsked = intersect(range, question.range) !== null;
        const isKnown = found.some((newer) => intersect(newer.range, range) !== null);
        if (isAsked && !isKnown) found.push({ range, code, message, runId, atMs: line.atMs });
      }
    }
  }
  return found;
}
