import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { newRunId, systemProcesses } from '@edrlake/core';
import type { Pipeline, RunResult, TaskTools } from '@edrlake/runner';
import { BATCH_BYTES, exporting } from './export.ts';
import { CALL_CHECKS, COUNT, checkOptions, SWITCH, TEXT } from './input/checks.ts';
import { type CallOptions, listenerOf, listening, signalOf } from './input/options.ts';
import { refuseReadOnly } from './input/refusals.ts';
import type { Lake } from './lake/types.ts';
import { internalsOf } from './lake.ts';
import { type Source, internalsOf as sourceInternalsOf } from './source.ts';

/** How to run a pipeline. */
export interface RunPipelineOptions extends CallOptions {
  /** Values for its params; those that are left out have their defaults. Not for a run that is resumed. */
  readonly params?: Readonly<Record<string, string | number | boolean | null>>;
  /** The id of a run that failed, was stopped or died: it goes on where it stopped. */
  readonly resume?: string;
  /** The id of a new run. It must sort by time. Default: made from the clock. */
  readonly runId?: string;
  /** Attempts that run at once, partitions of fan-outs included. Tasks on the lake take turns anyway. Default 4. */
  readonly concurrency?: number;
  /** `false`: no hook and no webhook task sends anything. Default `true`. */
  readonly webhooks?: boolean;
}

const DEFAULT_CONCURRENCY = 4;

/**
 * Runs a pipeline to its end, or goes on with a run of it. Each step is on disk before the next relies on it: after a
 * crash at any moment, a resumed run repeats what was in progress and nothing that was finished. A task that fails is
 * in the result (`state`, and `error` of the task), not thrown.
 * @throws {EdrlakeError} before anything starts: `CONFIG_INVALID` for the pipeline, `USAGE` for its params,
 * `RUN_MISSING` or `RUN_BUSY` for the run; later `LAKE_UNWRITABLE` if its journal cannot be written
 * @example
 * const nightly = definePipeline({
 *   name: 'nightly',
 *   tasks: { sync: { uses: 'sync', with: { since: '2026-11-01' } } },
 * });
 * const { state, runId } = await runPipeline(lake, source, nightly);
 */
export async function runPipeline(
  lake: Lake,
  source: Source,
  pipeline: Pipeline,
  options: RunPipelineOptions = {},
): Promise<RunResult> {
  checkOptions('runPipeline', options, {
    ...CALL_CHECKS,
    resume: TEXT,
    runId: TEXT,
    concurrency: COUNT,
    webhooks: SWITCH,
  });
  const { stored, clock, random, reports, s3 } = internalsOf(lake);
  refuseReadOnly(lake.isReadOnly, 'runPipeline');
  const { connection, proxy, concurrency, reports: requests } = sourceInternalsOf(source);
  const { webhooks = true } = options;
  const emit = listenerOf(options);
  const services = { clock, random, signal: signalOf(options), emit };
  const [runner, { readLostWork }] = await Promise.all([import('@edrlake/runner'), import('@edrlake/runner/history')]);
  const provided: TaskTools = {
    exportOptions: { concurrency, batchBytes: BATCH_BYTES },
    newRunId: () => newRunId({ clock, random }),
    placeOf: (to) => runner.ocsfPlace(to, { workingDirectory: resolve(), env: {}, home: homedir(), ...(s3 && { s3 }) }),
    post: (url, body, headers, signal) => runner.postJson(url, body, headers, signal, proxy),
    useLake: (work, { signal }) =>
      exporting('runPipeline', lake, source, { signal }, () => work({ lake: stored, connection })),
    askSource: (ask) => ask(connection.source),
  };
  const runsDirectory = join(stored.directory, '_runs');
  const runId = options.resume ?? options.runId ?? newRunId({ clock, random });
  const { lease } = stored;
  return listening([reports, requests], options, () =>
    runner.runPipeline(pipeline, {
      registry: runner.BUILT_IN_TASKS,
      provided,
      params: options.params ?? {},
      concurrency: options.concurrency ?? DEFAULT_CONCURRENCY,
      runsDirectory,
      runId,
      resume: options.resume !== undefined,
      services,
      liveness: {
        owner: lease?.owner ?? systemProcesses.current(),
        isOwnerAlive: runner.runLiveness(lease, emit),
      },
      post: webhooks ? provided.post : null,
      readLostWork: () => readLostWork(runsDirectory, runId),
    }),
  );
}
