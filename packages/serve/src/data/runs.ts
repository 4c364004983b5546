import { join } from 'node:path';
import { isoInstant } from '@edrlake/core';
import { listRuns, readProgress, readRun } from '@edrlake/runner/history';
import type { RunDocument, RunsDocument } from '../documents/documents.ts';
import { runSummary } from './coverage.ts';
import { type PageContext, runLook } from './page-context.ts';

const LISTED = 100;

/** The newest runs, newest first; of those at work also how far they are. */
export async function runsDocument(context: PageContext): Promise<RunsDocument> {
  const { lake, clock } = context;
  const directory = join(lake.directory, '_runs');
  const look = await runLook(context);
  const runs = await listRuns(directory, { limit: LISTED, ...look });
  const working = runs.filter(({ state }) => state === 'running');
  const progress = await Promise.all(working.map(({ runId }) => readProgress(directory, runId)));
  const progressOf = new Map(working.map(({ runId }, position) => [runId, progress[position] ?? null]));
  return {
    now: isoInstant(clock.nowMs()),
    runs: runs.map((run) => ({ ...runSummary(run), progress: progressOf.get(run.runId) ?? null })),
  };
}

/**
 * One run in full: tasks, attempts, errors, and how far it is.
 * @throws {EdrlakeError} `RUN_MISSING`
 */
export async function runDocument(runId: string, context: PageContext): Promise<RunDocument> {
  const directory = join(context.lake.directory, '_runs');
  const run = await readRun(directory, runId, await runLook(context));
  const { tasks, params, starts, hooks, ...summary } = run;
  return {
    ...runSummary(summary),
    ...{ params, starts, hooks },
    tasks: tasks.map(({ startedAtMs, output: _output, ...task }) => ({
      ...task,
      startedAt: startedAtMs === null ? null : isoInstant(startedAtMs),
    })),
    progress: await readProgress(directory, runId),
  };
}
