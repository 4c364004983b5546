import { join } from 'node:path';
import { type SpooledPage, sum, systemProcesses } from '@edrlake/core';
import { openJournal } from '../journal/journal-file.ts';
import type { JournalLine, RunJournal, RunSubject } from '../run/journal.ts';
import { askNewestRuns } from '../run/newest-runs.ts';
import {
  askedPageSize,
  type LearnedPageSize,
  type LearnedResultWindow,
  learnedPageSize,
  learnedResultWindow,
} from '../run/page-sizes.ts';
import { DEFAULT_MAX_REJECT_SHARE } from '../run/reject-share.ts';
import { type EarlierPlan, type UnfinishedRun, unfinishedRun } from '../run/resume.ts';
import type { RunContext, RunPlan } from '../run/run-context.ts';
import { runLiveness } from '../run/run-liveness.ts';
import type { ExportEndpoints, ExportOptions, ExportRequest, ExportSelection, RunServices } from '../run/types.ts';

/** A run whose journal is open. Close the journal when the run has ended. */
export interface StartedRun {
  readonly run: RunContext;
  readonly journal: RunJournal;
  /** Writes the result window to the journal where it has changed since. */
  readonly recordReach: () => Promise<void>;
  /** What an earlier process left of this run; null for a new one. */
  readonly resumed: ResumedRun | null;
  /** When this process began to work on the run, and how many requests had been made by then. */
  readonly began: { readonly atMs: number; readonly requestsMade: number };
}

/** What an earlier process left of a run. */
interface ResumedRun {
  /** The plan of its pages. */
  readonly plan: RunPlan | null;
  /** The same, or null where the run has to be planned again. */
  readonly reusablePlan: RunPlan | null;
  /** Durable pages by window id; their checksums are not yet verified. */
  readonly pages: ReadonlyMap<string, readonly SpooledPage[]>;
  /** What the source has shown to them. */
  readonly earlier: readonly EarlierPlan[];
}

/**
 * Starts a run, or resumes the newest run of the same source, page size and request that is unfinished or in which
 * windows failed.
 * @throws {EdrlakeError} `RUN_BUSY` when another live process works on it.
 */
export async function startRun(
  ends: ExportEndpoints,
  request: ExportRequest,
  options: ExportOptions,
  services: RunServices,
): Promise<StartedRun> {
  const { source, lake } = ends;
  const nowMs = services.clock.nowMs();
  const runsDirectory = join(lake.directory, '_runs');
  const subject: RunSubject = { source: source.name, pageSize: askedPageSize(source), request: selectionOf(request) };
  const liveness = runLiveness(lake.lease, services.emit);
  const [learned, learnedWindow, unfinished] = await askNewestRuns(
    runsDirectory,
    learnedPageSize(source, nowMs),
    learnedResultWindow(source, nowMs),
    options.force ? () => null : unfinishedRun(subject, liveness, nowMs),
  );
  const runId = unfinished?.runId ?? services.newRunId;
  const journal = await openJournal<JournalLine>(runsDirectory, runId, 'continue');
  const { partOf } = services;
  const owner = lake.lease?.owner ?? systemProcesses.current();
  await journal.append({ type: 'start', atMs: nowMs, owner, subject, ...(partOf && { partOf }) });
  await usePageSize(learned, source, journal, services);
  if (learnedWindow !== null) source.resultWindow?.lowerTo(learnedWindow.resultWindow);
  const recordReach = reachRecorder(source, journal, services, learnedWindow);
  await recordReach();
  if (unfinished) services.emit({ type: 'resumed', runId, pagesReused: countPages(unfinished.pages) });
  const run: RunContext = {
    ...ends,
    runId,
    startedAtMs: unfinished?.startedAtMs ?? nowMs,
    request,
    options,
    services,
    maxRejectShare: options.maxRejectShare ?? DEFAULT_MAX_REJECT_SHARE,
    spoolDirectory: join(lake.directory, '_spool', runId),
  };
  const resumed = unfinished && {
    plan: unfinished.plan,
    reusablePlan: reusablePlan(unfinished),
    pages: unfinished.pages,
    earlier: unfinished.earlier,
  };
  return { run, journal, recordReach, resumed, began: { atMs: nowMs, requestsMade: ends.requestsMade() } };
}

/** A request without its known counts: they differ each time, and the same request resumes its run. */
export function selectionOf({ axis, ranges, scope }: ExportRequest): ExportSelection {
  return { axis, ranges: ranges.map(({ range }) => range), scope };
}

/** A plan without its time does not say what was in the past; a plan with uncounted ranges is incomplete. */
function reusablePlan({ plan }: UnfinishedRun): RunPlan | null {
  const isWhole = plan?.asOfMs !== undefined && plan.request !== undefined && (plan.uncounted ?? []).length === 0;
  return isWhole ? plan : null;
}

/** Goes on with the page size that an earlier run learned, and records it for later runs. */
async function usePageSize(
  learned: LearnedPageSize | null,
  source: ExportEndpoints['source'],
  journal: RunJournal,
  { clock, emit }: RunServices,
): Promise<void> {
  if (learned !== null && learned.pageSize < source.pageSize && source.pageSizing !== undefined) {
    source.pageSizing.lowerTo(learned.pageSize);
    emit({ type: 'page-size', asked: source.pageSizing.asked, given: learned.pageSize });
  }
  const { pageSize } = source;
  if (pageSize >= askedPageSize(source)) return;
  const atMs = clock.nowMs();
  const learnedAtMs = learned?.pageSize === pageSize ? learned.learnedAtMs : atMs;
  await journal.append({ type: 'page-size', atMs, pageSize, learnedAtMs });
}

/** Records how far the gateway pages, for later runs, once it is known to be less than asked for. */
function reachRecorder(
  source: ExportEndpoints['source'],
  journal: RunJournal,
  { clock }: RunServices,
  learned: LearnedResultWindow | null,
): () => Promise<void> {
  let recorded: number | null = null;
  return async () => {
    const { asked = 0, given: resultWindow = 0 } = source.resultWindow ?? {};
    if (resultWindow >= asked || resultWindow === recorded) return;
    recorded = resultWindow;
    const atMs = clock.nowMs();
    const learnedAtMs = learned?.resultWindow === resultWindow ? learned.learnedAtMs : atMs;
    await journal.append({ type: 'result-window', atMs, asked, resultWindow, learnedAtMs });
  };
}

function countPages(pages: ReadonlyMap<string, readonly SpooledPage[]>): number {
  return sum([...pages.values()], ({ length }) => length);
}
