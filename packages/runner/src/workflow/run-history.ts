import { EdrlakeError } from '@edrlake/core';
import type { ExportReport } from '../export-types.ts';
import { listRunIds } from '../run-journal.ts';
import { type Liveness, type RunOwner, readLines } from './pipeline-journal.ts';
import { foldLines, type RunState } from './run-state.ts';
import { type RunReport, type RunStanding, type RunSummary, viewRun } from './run-view.ts';

/** Journals that a search for one run opens at most, newest first. */
const MAX_JOURNALS_SEARCHED = 1_000;

type Alive = Liveness['isOwnerAlive'];

/** The newest runs of a lake, newest first: of pipelines, and exports with a journal of their own. */
export async function listRuns(
  runsDirectory: string,
  { limit, isOwnerAlive }: { readonly limit: number; readonly isOwnerAlive: Alive },
): Promise<readonly RunSummary[]> {
  const summaries: RunSummary[] = [];
  for (const runId of await listRunIds(runsDirectory)) {
    if (summaries.length >= limit) break;
    const report = viewLines(runId, await readLines(runsDirectory, runId), isOwnerAlive);
    // A journal without its first line is of a run that never got to do anything.
    if (report !== null) summaries.push(summaryOf(report));
  }
  return summaries;
}

/** The newest run, or the run of the pipeline that it is a part of; null where there was none. */
export async function lastRun(
  runsDirectory: string,
  liveness: { readonly isOwnerAlive: Alive },
): Promise<RunSummary | null> {
  const [newest = null] = await listRuns(runsDirectory, { limit: 1, ...liveness });
  if (newest === null || newest.partOf === null) return newest;
  // The journal of the pipeline may have been removed by hand.
  return readRun(runsDirectory, newest.partOf, liveness).then(summaryOf, () => newest);
}

/**
 * A run in full: tasks, tries, durations, requests, rows, errors.
 * @throws {EdrlakeError} `RUN_MISSING` when there is no such run.
 */
export async function readRun(
  runsDirectory: string,
  runId: string,
  { isOwnerAlive }: { readonly isOwnerAlive: Alive },
): Promise<RunReport> {
  const report = viewLines(runId, await readLines(runsDirectory, runId), isOwnerAlive);
  if (report !== null) return report;
  throw new EdrlakeError('RUN_MISSING', `there is no run ${runId}`, { hint: 'List the runs to see their ids.' });
}

/**
 * When the newest run of a pipeline started that came to its end with all work done, a mismatch included; null where there
 * is none among the newest journals. What it did holds for everything due until then.
 */
export async function lastSuccessAtMs(runsDirectory: string, pipeline: string): Promise<number | null> {
  for (const runId of (await listRunIds(runsDirectory)).slice(0, MAX_JOURNALS_SEARCHED)) {
    const state = foldLines(await readLines(runsDirectory, runId));
    if (state?.pipeline === pipeline && (state.end === 'done' || state.end === 'mismatch')) return state.startedAtMs;
  }
  return null;
}

function viewLines(runId: string, lines: readonly { readonly type: string }[], isAlive: Alive): RunReport | null {
  const state = foldLines(lines);
  if (state === null) return viewExport(runId, lines as readonly ExportLine[], isAlive);
  return viewRun(runId, state, isWorking(state, isAlive));
}

function isWorking(state: RunState, isAlive: Alive): boolean {
  const owner = state.legs.at(-1)?.owner;
  return state.end === null && owner !== undefined && isAlive(owner);
}

/** The lines of an export's journal, as far as the history reads them. */
interface ExportLine {
  readonly type: string;
  readonly atMs?: number;
  readonly owner?: RunOwner;
  readonly partOf?: string;
  readonly code?: string;
  readonly message?: string;
  readonly report?: ExportReport;
}

function viewExport(runId: string, lines: readonly ExportLine[], isAlive: Alive): RunReport | null {
  const starts = lines.filter(({ type }) => type === 'start');
  const [first] = starts;
  if (first?.atMs === undefined) return null;
  const last = lines.at(-1);
  const owner = starts.at(-1)?.owner;
  // One that failed in parts is resumed after it has finished.
  const reports = lines.flatMap(({ report }) => report ?? []);
  const state = exportStanding(last, owner !== undefined && isAlive(owner));
  const lastAtMs = lines.reduce((newest, { atMs }) => Math.max(newest, atMs ?? 0), first.atMs);
  return {
    runId,
    kind: 'export',
    pipeline: null,
    partOf: first.partOf ?? null,
    state,
    startedAtMs: first.atMs,
    endedAtMs: state === 'running' ? null : lastAtMs,
    durationMs: activeMs(lines),
    requests: reports.length === 0 ? null : reports.reduce((sum, { requestsMade }) => sum + requestsMade, 0),
    rows: reports.length === 0 ? null : reports.reduce((sum, { events }) => sum + events.new + events.changed, 0),
    error: last?.type === 'stop' ? { code: last.code ?? 'BUG', message: last.message ?? '' } : null,
    params: {},
    starts: starts.length,
    tasks: [],
    hooks: [],
  };
}

function exportStanding(last: ExportLine | undefined, alive: boolean): RunStanding {
  if (last?.report !== undefined) return last.report.outcome;
  if (last?.type === 'stop') return last.code === 'INTERRUPTED' ? 'interrupted' : 'failed';
  return alive ? 'running' : 'died';
}

/** From each start to the last sign of life before the next one. */
function activeMs(lines: readonly ExportLine[]): number {
  let total = 0;
  let startedAtMs: number | null = null;
  let newestAtMs = 0;
  for (const { type, atMs } of lines) {
    if (atMs === undefined) continue;
    if (type === 'start') {
      if (startedAtMs !== null) total += newestAtMs - startedAtMs;
      startedAtMs = atMs;
    }
    newestAtMs = atMs;
  }
  return startedAtMs === null ? 0 : total + newestAtMs - startedAtMs;
}

function summaryOf(report: RunReport): RunSummary {
  const { params: _params, starts: _starts, tasks: _tasks, hooks: _hooks, ...summary } = report;
  return summary;
}
