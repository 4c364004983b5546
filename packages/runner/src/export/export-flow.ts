import {
  type EdrlakeError,
  type FetchedWindow,
  intersect,
  type PlannedWindow,
  type SpooledPage,
  type Window,
  type WindowProof,
} from '@edrlake/core';
import { recordShapeOf } from '@edrlake/flattener';
import { type FailedWindow, fetchWindows } from '@edrlake/pager';
import { doubtOfZeros } from '../doubt/doubt-zeros.ts';
import { doubtOfFewer } from '../doubt/fewer-than-held.ts';
import { doubtOfFewerThanListed } from '../doubt/fewer-than-listed.ts';
import { type Doubt, dividedAtHorizon, doubtBeyondHorizon, inOrderOfLoss } from '../horizon/guard-windows.ts';
import { noteAllowance } from '../horizon/learned-horizon.ts';
import type { RunJournal } from '../run/journal.ts';
import { knownClocks } from '../run/read-clocks.ts';
import { pagesOfSameListing } from '../run/resume.ts';
import type { RunPlan } from '../run/run-context.ts';
import type { ExportEndpoints, ExportOptions, ExportReport, ExportRequest, RunServices } from '../run/types.ts';
import { batchPipeline } from './batch-pipeline.ts';
import { batchBytesOf } from './batch-session.ts';
import { batchWindows } from './batch-windows.ts';
import { commitUnverified } from './commit-batch.ts';
import { finishRun, stopRun } from './finish-run.ts';
import { planExport, runPlanOf } from './plan-export.ts';
import { contradictionOf, type ProvenRanges, provenRanges } from './prove-window.ts';
import { stillValid } from './resumed-plan.ts';
import { limitsOf } from './run-limits.ts';
import { addFailed, addLeft, newTally, type RunTally } from './run-tally.ts';
import { coveredWindows } from './skip-covered.ts';
import { type StartedRun, startRun } from './start-run.ts';

/**
 * Brings all events of a request into the lake: plan → fetch → flatten → write → commit, each event exactly once.
 *
 *     startRun          resumes an unfinished run or begins one; opens its journal
 *     stillValid        keeps the plan of a resumed run if the API still counts the same
 *     dividedAtHorizon  divides ranges where the API begins to answer
 *     planExport        requested ranges → windows, from counts
 *     coveredWindows    drops windows that the lake already proves
 *     limitsOf          the windows that a run with limits may still fetch
 *     fetchWindows      windows → pages in the spool, several windows at once (pager)
 *     batchWindows      fetched windows → batches, bounded by bytes
 *     batchPipeline     one batch at a time: flattenBatch (flattener), then commitBatch (lake); one of the two writers
 *                       does the work of both (batch-session.ts)
 *     finishRun         writes the report to the journal
 *
 * Safe to run again at any time. A run that died is resumed with its complete pages, and with its plan if the API still
 * counts the same. Windows that the lake already proves are not fetched, and events that it already holds are not
 * written. The report lists windows that failed or whose counts disagree; all others are committed.
 *
 * @throws {EdrlakeError} what stops every window: a refused login or filter, an unwritable lake, an interrupt. Earlier
 * commits remain. Windows that are complete by then are committed first, except after an interrupt.
 */
export async function exportRange(
  ends: ExportEndpoints,
  request: ExportRequest,
  options: ExportOptions,
  services: RunServices,
): Promise<ExportReport> {
  const started = await startRun(ends, request, options, services);
  const { journal, resumed } = started;
  try {
    const { reusablePlan = null } = resumed ?? {};
    const earlier = reusablePlan && (await stillValid(reusablePlan, request, ends.source, services));
    const parts = earlier === null ? await dividedAtHorizon(ends, request, services) : request;
    const { version: countedAtVersion } = await ends.lake.snapshot();
    const plan = earlier ?? { ...runPlanOf(await planExport(ends.source, parts, services)), countedAtVersion };
    await recordPlan(plan, started);
    const covered = options.force ? new Set<PlannedWindow>() : await coveredWindows(plan.windows, request, ends.lake);
    const wanted = plan.windows.filter((planned) => !covered.has(planned));
    // A zero is a single number until its first page is empty: empty windows are fetched even if they are proven.
    const windows = inOrder(wanted, plan.emptyWindows);
    const tally = newTally(plan, await committedEarlier(started, windows), started.run.maxRejectShare);
    recordSkipped(covered, tally, services);
    const hasZeros = plan.events === 0 || plan.emptyWindows.length > 0;
    const hasCounted = plan.events > 0 || (plan.uncounted ?? []).length > 0;
    const doubt = hasZeros ? await doubtOfZeros(started.run, hasCounted) : null;
    if (doubt === null) await fetchWithinLimits(started, tally, windows);
    else await leaveUnverified(started, tally, windows, doubt);
    return await finishRun(started, tally);
  } catch (thrown) {
    throw await stopRun(journal, thrown, services);
  } finally {
    await journal.close();
  }
}

/** Fetches no window: those without events are unverified, and those with events have failed. */
async function leaveUnverified(
  { run, journal }: StartedRun,
  tally: RunTally,
  windows: readonly PlannedWindow[],
  error: EdrlakeError,
): Promise<void> {
  const failed = windows.map((planned): FailedWindow => ({ ...planned, verdict: 'failed', error, partial: null }));
  for (const { window } of failed) sayFailed(run.services, window, error);
  addFailed(tally, failed);
  await recordFailed(failed, journal);
  await commitUnverified(
    run,
    tally.plan,
    failed.filter(({ count }) => count === 0),
  );
}

function sayFailed({ emit }: RunServices, { id, range }: Window, { code, message }: EdrlakeError): void {
  emit({ type: 'window-failed', windowId: id, range, code, message });
}

/** Finds the fetched windows that the lake or time contradicts. What came of them is stored, without a proof. */
function withoutContradicted(
  fetched: readonly FetchedWindow[],
  proven: ProvenRanges,
  doubts: readonly Doubt[],
): { readonly windows: readonly FetchedWindow[]; readonly contradicted: readonly FailedWindow[] } {
  const windows: FetchedWindow[] = [];
  const contradicted: FailedWindow[] = [];
  for (const each of fetched) {
    const contradictions = [contradictionOf(each, proven), ...doubts.map((doubt) => doubt(each))];
    const error = contradictions.find((found) => found !== null);
    if (error === undefined || each.verdict !== 'complete') {
      windows.push(each);
      continue;
    }
    const partial = each.recordCount === 0 ? null : ({ ...each, verdict: 'incomplete' } as const);
    contradicted.push({ window: each.window, count: each.count, verdict: 'failed', error, partial });
    if (partial !== null) windows.push(partial);
  }
  return { windows, contradicted };
}

/**
 * Fetches windows; where the run has limits, what will be lost first and then the newest, a few at a time, and what the
 * limits leave is for the next run. Without limits the oldest is first, which is lost first.
 */
async function fetchWithinLimits(
  started: StartedRun,
  tally: RunTally,
  windows: readonly PlannedWindow[],
): Promise<void> {
  const limits = limitsOf(started);
  if (limits === null) return fetchAndCommit(started, tally, windows);
  const { lake, source, options, services, request } = started.run;
  const { maxRequests = null } = options;
  const { nowMs } = knownClocks(source, services);
  const about = { lake, nowMs, maxRequests, axis: request.axis, pageSize: source.pageSize };
  const { windows: ordered, skips } = await inOrderOfLoss(windows, about);
  if (maxRequests !== null) await noteAllowance(lake, maxRequests, services);
  let left = ordered;
  for (let next = limits.next(left, skips); next.length > 0; next = limits.next(left, skips)) {
    await fetchAndCommit(started, tally, next);
    const asked = new Set(next);
    left = left.filter((planned) => !asked.has(planned));
  }
  if (left.length === 0) return;
  const error = limits.error();
  addLeft(tally, left, error);
  await recordFailed(
    left.map((planned): FailedWindow => ({ ...planned, verdict: 'failed', error, partial: null })),
    started.journal,
  );
}

/** Fetches windows and commits them batch by batch, in the order in which they arrive. */
async function fetchAndCommit(
  { run, journal, recordReach, resumed }: StartedRun,
  tally: RunTally,
  windows: readonly PlannedWindow[],
): Promise<void> {
  const { clock, emit, signal } = run.services;
  const { concurrency } = run.options;
  const batchBytes = batchBytesOf(run);
  const fetched = fetchWindows(run.source, windows, {
    spoolDirectory: run.spoolDirectory,
    shape: recordShapeOf(run.lake.dataset),
    concurrency,
    maxSpooledBytes: batchBytes,
    resume: usablePages(resumed, tally.plan),
    onPage: async (page) => {
      await recordReach();
      await journal.append({ type: 'page', atMs: clock.nowMs(), page });
    },
    onPageSize: (pageSize) => recordPageSize(pageSize, journal, clock.nowMs()),
    emit,
    signal,
  });
  const pipeline = batchPipeline(run, journal, tally);
  const unverified: FailedWindow[] = [];
  try {
    const proven = provenRanges(run.options.replace ? [] : (await run.lake.snapshot()).proofs);
    const beyondHorizon = await doubtBeyondHorizon(run);
    const fewerThanHeld = await doubtOfFewer(run, tally.plan);
    const fewerThanListed = doubtOfFewerThanListed(run, resumed?.earlier ?? []);
    for await (const { windows: whole, failed: lost } of batchWindows(fetched, batchBytes, signal)) {
      const doubts = [beyondHorizon, await fewerThanHeld(whole), fewerThanListed];
      const { windows, contradicted } = withoutContradicted(whole, proven, doubts);
      const failed = [...lost, ...contradicted];
      for (const { window, error } of contradicted) sayFailed(run.services, window, error);
      addFailed(tally, failed);
      await recordFailed(failed, journal);
      unverified.push(...failed.filter(({ count }) => count === 0));
      if (windows.length > 0) await pipeline.submit(windows);
    }
    await pipeline.drain();
    await commitUnverified(run, tally.plan, unverified);
  } finally {
    await pipeline.close();
  }
}

/**
 * What earlier processes of a resumed run have committed, besides the windows that are fetched again: its share of
 * rejects is that of the whole run.
 */
async function committedEarlier(
  { run, resumed }: StartedRun,
  wanted: readonly PlannedWindow[],
): Promise<readonly WindowProof[]> {
  if (resumed === null) return [];
  const again = wanted.map(({ window }) => window.range);
  const committed = await run.lake.proofsOfRun(run.runId);
  return committed.filter(({ window }) => again.every((range) => intersect(range, window.range) === null));
}

/** Windows with events and windows without, oldest first. */
function inOrder(windows: readonly PlannedWindow[], emptyWindows: readonly Window[]): readonly PlannedWindow[] {
  const all = [...windows, ...emptyWindows.map((window) => ({ window, count: 0 }))];
  return all.sort((a, b) => a.window.range.startMs - b.window.range.startMs);
}

/** Durable pages of an earlier process: under another plan only those of windows with the same number of events. */
function usablePages(resumed: StartedRun['resumed'], plan: RunPlan): ReadonlyMap<string, readonly SpooledPage[]> {
  if (resumed === null) return new Map();
  return plan === resumed.plan ? resumed.pages : pagesOfSameListing(resumed.pages, resumed.plan, plan);
}

/** A new plan is in the journal before anything is fetched, so that a resumed run fetches the same windows. */
async function recordPlan(plan: RunPlan, { run, journal, resumed }: StartedRun): Promise<void> {
  const { clock, emit } = run.services;
  if (plan !== resumed?.reusablePlan) return journal.append({ type: 'plan', atMs: clock.nowMs(), ...plan });
  const { windows, emptyWindows, events, pages, planRequests } = plan;
  emit({ type: 'planned', windows: windows.length + emptyWindows.length, events, pages, planRequests });
}

function recordSkipped(covered: ReadonlySet<PlannedWindow>, tally: RunTally, { emit }: RunServices): void {
  for (const { window, count } of covered) {
    emit({ type: 'window-skipped', windowId: window.id, range: window.range, count });
  }
  tally.skipped = covered.size;
}

function recordPageSize(pageSize: number, journal: RunJournal, atMs: number): Promise<void> {
  return journal.append({ type: 'page-size', atMs, pageSize, learnedAtMs: atMs });
}

async function recordFailed(windows: readonly FailedWindow[], journal: RunJournal): Promise<void> {
  for (const { window, error } of windows) {
    const { code, message } = error;
    await journal.append({ type: 'window-failed', windowId: window.id, code, message });
  }
}
