import { createHash } from 'node:crypto';
import { type Clock, EdrlakeError, ERROR_CODES, type ErrorCode } from '@edrlake/core';
import type { PipelineRunView } from '@edrlake/runner/run-state';
import type { Client, WorkflowHandle } from '@temporalio/client';
import {
  type BackfillProgress,
  type BackfillRequest,
  type HeartbeatDetails,
  PROGRESS_QUERY,
  type RunAbout,
  type RunProgress,
  type RunRequest,
  WORKFLOWS,
} from '../contract/contract.ts';
import { loadClient } from './load-sdk.ts';
import { connectionOf, serverError, type TemporalPlace } from './place.ts';

/** Starts and follows runs on a Temporal server. */
export interface TemporalRuns {
  /**
   * @returns the run, which goes on also when this process ends
   * @throws {EdrlakeError} `RUN_BUSY` while one of the same pipeline, lake and params is at work
   */
  startRun(request: RunRequest): Promise<StartedWorkflow<RunProgress, PipelineRunView>>;
  /** @throws {EdrlakeError} `RUN_BUSY` */
  startBackfill(request: BackfillRequest): Promise<StartedWorkflow<BackfillProgress, BackfillProgress>>;
  close(): Promise<void>;
}

/** A workflow that was started. */
export interface StartedWorkflow<Progress, Result> {
  readonly workflowId: string;
  /** null while no worker answers. @param from lines that are known */
  progress(from: number): Promise<Progress | null>;
  /** What activities at work, or waiting for a worker or their next attempt, have said of themselves last. */
  pending(): Promise<readonly PendingActivity[]>;
  /** @throws {EdrlakeError} why the run could not begin, or that it was cancelled */
  result(): Promise<Result>;
}

/** An activity that has not ended. */
export interface PendingActivity {
  /** null: it has said nothing yet. */
  readonly details: HeartbeatDetails | null;
  readonly isAtWork: boolean;
  /** Why it has to be attempted again; null for the first attempt. */
  readonly lastFailure: string | null;
}

const CONNECT_TIMEOUT = '10 seconds';

/** @throws {EdrlakeError} `CONFIG_INVALID`, `HOST_UNREACHABLE` */
export async function connectRuns(place: TemporalPlace, clock: Clock): Promise<TemporalRuns> {
  const { client, sdk, close } = await connectClient(place);
  const start = async <Progress, Result>(
    workflow: string,
    workflowId: string,
    request: RunAbout,
  ): Promise<StartedWorkflow<Progress, Result>> => {
    try {
      const handle = await client.workflow.start(workflow, {
        ...{ taskQueue: place.taskQueue, workflowId, args: [request] },
        ...{ workflowIdConflictPolicy: 'FAIL', workflowIdReusePolicy: 'ALLOW_DUPLICATE' },
      });
      return started(handle, sdk, place, clock);
    } catch (thrown) {
      if (!(thrown instanceof sdk.WorkflowExecutionAlreadyStartedError)) throw serverError(thrown, place);
      throw new EdrlakeError('RUN_BUSY', `${request.pipeline} is already running: workflow ${workflowId}`, {
        context: { pipeline: request.pipeline, workflowId },
        hint: 'Wait for it, or cancel it with: temporal workflow cancel',
      });
    }
  };
  return {
    startRun: (request) => start(WORKFLOWS.run, runWorkflowId(request), request),
    startBackfill: (request) => start(WORKFLOWS.backfill, `${idOf(request)}/${request.from}..${request.to}`, request),
    close,
  };
}

/** A connected client. @throws {EdrlakeError} `CONFIG_INVALID`, `HOST_UNREACHABLE` */
export async function connectClient(
  place: TemporalPlace,
  connectTimeout = CONNECT_TIMEOUT,
): Promise<{
  readonly client: Client;
  readonly sdk: Sdk;
  readonly close: () => Promise<void>;
}> {
  const sdk = await loadClient();
  try {
    const connection = await sdk.Connection.connect({ ...connectionOf(place), connectTimeout });
    const client = new sdk.Client({ connection, namespace: place.namespace });
    return { client, sdk, close: () => connection.close() };
  } catch (thrown) {
    throw serverError(thrown, place);
  }
}

/** Two runs of one id cannot be at work at once: the same pipeline with the same params on the same lake. */
export function runWorkflowId({ given, ...about }: RunRequest): string {
  const params = [...given].sort();
  return params.length === 0 ? idOf(about) : `${idOf(about)}/${digestOf(params.join('\n'))}`;
}

/** `edrlake/acme/nightly`. Without a subscription the lake is in its place. */
export function idOf({ subscription, lake, pipeline }: RunAbout): string {
  return `edrlake/${subscription ?? digestOf(lake)}/${pipeline.replace(/^.*\//, '').replace(/\.[cm]?[jt]s$/, '')}`;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

function started<Progress, Result>(
  handle: WorkflowHandle,
  sdk: Sdk,
  place: TemporalPlace,
  clock: Clock,
): StartedWorkflow<Progress, Result> {
  return {
    workflowId: handle.workflowId,
    // Without a worker a query ends by its time-out; the run itself waits as long as it takes.
    progress: (from) => handle.query<Progress, [number]>(PROGRESS_QUERY, from).catch(() => null),
    pending: async () => {
      const described = await handle.describe().catch(() => null);
      return (described?.raw.pendingActivities ?? []).map(pendingOf);
    },
    result: async () => {
      try {
        return (await resultOf(handle, sdk, clock)) as Result;
      } catch (thrown) {
        const cause = thrown instanceof sdk.WorkflowFailedError ? thrown.cause : undefined;
        if (cause instanceof sdk.ApplicationFailure) throw refusal(cause);
        if (cause === undefined) throw serverError(thrown, place);
        throw endedFromOutside(handle.workflowId, cause, sdk);
      }
    },
  };
}

/** How long a server that was there may be away. */
const AWAY_MS = 600_000;
const ASK_AGAIN_MS = 2_000;

/** The result, also where the server restarts meanwhile. */
async function resultOf(handle: WorkflowHandle, sdk: Sdk, clock: Clock): Promise<unknown> {
  let awaySinceMs: number | null = null;
  for (;;) {
    const askedMs = clock.nowMs();
    try {
      return await handle.result();
    } catch (thrown) {
      if (!sdk.isGrpcServiceError(thrown) || !AWAY_CODES.has(thrown.code)) throw thrown;
      // A question that was open for long was answered by a server.
      if (clock.nowMs() - askedMs > AWAY_MS) awaySinceMs = null;
      awaySinceMs ??= clock.nowMs();
      if (clock.nowMs() - awaySinceMs > AWAY_MS) throw thrown;
      await clock.sleep(ASK_AGAIN_MS, NEVER);
    }
  }
}

/** Of gRPC: cancelled by a connection that broke, out of time, unavailable. */
const AWAY_CODES: ReadonlySet<number> = new Set([1, 4, 14]);

const NEVER = new AbortController().signal;

/** Of the protocol: the activity is at a worker. */
const STARTED = 2;

/** As the protocol has it. */
type RawPendingActivity = NonNullable<Described['raw']['pendingActivities']>[number];
type Described = Awaited<ReturnType<WorkflowHandle['describe']>>;

function pendingOf({ state, heartbeatDetails, lastFailure }: RawPendingActivity): PendingActivity {
  const data = heartbeatDetails?.payloads?.[0]?.data ?? null;
  const details = data === null ? null : (JSON.parse(Buffer.from(data).toString('utf8')) as HeartbeatDetails | null);
  return { details, isAtWork: state === STARTED, lastFailure: lastFailure?.message ?? null };
}

/** What a server, or a person at it, has done to a run: no worker could write down an end. */
export function endedFromOutside(
  workflowId: string,
  cause: Error,
  sdk: Pick<Sdk, 'TimeoutFailure' | 'TerminatedFailure'>,
): EdrlakeError {
  const hint = 'Start it again to go on: what was committed is kept.';
  if (cause instanceof sdk.TimeoutFailure) {
    const message = `workflow ${workflowId} did not end within the time limit that it has on the Temporal server`;
    return new EdrlakeError('TASK_TIMED_OUT', message, { disposition: 'stop', cause, hint });
  }
  const isTerminated = cause instanceof sdk.TerminatedFailure;
  const how = isTerminated ? `terminated on the Temporal server: ${cause.message}` : 'cancelled';
  return new EdrlakeError('INTERRUPTED', `workflow ${workflowId} was ${how}`, { cause, hint });
}

/** The error of edrlake that a worker has thrown. */
function refusal({ message, type, details }: InstanceType<Sdk['ApplicationFailure']>) {
  const code = (type ?? '') in ERROR_CODES ? (type as ErrorCode) : 'BUG';
  const [hint] = details ?? [];
  return new EdrlakeError(code, message, typeof hint === 'string' ? { hint } : {});
}

/** How often the progress of a run is asked for. */
const FOLLOW_MS = 1_000;

/** The packages of Temporal that a client needs. */
type Sdk = Awaited<ReturnType<typeof loadClient>>;

/** What is seen of a workflow while it is followed. */
export interface WorkflowNews<Progress> {
  /** null while no worker answers. */
  readonly progress: Progress | null;
  readonly pending: readonly PendingActivity[];
}

/** Follows a workflow to its end. Aborting the signal ends the following, not the workflow. */
export async function followWorkflow<Progress, Result>(
  workflow: StartedWorkflow<Progress, Result>,
  onNews: (news: WorkflowNews<Progress>) => void,
  knownLines: () => number,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Result> {
  const over = new AbortController();
  const look = async () => {
    const pending = await workflow.pending();
    onNews({ progress: await workflow.progress(knownLines()), pending });
  };
  const result = workflow.result().finally(() => over.abort());
  // Its error is thrown below.
  result.catch(() => undefined);
  const watched = AbortSignal.any([signal, over.signal]);
  const stopped = new Promise<never>((_, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  const watching = (async () => {
    while (!watched.aborted) {
      await look();
      await clock.sleep(FOLLOW_MS, watched).catch(() => undefined);
    }
  })();
  const ended = await Promise.race([result, stopped]);
  await watching;
  // What came last is news as well.
  await look();
  return ended;
}
