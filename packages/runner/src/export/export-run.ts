import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Emit,
  type FetchedWindow,
  type RejectReason,
  type SpooledPage,
  systemProcesses,
  toEdrlakeError,
  type UnknownField,
  type WindowProof,
  worstOutcome,
} from '@edrlake/core';
import { openJournal } from '../journal/journal-file.ts';
import type { JournalLine, RunJournal, RunSubject } from '../run/journal.ts';
import { askedPageSize, type LearnedPageSize, learnedPageSize, shortPages } from '../run/page-sizes.ts';
import { knownClocks } from '../run/read-clocks.ts';
import {
  DEFAULT_MAX_REJECT_SHARE,
  hasTooManyRejects,
  isAboveShare,
  joinReasons,
  judgeTogether,
} from '../run/reject-share.ts';
import { findUnfinishedRun, type UnfinishedRun } from '../run/resume.ts';
import type { BatchResult, ExportRun, RunPlan } from '../run/run-context.ts';
import { runLiveness } from '../run/run-liveness.ts';
import type {
  ExportEndpoints,
  ExportOptions,
  ExportReport,
  ExportRequest,
  FailedExportWindow,
  MismatchedWindow,
  RejectedWindow,
  RunServices,
  UnverifiedWindow,
} from '../run/types.ts';
import { commitProven, outsideRange } from './commit-batch.ts';
import { estimateRequests, planExport } from './plan-export.ts';

/**
 * Starts a run, or resumes the newest of the same source, page size and request that was left unfinished or failed in parts.
 * @throws {EdrlakeError} `RUN_BUSY` when another live process works on it.
 */
export async function startRun(
  ends: ExportEndpoints,
  request: ExportRequest,
  options: ExportOptions,
  services: RunServices,
): Promise<ExportRun> {
  const { source, lake } = ends;
  const startedNowMs = services.clock.nowMs();
  const runsDirectory = join(lake.directory, '_runs');
  const subject: RunSubject = { source: source.name, pageSize: askedPageSize(source), request };
  const learned = await learnedPageSize(runsDirectory, source, startedNowMs);
  const liveness = runLiveness(lake.lease, services.emit);
  const unfinished = options.force ? null : await findUnfinishedRun(runsDirectory, subject, liveness, startedNowMs);
  const runId = unfinished?.runId ?? services.newRunId;
  const journal = await openJournal<JournalLine>(runsDirectory, runId, 'continue');
  const { partOf } = services;
  const owner = lake.lease?.owner ?? systemProcesses.current();
  await journal.append({ type: 'start', atMs: startedNowMs, owner, subject, ...(partOf && { partOf }) });
  await usePageSize(learned, source, journal, services);
  if (unfinished) services.emit({ type: 'resumed', runId, pagesReused: countPages(unfinished.pages) });
  const identity: RunIdentity = {
    runId,
    startedAtMs: unfinished?.startedAtMs ?? startedNowMs,
    startedNowMs,
    requestsBefore: ends.requestsMade(),
    unfinished,
    spoolDirectory: join(lake.directory, '_spool', runId),
  };
  return {
    ...ends,
    request,
    options,
    services,
    runId,
    startedAtMs: identity.startedAtMs,
    spoolDirectory: identity.spoolDirectory,
    spooledPages: unfinished?.pages ?? new Map(),
    ...recorderOf(identity, journal, { ends, request, options, services }),
  };
}

/** Goes on with the pages that an earlier run was given, and remembers them for later ones. */
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

interface RunIdentity extends Pick<ExportRun, 'runId' | 'startedAtMs' | 'spoolDirectory'> {
  readonly startedNowMs: number;
  readonly requestsBefore: number;
  readonly unfinished: UnfinishedRun | null;
}

type Recorder = Pick<
  ExportRun,
  | 'plan'
  | 'countedAtMs'
  | 'nowMs'
  | 'recordPage'
  | 'recordPageSize'
  | 'skip'
  | 'judge'
  | 'recordFailed'
  | 'recordBatch'
  | 'finish'
  | 'stop'
  | 'close'
>;

/** What happens in a run, as lines of its journal and as numbers of its report. */
function recorderOf(
  run: RunIdentity,
  journal: RunJournal,
  about: Pick<ExportRun, 'request' | 'options' | 'services'> & { readonly ends: ExportEndpoints },
): Recorder {
  const { ends, request, options, services } = about;
  const { source, lake } = ends;
  const { clock, emit } = services;
  const maxRejectShare = options.maxRejectShare ?? DEFAULT_MAX_REJECT_SHARE;
  const tally = newTally();
  // With an older date it would make the proofs committed meanwhile look as if a wrong clock had dated them.
  const datedNow = (proof: WindowProof) => ({ ...proof, verifiedAtMs: knownClocks(source, services).nowMs });
  return {
    plan: async () => {
      // Without the moment it was made at, a plan says nothing about what had happened by then.
      const { plan = null } = run.unfinished ?? {};
      const isWhole = plan?.asOfMs !== undefined && (plan.uncounted ?? []).length === 0;
      const resumedPlan = isWhole ? plan : null;
      tally.plan = resumedPlan ?? (await newPlan(ends.source, request, options.counted, services));
      if (resumedPlan === null) await journal.append({ type: 'plan', atMs: clock.nowMs(), ...tally.plan });
      else emitPlanned(emit, resumedPlan);
      tally.failed.push(...(tally.plan.uncounted ?? []));
      return tally.plan;
    },
    countedAtMs: () => tally.plan.asOfMs ?? 0,
    nowMs: () => knownClocks(source, services).nowMs,
    recordPage: (page) => journal.append({ type: 'page', atMs: clock.nowMs(), page }),
    recordPageSize: (pageSize) => {
      const atMs = clock.nowMs();
      return journal.append({ type: 'page-size', atMs, pageSize, learnedAtMs: atMs });
    },
    skip: (proven) => {
      for (const { window, count } of proven) {
        emit({ type: 'window-skipped', windowId: window.id, range: window.range, count });
      }
      tally.skipped = proven.size;
      return tally.plan.windows.filter((planned) => !proven.has(planned));
    },
    judge: (proofs) => {
      const judged = judgeTogether(proofs, tally, maxRejectShare);
      if (!judged.isRunAboveShare) return judged;
      const takenBack = tally.scattered.map((proof): WindowProof => ({ ...datedNow(proof), verdict: 'rejected' }));
      return { ...judged, proofs: [...judged.proofs, ...takenBack] };
    },
    recordFailed: async (windows) => {
      for (const { window, count, error } of windows) {
        const { code, message } = error;
        const list = count === 0 ? tally.unverified : tally.failed;
        list.push({ windowId: window.id, range: window.range, code, message });
        await journal.append({ type: 'window-failed', windowId: window.id, code, message });
      }
    },
    recordBatch: async (windows, result) => {
      const planned = plannedCounts(tally.plan, windows);
      for (const { window, count } of windows) tally.recountedMore += count - (planned.get(window.id) ?? count);
      const shortOf = new Map(windows.map((fetched) => [fetched.window.id, shortPages(fetched, source.pageSize)]));
      addBatch(tally, result, maxRejectShare, shortOf);
      const windowIds = windows.map(({ window }) => window.id);
      await journal.append({ type: 'commit', atMs: clock.nowMs(), version: result.commit.version, windowIds });
    },
    finish: async () => {
      if (tally.takenBack.length > 0 && hasTooManyRejects(tally, maxRejectShare)) {
        tally.committed -= tally.takenBack.length;
        tally.rejectedWindows.push(...tally.takenBack.map(rejectedWindow));
      } else if (tally.takenBack.length > 0) {
        await commitProven({ lake, runId: run.runId }, tally.takenBack.map(datedNow));
      }
      const report = reportOf(tally, {
        runId: run.runId,
        resumed: run.unfinished !== null,
        request: tally.plan.request ?? request,
        frozenAtMs: tally.plan.frozenAtMs ?? null,
        requestsMade: ends.requestsMade() - run.requestsBefore,
        pageSize: { asked: askedPageSize(source), given: source.pageSize },
        maxRejectShare,
        version: (await lake.snapshot()).version,
        startedAtMs: run.startedAtMs,
        durationMs: clock.nowMs() - run.startedNowMs,
      });
      // The pages of failed windows are used by the next run of the same; vacuum removes what nobody comes for.
      if (report.outcome !== 'partly') await rm(run.spoolDirectory, { recursive: true, force: true });
      await journal.append({ type: 'finish', atMs: clock.nowMs(), report });
      return report;
    },
    stop: async (thrown) => {
      const error = toEdrlakeError(thrown);
      // Then the journal belongs to the process that took over.
      if (error.code === 'LEASE_LOST') return error;
      // Where the disk refuses even this line, the error that led here says more than the one that follows.
      await journal
        .append({ type: 'stop', atMs: clock.nowMs(), code: error.code, message: error.message })
        .catch(() => undefined);
      return error;
    },
    close: () => journal.close(),
  };
}

async function newPlan(
  source: ExportEndpoints['source'],
  request: ExportRequest,
  counted: ExportOptions['counted'],
  services: RunServices,
): Promise<RunPlan> {
  const planned = await planExport(source, request, services, counted);
  const { windowPlan, uncounted, request: frozen, asOfMs, frozenAtMs } = planned;
  const { windows, emptyWindows, events, planRequests, pages } = windowPlan;
  return { windows, emptyWindows, uncounted, events, planRequests, pages, request: frozen, asOfMs, frozenAtMs };
}

/** What a resumed run plans; a new plan was reported by who made it. */
function emitPlanned(emit: Emit, { windows, emptyWindows, events, pages, planRequests }: RunPlan): void {
  emit({ type: 'planned', windows: windows.length + emptyWindows.length, events, pages, planRequests });
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
  /** How many more the windows had when they were counted again. */
  recountedMore: number;
  fetched: number;
  rejected: number;
  duplicates: number;
  rejects: readonly RejectReason[];
  newEvents: number;
  changedEvents: number;
  unchangedEvents: number;
  filesAdded: number;
  readonly failed: FailedExportWindow[];
  readonly unverified: UnverifiedWindow[];
  readonly mismatched: MismatchedWindow[];
  readonly rejectedWindows: RejectedWindow[];
  /** Windows with few rejects, but a large share of them, that are committed as proven. */
  readonly scattered: WindowProof[];
  /** Such windows that are committed as rejected, because the run as a whole had too many. */
  readonly takenBack: WindowProof[];
  readonly unknownFields: Map<string, UnknownField>;
}

function newTally(): Tally {
  return {
    plan: { windows: [], emptyWindows: [], events: 0, planRequests: 0, pages: 0 },
    skipped: 0,
    committed: 0,
    recountedMore: 0,
    fetched: 0,
    rejected: 0,
    duplicates: 0,
    rejects: [],
    newEvents: 0,
    changedEvents: 0,
    unchangedEvents: 0,
    filesAdded: 0,
    failed: [],
    unverified: [],
    mismatched: [],
    rejectedWindows: [],
    scattered: [],
    takenBack: [],
    unknownFields: new Map(),
  };
}

/** What the plan counted in some windows, by their ids. */
function plannedCounts(plan: RunPlan, of: readonly FetchedWindow[]): ReadonlyMap<string, number> {
  const wanted = new Set(of.map(({ window }) => window.id));
  const counts = new Map(plan.emptyWindows.filter(({ id }) => wanted.has(id)).map(({ id }) => [id, 0]));
  for (const { window, count } of plan.windows) if (wanted.has(window.id)) counts.set(window.id, count);
  return counts;
}

function rejectedWindow({ window, fetched, rejected }: WindowProof): RejectedWindow {
  return { windowId: window.id, range: window.range, fetched, rejected };
}

function addBatch(
  tally: Tally,
  result: BatchResult,
  maxRejectShare: number,
  shortOf: ReadonlyMap<string, ReturnType<typeof shortPages>>,
): void {
  const { proofs, isRunAboveShare, unknownFields, rejectReasons, commit } = result;
  tally.rejects = joinReasons(tally.rejects, rejectReasons);
  for (const proof of proofs) {
    tally.fetched += proof.fetched;
    tally.rejected += proof.rejected;
    tally.duplicates += proof.duplicates ?? 0;
    if (proof.verdict === 'proven') {
      tally.committed += 1;
      if (isAboveShare(proof, maxRejectShare)) tally.scattered.push(proof);
    } else if (proof.verdict === 'rejected') {
      tally.rejectedWindows.push(rejectedWindow(proof));
    } else if (proof.verdict === 'mismatch') {
      const { counted, fetched, distinct, window } = proof;
      const outside = outsideRange(proof);
      const what = { windowId: window.id, range: window.range, counted, fetched, distinct };
      const short = shortOf.get(window.id) ?? null;
      tally.mismatched.push({
        ...what,
        ...(outside !== null && { outside }),
        ...(short !== null && { shortPages: short }),
      });
    }
  }
  if (isRunAboveShare) tally.takenBack.push(...tally.scattered.splice(0));
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
  | 'runId'
  | 'resumed'
  | 'request'
  | 'frozenAtMs'
  | 'requestsMade'
  | 'version'
  | 'startedAtMs'
  | 'durationMs'
  | 'maxRejectShare'
> & { readonly pageSize: { readonly asked: number; readonly given: number } };

function reportOf(tally: Tally, { pageSize, ...facts }: RunFacts): ExportReport {
  const { plan, skipped, committed, failed, unverified, mismatched, rejectedWindows: rejected } = tally;
  const planned = plan.windows.length + plan.emptyWindows.length;
  return {
    ...facts,
    outcome: worstOutcome([
      ...(failed.length > 0 || unverified.length > 0 ? (['partly'] as const) : []),
      ...(mismatched.length > 0 ? (['mismatch'] as const) : []),
      ...(rejected.length > 0 ? (['rejected'] as const) : []),
    ]),
    windows: { planned, skipped, committed, failed, unverified, mismatched, rejected },
    events: {
      counted: plan.events,
      ...(tally.recountedMore !== 0 && { recounted: plan.events + tally.recountedMore }),
      fetched: tally.fetched,
      new: tally.newEvents,
      changed: tally.changedEvents,
      unchanged: tally.unchangedEvents,
      rejected: tally.rejected,
      ...(tally.duplicates > 0 && { duplicates: tally.duplicates }),
    },
    requests: estimateRequests({ ...plan, lowerBound: Math.ceil(plan.events / pageSize.given) }),
    ...(pageSize.given < pageSize.asked && { pageSize }),
    filesAdded: tally.filesAdded,
    rejects: tally.rejects,
    unknownFields: [...tally.unknownFields.values()],
  };
}
