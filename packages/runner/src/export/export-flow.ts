import type { PlannedWindow, Window } from '@edrlake/core';
import { RECORD_SHAPE } from '@edrlake/flattener';
import { type FailedWindow, fetchWindows } from '@edrlake/pager';
import type { ExportEndpoints, ExportOptions, ExportReport, ExportRequest, RunServices } from '../run/types.ts';
import { batchPipeline } from './batch-pipeline.ts';
import { batchWindows } from './batch-windows.ts';
import { commitUnverified } from './commit-batch.ts';
import { startRun } from './export-run.ts';
import { coveredWindows } from './skip-covered.ts';

/**
 * Brings all events of a range into the lake: plan → fetch → flatten → write → commit, each event exactly once.
 *
 * Safe to run again at any time: a run that died is resumed (its plan and its whole pages are reused), windows the lake
 * already proves are not fetched, events it already holds are not written. Windows that fail or do not add up are
 * reported in the result, the others are committed.
 *
 * @throws {EdrlakeError} what no window can survive: a refused login or filter, an unwritable lake, an interrupt. All
 * that was committed before stays; what came whole by then is committed first, except after an interrupt.
 */
export async function exportRange(
  ends: ExportEndpoints,
  request: ExportRequest,
  options: ExportOptions,
  services: RunServices,
): Promise<ExportReport> {
  const { force, concurrency, batchBytes } = options;
  const run = await startRun(ends, request, options, services);
  try {
    const plan = await run.plan();
    const wanted = force ? plan.windows : run.skip(await coveredWindows(plan.windows, request, ends.lake));
    // A zero is one number alone until its first page is empty, so it is fetched whatever the lake proves.
    const fetched = fetchWindows(ends.source, inOrder(wanted, plan.emptyWindows), {
      spoolDirectory: run.spoolDirectory,
      shape: RECORD_SHAPE,
      concurrency,
      maxSpooledBytes: batchBytes,
      resume: run.spooledPages,
      onPage: (page) => run.recordPage(page),
      onPageSize: (pageSize) => run.recordPageSize(pageSize),
      emit: services.emit,
      signal: services.signal,
    });
    const lanes = batchPipeline(run);
    const unverified: FailedWindow[] = [];
    try {
      for await (const { windows, failed } of batchWindows(fetched, batchBytes, services.signal)) {
        await run.recordFailed(failed);
        unverified.push(...failed.filter(({ count }) => count === 0));
        if (windows.length > 0) await lanes.submit(windows);
      }
      await lanes.drain();
      await commitUnverified(run, unverified);
    } finally {
      await lanes.close();
    }
    return await run.finish();
  } catch (thrown) {
    throw await run.stop(thrown);
  } finally {
    await run.close();
  }
}

/** Windows with events and such without, oldest first. */
function inOrder(windows: readonly PlannedWindow[], emptyWindows: readonly Window[]): readonly PlannedWindow[] {
  const all = [...windows, ...emptyWindows.map((window) => ({ window, count: 0 }))];
  return all.sort((a, b) => a.window.range.startMs - b.window.range.startMs);
}
