import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import { type AnyLine, listRunIds, readJournal } from '../journal/journal-file.ts';
import { foldLines, type RunLook, type RunState } from '../workflow/state/run-state.ts';
import { isFinished } from '../workflow/state/run-status.ts';
import { type LostWork, viewRun } from '../workflow/state/run-view.ts';
import { type ExportLine, lostWork, viewExport } from './export-view.ts';
import { type RunReport, type RunSummary, runReportOf } from './run-report.ts';

/** How many journals a search for one run opens at most, newest first. */
const MAX_JOURNALS_SEARCHED = 1_000;

const NOTHING_LOST: ReadonlyMap<string, LostWork> = new Map();

/** The newest runs of a lake, newest first: pipelines, and exports with a journal of their own. */
export async function listRuns(
  runsDirectory: string,
  { limit, ...look }: { readonly limit: number } & RunLook,
): Promise<readonly RunSummary[]> {
  const read: { readonly runId: string; readonly lines: Lines }[] = [];
  const lost = lossBook();
  for (const runId of await listRunIds(runsDirectory)) {
    // Exports of a pipeline begin in the same second or later, so their lost work is known when the journals of that
    // second are read.
    const oldest = read[limit - 1]?.runId;
    if (oldest !== undefined && secondOf(runId) < secondOf(oldest)) break;
    const lines = await readJournal(runsDirectory, runId);
    lost.note(lines);
    // A journal without its first line belongs to a run that did nothing.
    if (lines.some(({ type }) => type === 'start' || type === 'pipeline-start')) read.push({ runId, lines });
  }
  const reports: RunReport[] = [];
  for (const { runId, lines } of read.slice(0, limit)) {
    const report = await viewLines(runId, lines, look, lost.of(runId));
    if (report !== null) reports.push(report);
  }
  return reports.map(summaryOf);
}

/** The newest run, or the pipeline run that it is a part of; null without any. */
export async function lastRun(runsDirectory: string, look: RunLook): Promise<RunSummary | null> {
  const [newest = null] = await listRuns(runsDirectory, { limit: 1, ...look });
  if (newest === null || newest.partOf === null) return newest;
  // A user may have removed the journal of the pipeline.
  return readRun(runsDirectory, newest.partOf, look).then(summaryOf, () => newest);
}

/**
 * A run in full: tasks, attempts, durations, requests, rows, errors.
 * @throws {EdrlakeError} `RUN_MISSING` when there is no such run.
 */
export async function readRun(runsDirectory: string, runId: string, look: RunLook): Promise<RunReport> {
  const lines = await readJournal(runsDirectory, runId);
  const lost = foldLines(lines) === null ? NOTHING_LOST : await readLostWork(runsDirectory, runId);
  const report = await viewLines(runId, lines, look, lost);
  if (report !== null) return report;
  throw new EdrlakeError('RUN_MISSING', `there is no run ${runId}`, { hint: 'List them with their ids: edrlake runs' });
}

/**
 * What attempts of the tasks of a pipeline did without leaving a result, by task. The journals of their exports say it.
 */
export async function readLostWork(runsDirectory: string, runId: string): Promise<ReadonlyMap<string, LostWork>> {
  const lost = lossBook();
  const younger = (await listRunIds(runsDirectory)).filter((id) => secondOf(id) >= secondOf(runId) && id !== runId);
  for (const id of younger.slice(-MAX_JOURNALS_SEARCHED)) lost.note(await readJournal(runsDirectory, id));
  return lost.of(runId);
}

/**
 * When the newest run of a pipeline started in which all work was done, a mismatch included; null if the newest
 * journals have none. The work of that run covers every due time until then.
 */
export async function lastSuccessAtMs(runsDirectory: string, pipeline: string): Promise<number | null> {
  for (const runId of (await listRunIds(runsDirectory)).slice(0, MAX_JOURNALS_SEARCHED)) {
    const state = foldLines(await readJournal(runsDirectory, runId));
    if (state?.pipeline === pipeline && isFinished(state.end)) return state.startedAtMs;
  }
  return null;
}

/**
 * An id begins with the second of its creation. The rest of it makes ids of one second distinct, but gives no order.
 */
function secondOf(runId: string): string {
  return runId.split('-')[0] ?? runId;
}

/** How many of the newest journals may be at work. */
const MAX_AT_WORK = 16;

/** Changes whenever a run begins or a journal of the newest runs grows. */
export async function runsFingerprint(runsDirectory: string): Promise<string> {
  const newest = (await listRunIds(runsDirectory)).slice(0, MAX_AT_WORK);
  const sizes = newest.map(async (runId) => {
    const { size } = await stat(join(runsDirectory, `${runId}.jsonl`)).catch(() => ({ size: 0 }));
    return `${runId} ${size}`;
  });
  return (await Promise.all(sizes)).join('\n');
}

type Lines = readonly AnyLine[];

async function viewLines(
  runId: string,
  lines: Lines,
  { isOwnerAlive, askEngine }: RunLook,
  lost: ReadonlyMap<string, LostWork>,
): Promise<RunReport | null> {
  const state = foldLines(lines);
  if (state === null) return viewExport(runId, lines as readonly ExportLine[], isOwnerAlive);
  const { engine, end, workflow } = state;
  // Processes that work for an engine go on when a run has ended: that one is alive says nothing of this run.
  const engineStatus = engine !== null && end === null ? ((await askEngine?.(workflow)) ?? 'unknown') : null;
  return runReportOf(viewRun(runId, state, isWorking(state, isOwnerAlive), lost, engineStatus));
}

/** Collects from the journals of exports the work of attempts that left no result; by run and task. */
function lossBook() {
  const byRun = new Map<string, Map<string, LostWork>>();
  return {
    note(lines: Lines): void {
      for (const { partOf, requests, activeMs, lastAtMs } of lostWork(lines as readonly ExportLine[])) {
        const ofRun = byRun.get(partOf.runId) ?? new Map<string, LostWork>();
        const before = ofRun.get(partOf.task);
        ofRun.set(partOf.task, {
          requests: requests + (before?.requests ?? 0),
          activeMs: activeMs + (before?.activeMs ?? 0),
          lastAtMs: Math.max(lastAtMs, before?.lastAtMs ?? 0),
        });
        byRun.set(partOf.runId, ofRun);
      }
    },
    of: (runId: string): ReadonlyMap<string, LostWork> => byRun.get(runId) ?? NOTHING_LOST,
  };
}

function isWorking(state: RunState, isAlive: RunLook['isOwnerAlive']): boolean {
  const owner = state.legs.at(-1)?.owner;
  return state.end === null && owner !== undefined && isAlive(owner);
}

function summaryOf(report: RunReport): RunSummary {
  const { params: _params, starts: _starts, tasks: _tasks, hooks: _hooks, ...summary } = report;
  return summary;
}
