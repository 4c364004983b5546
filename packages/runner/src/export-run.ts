import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Emit, type PlannedWindow, type SpooledPage, toEdrlakeError, type UnknownField } from '@edrlake/core';
import { currentOwner } from '@edrlake/lake';
import type {
  ExportEnds,
  ExportOptions,
  ExportReport,
  ExportRequest,
  FailedExportWindow,
  MismatchedWindow,
  RunServices,
} from './export-types.ts';
import { estimateRequests, planExport } from './plan-export.ts';
import { findUnfinishedRun } from './resume.ts';
import { openJournal, type RunSubject } from './run-journal.ts';
import type { BatchResult, ExportRun, RunPlan } from './run-types.ts';

/**
 * Starts a run, or resumes the newest unfinished one of the same source, page size and request.
 * @throws {EdrlakeError} `RUN_BUSY` when another live process works on it.
 */
export async function startRun(
  ends: ExportEnds,
  request: ExportRequest,
  options: ExportOptions,
  services: RunServices,
): Promise<ExportRun> {
  const { source, lake } = ends;
  const { clock, emit } = services;
  const runsDirectory = join(lake.directory, '_runs');
  await mkdir(runsDirectory, { recursive: true });
  const subject: RunSubject = { source: source.name, pageSize: source.pageSize, request };
  const nowMs = clock.nowMs();
  const unfinished = options.force ? null : await findUnfinishedRun(runsDirectory, subject, nowMs);
  const runId = unfinished?.runId ?? services.newRunId;
  const startedAtMs = unfinished?.startedAtMs ?? nowMs;
  const journal = await openJournal(runsDirectory, runId);
  await journal.append({ type: 'start', atMs: nowMs, owner: currentOwner(), subject });
  if (unfinished) emit({ type: 'resumed', runId, pagesReused: countPages(unfinished.pages) });

  const tally = newTally();
  const spoolDirectory = join(lake.directory, '_spool', runId);
  return {
    ...ends,
    runId,
    startedAtMs,
    request,
    options,
    services,
    spoolDirectory,
    spooledPages: unfinished?.pages ?? new Map(),
    plan: async () => {
      const plan = unfinished?.plan ?? (await newPlan(ends, request, services));
      if (plan === unfinished?.plan) emitPlanned(emit, plan, source.pageSize);
      else await journal.append({ type: 'plan', atMs: clock.nowMs(), ...plan });
      tally.plan = plan;
      return plan;
    },
    recordPage: (page) => journal.append({ type: 'page', page }),
    skip: (proven) => {
      for (const { window, count } of proven) {
        emit({ type: 'window-skipped', windowId: window.id, range: window.range, count });
      }
      tally.skipped = proven.size;
      return tally.plan.windows.filter((planned) => !proven.has(planned));
    },
    recordFailed: async (windows) => {
      for (const { window, error } of windows) {
        const failed = { windowId: window.id, range: window.range, code: error.code, message: error.message };
        tally.failed.push(failed);
        await journal.append({ type: 'window-failed', windowId: window.id, code: error.code, message: error.message });
      }
    },
    recordBatch: async (windows, result) => {
      addBatch(tally, result);
      const windowIds = windows.map(({ window }) => window.id);
      await journal.append({ type: 'commit', atMs: clock.nowMs(), version: result.commit.version, windowIds });
    },
    finish: async () => {
      const report = reportOf(tally, {
        runId,
        resumed: unfinished !== null,
        request,
        requestsMade: ends.requestsMade(),
        pageSize: source.pageSize,
        version: (await lake.snapshot()).version,
        startedAtMs,
        durationMs: clock.nowMs() - nowMs,
      });
      await rm(spoolDirectory, { recursive: true, force: true });
      await journal.append({ type: 'finish', atMs: clock.nowMs(), report });
      return report;
    },
    stop: async (thrown) => {
      const error = toEdrlakeError(thrown);
      await journal.append({ type: 'stop', atMs: clock.nowMs(), code: error.code, message: error.message });
      return error;
    },
    close: () => journal.close(),
  };
}

async function newPlan(ends: ExportEnds, request: ExportRequest, services: RunServices): Promise<RunPlan> {
  const { windowPlan } = await planExport(ends.source, request, services);
  const { windows, emptyWindows, events, planRequests } = windowPlan;
  return { windows, emptyWindows, events, planRequests };
}

/** What a resumed run plans; a new plan was reported by who made it. */
function emitPlanned(emit: Emit, { windows, events, planRequests }: RunPlan, pageSize: number): void {
  emit({ type: 'planned', windows: windows.length, events, pages: pagesOf(windows, pageSize), planRequests });
}

function pagesOf(windows: readonly PlannedWindow[], pageSize: number): number {
  return windows.reduce((sum, { count }) => sum + Math.ceil(count / pageSize), 0);
}

function countPages(pages: ReadonlyMap<string, readonly SpooledPage[]>): number {
  let count = 0;
  for (const ofWindow of pages.values()) count += ofWindow.length;
  return count;
}

interface Tally {
  plan: RunPlan;
  skipped: number;
  committed: number;
  fetched: number;
  rejected: number;
  newEvents: number;
  changedEvents: number;
  unchangedEvents: number;
  filesAdded: number;
  readonly failed: FailedExportWindow[];
  readonly mismatched: MismatchedWindow[];
  readonly unknownFields: Map<string, UnknownField>;
}

function newTally(): Tally {
  return {
    plan: { windows: [], emptyWindows: [], events: 0, planRequests: 0 },
    skipped: 0,
    committed: 0,
    fetched: 0,
    rejected: 0,
    newEvents: 0,
    changedEvents: 0,
    unchangedEvents: 0,
    filesAdded: 0,
    failed: [],
    mismatched: [],
    unknownFields: new Map(),
  };
}

function addBatch(tally: Tally, { proofs, unknownFields, commit }: BatchResult): void {
  for (const proof of proofs) {
    tally.fetched += proof.fetched;
    tally.rejected += proof.rejected;
    if (proof.verdict === 'proven') {
      tally.committed += 1;
    } else {
      const { counted, fetched, distinct, window } = proof;
      tally.mismatched.push({ windowId: window.id, range: window.range, counted, fetched, distinct });
    }
  }
  tally.newEvents += commit.newEvents;
  tally.changedEvents += commit.changedEvents;
  tally.unchangedEvents += commit.unchangedEvents;
  tally.filesAdded += commit.filesAdded;
  for (const field of unknownFields) {
    const seen = tally.unknownFields.get(field.path);
    tally.unknownFields.set(field.path, {
      path: field.path,
      eventCount: field.eventCount + (seen?.eventCount ?? 0),
      firstDay: seen !== undefined && seen.firstDay < field.firstDay ? seen.firstDay : field.firstDay,
    });
  }
}

type RunFacts = Pick<
  ExportReport,
  'runId' | 'resumed' | 'request' | 'requestsMade' | 'version' | 'startedAtMs' | 'durationMs'
> & { readonly pageSize: number };

function reportOf(tally: Tally, { pageSize, ...facts }: RunFacts): ExportReport {
  const { plan, skipped, committed, failed, mismatched } = tally;
  return {
    ...facts,
    outcome: failed.length > 0 ? 'partly' : mismatched.length > 0 ? 'mismatch' : 'done',
    windows: { planned: plan.windows.length, skipped, committed, failed, mismatched },
    events: {
      counted: plan.events,
      fetched: tally.fetched,
      new: tally.newEvents,
      changed: tally.changedEvents,
      unchanged: tally.unchangedEvents,
      rejected: tally.rejected,
    },
    requests: estimateRequests({
      planRequests: plan.planRequests,
      pages: pagesOf(plan.windows, pageSize),
      lowerBound: Math.ceil(plan.events / pageSize),
    }),
    filesAdded: tally.filesAdded,
    unknownFields: [...tally.unknownFields.values()],
  };
}
