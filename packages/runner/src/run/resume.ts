import { isDeepStrictEqual } from 'node:util';
import {
  EdrlakeError,
  type ErrorCode,
  isoInstant,
  MS_PER_HOUR,
  type ProcessOwner,
  type SpooledPage,
  sum,
  type TimeRange,
} from '@edrlake/core';
import type { JournalLine, RunSubject } from './journal.ts';
import { askNewestRuns, type RunQuestion } from './newest-runs.ts';
import type { RunPlan } from './run-context.ts';
import type { RunLiveness } from './run-liveness.ts';
import type { ExportSelection } from './types.ts';

/** Older spools are not resumed: too much may have changed at the source since then. */
const RESUMABLE_AGE_MS = 24 * MS_PER_HOUR;

const VANISHED: ErrorCode = 'EVENTS_VANISHED';

/** A plan of an earlier process of a run, and what the source showed under it. */
export interface EarlierPlan {
  /** `listed` are the records of its pages in the journal. */
  readonly windows: readonly { readonly range: TimeRange; readonly counted: number; readonly listed: number }[];
}

/** What an unfinished run left behind, or a finished run in which windows failed. */
export interface UnfinishedRun {
  readonly runId: string;
  readonly subject: RunSubject;
  readonly startedAtMs: number;
  /** null where the run ended before its plan was complete. */
  readonly plan: Extract<JournalLine, { type: 'plan' }> | null;
  /** Durable pages by window id. Their checksums are verified before use. */
  readonly pages: ReadonlyMap<string, readonly SpooledPage[]>;
  /** All plans of the run, oldest first. */
  readonly earlier: readonly EarlierPlan[];
}

/**
 * Asks for the newest run of the same subject, if its process is dead and it is unfinished or some of its windows
 * failed; else null.
 * @throws {EdrlakeError} `RUN_BUSY` when the process of such a run is alive: both would fetch the same pages.
 */
export function unfinishedRun(
  subject: RunSubject,
  isOwnerAlive: RunLiveness,
  nowMs: number,
): RunQuestion<UnfinishedRun> {
  return unfinishedWhere((candidate) => isDeepStrictEqual(candidate, subject), isOwnerAlive, nowMs);
}

/**
 * What the newest run on one axis of one source was to fetch, if it is unfinished; else null. A sync freezes a new end
 * each time, so only its axis and scope identify it.
 * @throws {EdrlakeError} `RUN_BUSY` as above
 */
export async function findUnfinishedRequest(
  runsDirectory: string,
  subject: Omit<RunSubject, 'request'> & { readonly request: Omit<ExportSelection, 'ranges'> },
  isOwnerAlive: RunLiveness,
  nowMs: number,
): Promise<ExportSelection | null> {
  const { request, ...source } = subject;
  const isSame = (candidate: RunSubject) => {
    const { ranges: _, ...candidateRequest } = candidate.request;
    return isDeepStrictEqual({ ...candidate, request: candidateRequest }, { ...source, request });
  };
  const [found] = await askNewestRuns(runsDirectory, unfinishedWhere(isSame, isOwnerAlive, nowMs));
  return found?.subject.request ?? null;
}

function unfinishedWhere(
  isSame: (subject: RunSubject) => boolean,
  isOwnerAlive: RunLiveness,
  nowMs: number,
): RunQuestion<UnfinishedRun> {
  return async ({ runId, lines }) => {
    const starts = lines.filter((line) => line.type === 'start');
    const first = starts[0];
    const last = starts.at(-1);
    if (first === undefined || last === undefined) return undefined;
    if (!isSame(first.subject) || nowMs - first.atMs > RESUMABLE_AGE_MS) return undefined;
    const end = lines.at(-1);
    // Only the newest run of a subject can be resumed: a later run that finished has overtaken it. A run with failed
    // windows has pages of them, and is resumed for the rest.
    if (end?.type === 'finish' && end.report.outcome !== 'partly') return null;
    const stopped = end?.type === 'stop' || end?.type === 'finish';
    if (!stopped && (await isOwnerAlive(last.owner))) throw busy(runId, last.owner, last.atMs);
    return {
      runId,
      subject: first.subject,
      startedAtMs: first.atMs,
      plan: lines.findLast((line) => line.type === 'plan') ?? null,
      pages: pagesByWindow(lines),
      earlier: earlierPlans(lines),
    };
  };
}

function busy(runId: string, owner: ProcessOwner, sinceMs: number): EdrlakeError {
  return new EdrlakeError(
    'RUN_BUSY',
    `process ${owner.pid} has been exporting this range since ${isoInstant(sinceMs)}`,
    {
      context: { runId, pid: owner.pid },
      hint: `Wait for it, or stop process ${owner.pid} and run again: the new run resumes where it stopped.`,
    },
  );
}

/**
 * The pages of an earlier plan that may be used under a later one: those of windows with the same number of events in
 * both. Where the number changed, events came or left in between, and moved others from one page to another: pages of
 * two listings can add up and still lack an event. Parts of a window that was divided are in no plan, so their numbers
 * are unknown.
 */
export function pagesOfSameListing<T>(
  pages: ReadonlyMap<string, T>,
  earlier: RunPlan | null,
  later: RunPlan,
): Map<string, T> {
  const [before, after] = [earlier === null ? new Map<string, number>() : countsOf(earlier), countsOf(later)];
  return new Map([...pages].filter(([id]) => before.has(id) && before.get(id) === after.get(id)));
}

function countsOf({ windows, emptyWindows }: RunPlan): Map<string, number> {
  return new Map([
    ...windows.map(({ window, count }): [string, number] => [window.id, count]),
    ...emptyWindows.map(({ id }): [string, number] => [id, 0]),
  ]);
}

/** Pages of parts of a window that was divided are in no plan, and count for none. */
function earlierPlans(lines: readonly JournalLine[]): EarlierPlan[] {
  const listed = new Map<string, Map<string, Map<number, number>>>();
  for (const line of lines) {
    if (line.type !== 'page') continue;
    const { windowId, pageNumber, way, recordCount } = line.page;
    const ways = listed.get(windowId) ?? new Map<string, Map<number, number>>();
    const name = `${way?.pageSize}/${way?.reversed}`;
    ways.set(name, (ways.get(name) ?? new Map()).set(pageNumber, recordCount));
    listed.set(windowId, ways);
  }
  const listedOf = (windowId: string) =>
    Math.max(
      0,
      ...[...(listed.get(windowId)?.values() ?? [])].map((pages) => sum([...pages.values()], (some) => some)),
    );
  return lines.flatMap((line) => {
    if (line.type !== 'plan') return [];
    const windows = line.windows.map(({ window: { id, range }, count }) => {
      return { range, counted: count, listed: listedOf(id) };
    });
    return [{ windows }];
  });
}

function pagesByWindow(lines: readonly JournalLine[]): Map<string, SpooledPage[]> {
  let pages = new Map<string, Map<string, SpooledPage>>();
  let plan: RunPlan | null = null;
  for (const line of lines) {
    if (line.type === 'plan') {
      pages = pagesOfSameListing(pages, plan, line);
      plan = line;
    }
    // Its pages add up with a count that lacks what they lack: it must be asked for again.
    if (line.type === 'window-failed' && line.code === VANISHED) pages.delete(line.windowId);
    if (line.type !== 'page') continue;
    const ofWindow = pages.get(line.page.windowId) ?? new Map<string, SpooledPage>();
    const { pageNumber, way } = line.page;
    // A page that was fetched again in the same way replaces the older one.
    ofWindow.set(`${pageNumber}/${way?.pageSize}/${way?.reversed}`, line.page);
    pages.set(line.page.windowId, ofWindow);
  }
  return new Map([...pages].map(([windowId, byNumber]) => [windowId, [...byNumber.values()]]));
}
