import { isDeepStrictEqual } from 'node:util';
import { countText, instantText, intersect, MS_PER_HOUR, type TimeRange } from '@edrlake/core';
import { listRunIds } from '../journal/journal-file.ts';
import { readExportLines } from './journal.ts';
import type { ExportReport, StalledWindow } from './types.ts';

/** Journals looked at, newest first. */
const MAX_JOURNALS_READ = 100;

/** From how many attempts on a window makes no progress. */
const STALLED_ATTEMPTS = 3;

/** Attempts within this time are one: those of a task that is tried again at once. */
const ONE_ATTEMPT_MS = MS_PER_HOUR;

/** What says nothing about a window: the run ended before it, or the gateway was out of reach. */
const NOT_ASKED = new Set([
  ...['LIMIT_REACHED', 'INTERRUPTED', 'RATE_LIMITED', 'HOST_UNREACHABLE'],
  ...['PROXY_UNREACHABLE', 'PROXY_REFUSED', 'LAKE_UNWRITABLE'],
]);

/** A window without a proof, and what came of it: equal answers are no progress. */
interface OpenWindow {
  readonly windowId: string;
  readonly range: TimeRange;
  readonly answer: string;
  readonly reason: string;
}

/**
 * The windows of a report that this and at least two earlier runs asked for, each time without a proof and with the
 * same answer. A run that is resumed has a report for each time. Reads journals only where the report has such windows.
 * @param report of a run that ends at `atMs`; not in its journal yet
 */
export async function stalledWindows(
  runsDirectory: string,
  report: Pick<ExportReport, 'request' | 'windows'>,
  atMs: number,
): Promise<readonly StalledWindow[]> {
  const open = openWindows(report);
  if (open.length === 0) return [];
  const counted = open.map((window) => ({ window, attempts: 1, sinceMs: atMs, isOver: false }));
  for (const runId of (await listRunIds(runsDirectory)).slice(0, MAX_JOURNALS_READ)) {
    for (const line of (await readExportLines(runsDirectory, runId)).toReversed()) {
      if (line.type !== 'finish') continue;
      const { request } = line.report;
      if (request.axis !== report.request.axis || !isDeepStrictEqual(request.scope, report.request.scope)) continue;
      const earlier = openWindows(line.report);
      for (const one of counted) {
        const same = earlier.find(({ range }) => intersect(range, one.window.range) !== null);
        if (one.isOver || same === undefined) continue;
        // Another answer to the same question: something has changed since.
        if (same.windowId === one.window.windowId && same.answer !== one.window.answer) one.isOver = true;
        else if (one.sinceMs - line.atMs >= ONE_ATTEMPT_MS) {
          one.attempts += 1;
          one.sinceMs = line.atMs;
        }
      }
    }
  }
  return counted
    .filter(({ attempts }) => attempts >= STALLED_ATTEMPTS)
    .map(({ window: { range, reason }, attempts }) => ({ range, attempts, reason }));
}

function openWindows({ windows }: Pick<ExportReport, 'windows'>): readonly OpenWindow[] {
  const { mismatched, failed, unverified = [] } = windows;
  return [
    ...mismatched.map(({ windowId, range, counted, fetched, distinct }) => {
      const came = `${countText(fetched)} records of ${countText(distinct)} ids came`;
      const reason = `the API counts ${countText(counted)}, ${came}`;
      return { windowId, range, answer: `${counted} ${fetched} ${distinct}`, reason };
    }),
    ...[...failed, ...unverified]
      .filter(({ code }) => !NOT_ASKED.has(code))
      .map(({ windowId, range, message, fetched = 0 }) => {
        return { windowId, range, answer: String(fetched), reason: message };
      }),
  ];
}

/** A stalled window as a sentence without its full stop. */
export function stalledText({ range, attempts, reason }: StalledWindow): string {
  const span = `${instantText(range.startMs)} to ${instantText(range.endMs)}`;
  return `${span} was asked for ${countText(attempts)} times without a new event: ${reason}`;
}
