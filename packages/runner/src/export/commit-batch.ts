import {
  type BatchFindings,
  type FetchedWindow,
  type PlannedWindow,
  type StagedWindow,
  sum,
  type WindowProof,
} from '@edrlake/core';
import { withoutPromoted } from '@edrlake/lake';
import { type FailedWindow, removeWindow } from '@edrlake/pager';
import { recountFresh } from '../doubt/recount-fresh.ts';
import { knownClocks } from '../run/read-clocks.ts';
import type { BatchResult, RunContext, RunPlan } from '../run/run-context.ts';
import type { BatchSession, StagedRows } from './batch-session.ts';
import { proofOf } from './prove-window.ts';
import { judgeBatch, type RunTally } from './run-tally.ts';

/** A batch that is flattened and waits for its commit. */
export interface FlatBatch {
  readonly windows: readonly FetchedWindow[];
  readonly staged: StagedRows;
  /** Of the windows that are not `incomplete`. */
  readonly proofs: readonly WindowProof[];
  readonly startedAtMs: number;
}

/** Flattens the windows of a batch. A crash leaves the pages in the spool for the next run. */
export async function flattenBatch(
  run: RunContext,
  plan: RunPlan,
  windows: readonly FetchedWindow[],
  session: BatchSession,
): Promise<FlatBatch> {
  const { clock } = run.services;
  const startedAtMs = clock.nowMs();
  const staged = await session.stage(windows);
  const counted = await recountFresh(run, plan, windows, staged.findings.windows);
  const proofs = counted
    .filter(isFinished)
    .map((window) => proofOf(window, stagedOf(staged.findings, window), datesOf(run, plan), run.maxRejectShare));
  return { windows: counted, staged, proofs, startedAtMs };
}

/**
 * write → commit. The commit is atomic. A crash before it leaves the pages in the spool for the next run; a crash after
 * it leaves pages that the next run finds proven and removes.
 */
export async function commitBatch(run: RunContext, tally: RunTally, batch: FlatBatch): Promise<BatchResult> {
  const { services, options } = run;
  const { windows, staged, proofs } = batch;
  const { findings } = staged;
  try {
    const judged = judgeBatch(tally, run, proofs);
    const replacing = { replace: options.replace, countedAtVersion: tally.plan.countedAtVersion ?? 0 };
    const commit = await staged.commit({ proofs: judged.proofs, runId: run.runId, ...replacing });
    for (const { window } of windows.filter(isFinished)) await removeWindow(run.spoolDirectory, window.id);
    services.emit({
      type: 'batch',
      windows: windows.length,
      records: sum(findings.windows, (window) => window.recordCount),
      rejected: sum(findings.windows, (window) => window.rejectedCount),
      bodyBytes: sum(windows, (window) => window.bodyBytes),
      durationMs: services.clock.nowMs() - batch.startedAtMs,
    });
    const { rejectReasons } = findings;
    const unknownFields = withoutPromoted(findings.unknownFields, await run.lake.tables());
    const partial = windows.filter((window) => !isFinished(window)).map((window) => stagedOf(findings, window));
    const byWindow = new Map(findings.windows.map((window) => [window.windowId, window]));
    return {
      proofs,
      staged: byWindow,
      partial,
      isRunAboveShare: judged.isRunAboveShare,
      unknownFields,
      rejectReasons,
      commit,
    };
  } finally {
    await staged.drop();
  }
}

/** Whether a window gets a proof. The pages of a failed one stay in the spool, and the next run fetches the others. */
export function isFinished({ verdict }: FetchedWindow): boolean {
  return verdict !== 'incomplete';
}

/** Commits windows whose pages hold no record. They need no commit session: nothing is flattened. */
export async function commitRecordless(
  run: RunContext,
  plan: RunPlan,
  windows: readonly FetchedWindow[],
): Promise<BatchResult> {
  const proofs = windows.map((window) => proofOf(window, nothingOf(window), datesOf(run, plan), run.maxRejectShare));
  const replacing = { replace: run.options.replace, countedAtVersion: plan.countedAtVersion ?? 0 };
  const commit = await run.lake.commit({ batch: null, proofs, runId: run.runId, ...replacing });
  for (const { window } of windows) await removeWindow(run.spoolDirectory, window.id);
  return {
    proofs,
    staged: new Map(),
    partial: [],
    isRunAboveShare: false,
    unknownFields: [],
    rejectReasons: [],
    commit,
  };
}

/**
 * Commits windows as proven after all, because the run as a whole has few rejects. A crash before this leaves them
 * rejected, and they are fetched again.
 */
export async function commitProven(run: RunContext, proofs: readonly WindowProof[]): Promise<void> {
  await run.lake.commit({ batch: null, proofs, runId: run.runId, replace: false });
}

/**
 * Commits windows with an unconfirmed count of zero, so that coverage shows them. Nothing is proven by it, and no older
 * proof is taken back.
 */
export async function commitUnverified(
  run: RunContext,
  plan: RunPlan,
  windows: readonly FailedWindow[],
): Promise<void> {
  if (windows.length === 0) return;
  const dates = datesOf(run, plan);
  const nothing = { counted: 0, fetched: 0, distinct: 0, rejected: 0, perDay: {}, rejectedPerDay: {} };
  const proofs = windows.map(({ window }): WindowProof => ({ window, ...nothing, verdict: 'unverified', ...dates }));
  await run.lake.commit({ batch: null, proofs, runId: run.runId, replace: false });
}

/** By the earlier of both clocks: a wrong clock must not date a proof into the future. */
function datesOf(
  { source, services }: RunContext,
  { asOfMs = 0 }: RunPlan,
): Required<Pick<WindowProof, 'verifiedAtMs' | 'countedAtMs'>> {
  return { verifiedAtMs: knownClocks(source, services).nowMs, countedAtMs: asOfMs };
}

function stagedOf(staged: BatchFindings, planned: PlannedWindow): StagedWindow {
  return staged.windows.find((candidate) => candidate.windowId === planned.window.id) ?? nothingOf(planned);
}

function nothingOf({ window }: PlannedWindow): StagedWindow {
  return { windowId: window.id, recordCount: 0, rejectedCount: 0, distinctIds: 0, perDay: {}, rejectedPerDay: {} };
}
