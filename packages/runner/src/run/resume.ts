import { isDeepStrictEqual } from 'node:util';
import { EdrlakeError, isoInstant, MS_PER_HOUR, type ProcessOwner, type SpooledPage } from '@edrlake/core';
import type { JournalLine, RunSubject } from './journal.ts';
import { askNewestRuns, type RunQuestion } from './newest-runs.ts';
import type { RunLiveness } from './run-liveness.ts';
import type { ExportSelection } from './types.ts';

/** Older spools are not resumed: too much may have changed at the source since then. */
const RESUMABLE_AGE_MS = 24 * MS_PER_HOUR;

/** What an unfinished run left behind, or a finished run in which windows failed. */
export interface UnfinishedRun {
  readonly runId: string;
  readonly subject: RunSubject;
  readonly startedAtMs: number;
  /** null where the run ended before its plan was complete. */
  readonly plan: Extract<JournalLine, { type: 'plan' }> | null;
  /** Durable pages by window id. Their checksums are verified before use. */
  readonly pages: ReadonlyMap<string, readonly SpooledPage[]>;
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

function pagesByWindow(lines: readonly JournalLine[]): Map<string, SpooledPage[]> {
  const pages = new Map<string, Map<string, SpooledPage>>();
  for (const line of lines) {
    if (line.type !== 'page') continue;
    const ofWindow = pages.get(line.page.windowId) ?? new Map<string, SpooledPage>();
    const { pageNumber, way } = line.page;
    // A page that was fetched again in the same way replaces the older one.
    ofWindow.set(`${pageNumber}/${way?.pageSize}/${way?.reversed}`, line.page);
    pages.set(line.page.windowId, ofWindow);
  }
  return new Map([...pages].map(([windowId, byNumber]) => [windowId, [...byNumber.values()]]));
}
