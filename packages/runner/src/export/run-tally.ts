import {
  type Day,
  dayOf,
  type EdrlakeError,
  type FetchedWindow,
  type OutsideRecords,
  type PlannedWindow,
  type RejectReason,
  sum,
  type UnknownField,
  type WindowProof,
  worstOutcome,
} from '@edrlake/core';
import type { FailedWindow } from '@edrlake/pager';
import { shortPages } from '../run/page-sizes.ts';
import { knownClocks } from '../run/read-clocks.ts';
import {
  isAboveShare,
  type JudgedProofs,
  joinReasons,
  judgeTogether,
  type RejectCount,
  rejectRuleOf,
} from '../run/reject-share.ts';
import type { BatchResult, RunContext, RunPlan } from '../run/run-context.ts';
import type {
  ExportReport,
  FailedExportWindow,
  MismatchedWindow,
  RejectedWindow,
  UnverifiedWindow,
} from '../run/types.ts';
import { estimateRequests } from './plan-export.ts';
import { hasSharedIds } from './prove-window.ts';

/**
 * The numbers of a run so far, from which its report is made. In memory only: a resumed run begins with zeros, and with
 * what earlier processes of the run have committed as `earlier`.
 */
export interface RunTally {
  readonly plan: RunPlan;
  /** Proofs of windows that an earlier process of this run has committed, and that are not fetched again. */
  readonly earlier: readonly WindowProof[];
  skipped: number;
  committed: number;
  /** By how many the recounts of windows exceed the plan; negative where they are lower. */
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
  /** Windows above the reject share with too few rejects to count: committed as proven. */
  readonly scattered: WindowProof[];
  /** Windows of that kind committed as rejected, because the whole run was above the share at that point. */
  readonly takenBack: WindowProof[];
  readonly unknownFields: Map<string, UnknownField>;
}

/** Begins with the ranges that could not be counted. @param earlier as in the tally */
export function newTally(plan: RunPlan, earlier: readonly WindowProof[], maxRejectShare: number): RunTally {
  return {
    plan,
    earlier,
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
    failed: [...(plan.uncounted ?? [])],
    unverified: [],
    mismatched: [],
    rejectedWindows: [],
    scattered: earlier.filter((proof) => proof.verdict === 'proven' && isAboveShare(proof, maxRejectShare)),
    takenBack: [],
    unknownFields: new Map(),
  };
}

/** Adds windows that failed. Where the count was zero, only its confirmation is missing. */
export function addFailed(tally: RunTally, windows: readonly FailedWindow[]): void {
  for (const { window, count, error, partial } of windows) {
    const { code, message } = error;
    const list = count === 0 ? tally.unverified : tally.failed;
    const fetched = partial?.recordCount ?? 0;
    list.push({ windowId: window.id, range: window.range, code, message, ...(fetched > 0 && { fetched }) });
  }
}

/** Notes windows that a limit of the run has left for the next one, also those without events. */
export function addLeft(tally: RunTally, windows: readonly PlannedWindow[], { code, message }: EdrlakeError): void {
  tally.failed.push(...windows.map(({ window }) => ({ windowId: window.id, range: window.range, code, message })));
}

/** Records and rejects of the whole run, with the windows of its earlier processes. */
export function rejectsOfRun({ fetched, rejected, earlier }: RunTally): RejectCount {
  return {
    fetched: sum(earlier, (proof) => proof.fetched) + fetched,
    rejected: sum(earlier, (proof) => proof.rejected) + rejected,
  };
}

/** How the proofs of a batch are to be committed, followed by earlier proofs that its rejects take back. */
export function judgeBatch(tally: RunTally, run: RunContext, proofs: readonly WindowProof[]): JudgedProofs {
  const judged = judgeTogether(proofs, rejectsOfRun(tally), run.maxRejectShare);
  const judgedBy = rejectRuleOf(run.options);
  const named = judged.proofs.map((proof) => (proof.verdict === 'rejected' ? { ...proof, judgedBy } : proof));
  if (!judged.isRunAboveShare) return { ...judged, proofs: named };
  const takenBack = tally.scattered.map(
    (proof): WindowProof => ({
      ...datedNow(run, proof),
      verdict: 'rejected',
      judgedBy,
    }),
  );
  return { ...judged, proofs: [...named, ...takenBack] };
}

/**
 * The proof, dated now. Proofs are in the order of their commits: an older date in a later commit would mean that a
 * wrong clock dated those in between.
 */
export function datedNow({ source, services }: RunContext, proof: WindowProof): WindowProof {
  return { ...proof, verifiedAtMs: knownClocks(source, services).nowMs };
}

/** Adds a batch that is committed. */
export function addBatch(
  tally: RunTally,
  run: Pick<RunContext, 'source' | 'maxRejectShare'>,
  windows: readonly FetchedWindow[],
  result: BatchResult,
): void {
  const planned = plannedCounts(tally.plan, windows);
  for (const { window, count } of windows) tally.recountedMore += count - (planned.get(window.id) ?? count);
  const shortOf = new Map(windows.map((fetched) => [fetched.window.id, shortPages(fetched, run.source.pageSize)]));
  const { proofs, partial, isRunAboveShare, unknownFields, rejectReasons, commit } = result;
  tally.fetched += sum(partial, ({ recordCount }) => recordCount);
  tally.rejected += sum(partial, ({ rejectedCount }) => rejectedCount);
  tally.rejects = joinReasons(tally.rejects, rejectReasons);
  for (const proof of proofs) {
    tally.fetched += proof.fetched;
    tally.rejected += proof.rejected;
    tally.duplicates += proof.duplicates ?? 0;
    if (proof.verdict === 'proven') {
      tally.committed += 1;
      if (isAboveShare(proof, run.maxRejectShare)) tally.scattered.push(proof);
    } else if (proof.verdict === 'rejected') {
      tally.rejectedWindows.push(rejectedWindow(proof));
    } else if (proof.verdict === 'mismatch') {
      const { counted, fetched, distinct, window } = proof;
      const staged = result.staged.get(window.id);
      const { outside, sharedIds } = staged ?? {};
      const what = { windowId: window.id, range: window.range, counted, fetched, distinct };
      const short = shortOf.get(window.id) ?? null;
      tally.mismatched.push({
        ...what,
        ...(outside && { outside: { ...outside, ...daysOf(outside) } }),
        ...(staged && sharedIds && hasSharedIds(staged, run.maxRejectShare) && { sharedIds }),
        ...(short !== null && { shortPages: short }),
      });
    }
  }
  if (isRunAboveShare) tally.takenBack.push(...tally.scattered.splice(0));
  tally.duplicates += commit.otherVersions;
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

/** The counts of the plan, by the ids of the windows. */
function plannedCounts(plan: RunPlan, of: readonly FetchedWindow[]): ReadonlyMap<string, number> {
  const wanted = new Set(of.map(({ window }) => window.id));
  const counts = new Map(plan.emptyWindows.filter(({ id }) => wanted.has(id)).map(({ id }) => [id, 0]));
  for (const { window, count } of plan.windows) if (wanted.has(window.id)) counts.set(window.id, count);
  return counts;
}

/** A proof as the report lists it. */
export function rejectedWindow({ window, fetched, rejected }: WindowProof): RejectedWindow {
  return { windowId: window.id, range: window.range, fetched, rejected };
}

function daysOf({ firstMs, lastMs }: OutsideRecords): { readonly firstDay: Day; readonly lastDay: Day } {
  return { firstDay: dayOf(firstMs), lastDay: dayOf(lastMs) };
}

/** What the report says besides the tally. */
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

/** The report of a run that has ended. */
export function exportReportOf(tally: RunTally, { pageSize, ...facts }: RunFacts): ExportReport {
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
