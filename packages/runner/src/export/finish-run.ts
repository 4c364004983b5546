import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type EdrlakeError, toEdrlakeError } from '@edrlake/core';
import type { RunJournal } from '../run/journal.ts';
import { askedPageSize } from '../run/page-sizes.ts';
import { hasTooManyRejects } from '../run/reject-share.ts';
import { stalledWindows } from '../run/stalled-windows.ts';
import type { ExportReport, RunServices } from '../run/types.ts';
import { commitProven } from './commit-batch.ts';
import { datedNow, exportReportOf, type RunTally, rejectedWindow, rejectsOfRun } from './run-tally.ts';
import { type StartedRun, selectionOf } from './start-run.ts';

/** Ends a run whose windows are all committed or failed: writes its report to the journal. */
export async function finishRun({ run, journal, resumed, began }: StartedRun, tally: RunTally): Promise<ExportReport> {
  const { source, lake, request, maxRejectShare } = run;
  const { clock } = run.services;
  if (tally.takenBack.length > 0 && hasTooManyRejects(rejectsOfRun(tally), maxRejectShare)) {
    const ofEarlier = tally.takenBack.filter((proof) => tally.earlier.includes(proof)).length;
    tally.committed -= tally.takenBack.length - ofEarlier;
    tally.skipped -= ofEarlier;
    tally.rejectedWindows.push(...tally.takenBack.map(rejectedWindow));
  } else if (tally.takenBack.length > 0) {
    const proofs = tally.takenBack.map((proof) => datedNow(run, proof));
    await commitProven(run, proofs);
  }
  const summed = exportReportOf(tally, {
    runId: run.runId,
    resumed: resumed !== null,
    request: tally.plan.request ?? selectionOf(request),
    frozenAtMs: tally.plan.frozenAtMs ?? null,
    requestsMade: run.requestsMade() - began.requestsMade,
    pageSize: { asked: askedPageSize(source), given: source.pageSize },
    maxRejectShare,
    version: (await lake.snapshot()).version,
    startedAtMs: run.startedAtMs,
    durationMs: clock.nowMs() - began.atMs,
  });
  const objectStore = lake.objectTraffic();
  // Derived from journals: where one cannot be read, the run has ended all the same.
  const stalled = await stalledWindows(join(lake.directory, '_runs'), summed, clock.nowMs()).catch(() => []);
  const report = {
    ...summed,
    ...(objectStore !== null && { objectStore }),
    ...(stalled.length > 0 && { stalled }),
  };
  // The next run of the same request uses the pages of failed windows; vacuum removes them if there is none.
  if (report.outcome !== 'partly') await rm(run.spoolDirectory, { recursive: true, force: true });
  await journal.append({ type: 'finish', atMs: clock.nowMs(), report });
  return report;
}

/** Records in the journal why a run ended early. The next run of the same request resumes it. */
export async function stopRun(
  journal: RunJournal,
  thrown: unknown,
  { clock }: Pick<RunServices, 'clock'>,
): Promise<EdrlakeError> {
  const error = toEdrlakeError(thrown);
  // The process that took the lease over owns the journal now.
  if (error.code === 'LEASE_LOST') return error;
  // If the disk refuses this line too, the first error is the one that explains the end of the run.
  await journal
    .append({ type: 'stop', atMs: clock.nowMs(), code: error.code, message: error.message })
    .catch(() => undefined);
  return error;
}
