import { access, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { closeAfter, EdrlakeError, newRunId } from '@edrlake/core';
import { type Lease, openLakeLease } from '@edrlake/lake';
import {
  BUILT_IN_TASKS,
  openTaskTools,
  type Pipeline,
  type PostJson,
  parseParams,
  postJson,
  type RunPipelineOptions,
  type RunResult,
  refuseUnknownGateway,
  runLiveness,
  runPipeline,
  type Services,
  TASKS_AT_ONCE,
  type TaskTools,
} from '@edrlake/runner';
import { readLostWork } from '@edrlake/runner/history';
import { wordsText } from '../args/flags/flag-kinds.ts';
import type { FlagValues } from '../args/options.ts';
import { refuseScope } from '../args/refuse-scope.ts';
import { readCredentials } from '../config/credentials.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { readProxy } from '../process/proxy-environment.ts';
import { connectionSettings, requireGateway } from './connection-settings.ts';
import { lakeDirectory, objectLakeOf, ocsfPlaceOf, ownerOf } from './lake-access.ts';
import { BATCH_BYTES } from './lake-session.ts';

/** What pipelines work with, from the settings. */
export interface PipelineTools {
  readonly tools: TaskTools;
  readonly registry: typeof BUILT_IN_TASKS;
  close(): Promise<void>;
}

/** Tasks that export, or compare, all events there are. */
const TASKS_WITHOUT_SCOPE: readonly string[] = [
  'backfill',
  'sync',
  'reconcile',
  'repair',
] satisfies (keyof typeof BUILT_IN_TASKS)[];

/** @throws {EdrlakeError} `CONFIG_INVALID` where the settings select events and the pipeline has a task that cannot */
export function refusePipelineScope({ name, tasks }: Pipeline, values: FlagValues): void {
  const used = new Set(Object.values(tasks).map(({ uses }) => String(uses)));
  const unable = TASKS_WITHOUT_SCOPE.filter((task) => used.has(task));
  if (unable.length === 0) return;
  refuseScope(
    values,
    `pipeline "${name}"`,
    `${wordsText(unable, 'and')} ${unable.length === 1 ? 'takes' : 'take'} all events`,
  );
}

/**
 * The tools of one run of a pipeline. Nothing is opened or requested before a task needs it.
 * @param patienceMs the longest wait for the rate limit, asked each time; absent: as long as it takes
 * @throws {EdrlakeError} `USAGE`, `CONFIG_INVALID`, `CREDENTIALS_MISSING`
 */
export async function pipelineTools(
  pipeline: Pipeline,
  values: FlagValues,
  context: ProcessContext,
  services: Services,
  patienceMs?: () => number,
): Promise<PipelineTools> {
  const { priority = 'normal' } = pipeline;
  refusePipelineScope(pipeline, values);
  requireGateway(values);
  const credentials = await readCredentials(context.env, context.workingDirectory, context.account);
  const connection = connectionSettings(values, credentials, context.env);
  // Before a run begins, whose first task would fail and whose hooks would call for help.
  refuseUnknownGateway(connection);
  const tools = openTaskTools(
    {
      connection,
      lakeDirectory: lakeDirectory(values, context),
      owner: ownerOf(context),
      ...objectLakeOf(values, context),
      memoryLimit: values['memory-limit'],
      publishes: values.publish,
      ...(values.hunts === null ? {} : { huntsDirectory: resolve(context.workingDirectory, values.hunts) }),
      ...(values.threads === null ? {} : { threads: values.threads }),
      exportOptions: {
        concurrency: values.concurrency,
        batchBytes: BATCH_BYTES,
        maxRejectShare: values['max-reject-share'],
        edrlakeVersion: context.version,
      },
      newRunId: () => newRunId(context),
      post: poster(context),
      placeOf: (to) => ocsfPlaceOf(to, values, context),
      priority,
      ...(patienceMs && { patienceMs }),
      command: `run ${pipeline.name}`,
    },
    services,
  );
  return { tools, registry: BUILT_IN_TASKS, close: () => tools.close() };
}

/**
 * Runs a pipeline to its end, or goes on with a run of it, and closes what it opened. `stale`: everything is committed,
 * only `lake.duckdb` could not be written; null where it was.
 */
export async function runOnce(
  pipeline: Pipeline,
  about: { readonly values: FlagValues; readonly params: readonly string[]; readonly resume: string | null },
  context: ProcessContext,
  services: Services,
): Promise<{ readonly result: RunResult; readonly stale: EdrlakeError | null }> {
  const { values, params, resume } = about;
  let stale: EdrlakeError | null = null;
  const keepStale = (thrown: unknown) => {
    if (!(thrown instanceof EdrlakeError && thrown.code === 'VIEWS_STALE')) throw thrown;
    stale = thrown;
  };
  const given = parseParams(pipeline.params ?? {}, params);
  const { tools, registry, close } = await pipelineTools(pipeline, values, context, services);
  const directory = lakeDirectory(values, context);
  const isThere = await access(directory).then(
    () => true,
    () => false,
  );
  const withLease = async (lease: Lease): Promise<RunResult> => {
    const [runsDirectory, runId] = [join(directory, '_runs'), resume ?? newRunId(context)];
    const options: RunPipelineOptions<TaskTools> = {
      registry,
      provided: tools,
      params: given,
      concurrency: TASKS_AT_ONCE,
      ...{ runsDirectory, runId },
      resume: resume !== null,
      services,
      liveness: { owner: lease.owner, isOwnerAlive: runLiveness(lease, services.emit) },
      post: poster(context),
      readLostWork: () => readLostWork(runsDirectory, runId),
    };
    return closeAfter(lease.release, () => runPipeline(pipeline, options));
  };
  const letGo = async () => {
    try {
      await close().catch(keepStale);
    } finally {
      if (!isThere) await removeEmpty([join(directory, '_leases'), directory]);
    }
  };
  const result = await closeAfter(letGo, async () => withLease(await openLakeLease(directory)));
  return { result, stale };
}

/** A run that was refused before it began must not leave the folders of a lake behind. What is not empty stays. */
async function removeEmpty(folders: readonly string[]): Promise<void> {
  for (const folder of folders) await rmdir(folder).catch(() => undefined);
}

/** Calls webhooks, through the proxy of the environment. */
export function poster({ env }: ProcessContext): PostJson {
  return (url, body, headers, signal) => postJson(url, body, headers, signal, readProxy(env));
}
