import { setMaxListeners } from 'node:events';
import {
  type Clock,
  type EdrlakeError,
  type Emit,
  MS_PER_SECOND,
  type Random,
  type RunEvent,
  toEdrlakeError,
} from '@edrlake/core';
import { attemptStep, beginSteps, divideDays, endSteps, fanOutStep } from '@edrlake/runner';
import type { WorkflowRef } from '@edrlake/runner/run-state';
import type { loadWorker } from '../client/load-sdk.ts';
import { type HeartbeatDetails, MOST_PENDING, type RunAbout, type RunActivities } from '../contract/contract.ts';
import type { RunHost, RunHosts } from './run-hosts.ts';

/** Shows what a worker does for a run. */
export interface WorkerView {
  readonly emit: Emit;
  readonly log: (level: 'info' | 'warn' | 'debug', text: string) => void;
}

/** What activities need of their worker. */
export interface ActivityTools {
  readonly sdk: Pick<Awaited<ReturnType<typeof loadWorker>>, 'Context' | 'ApplicationFailure'>;
  readonly hosts: RunHosts;
  readonly clock: Clock;
  readonly random: Random;
  readonly viewFor: (about: RunAbout) => WorkerView;
  /** Aborted when the worker is stopped. */
  readonly stopping: AbortSignal;
}

/** How often an activity shows that it is alive. With it comes the news that it was cancelled. */
const HEARTBEAT_MS = 1_000;

/** A request that would wait longer gives the slot of its activity back. */
const PATIENCE_MS = 15_000;

/** After this number of attempts in a row without a page, the next one keeps its slot until it gets its requests. */
const MOST_FRUITLESS = 3;

/** How long to wait until another process has ended, or is known to be dead. */
const BUSY_MS = 10_000;

/** Attempts that resumed within moments of each other would ask at the same instant. */
const SPREAD_MS = 2_000;

/** The activities of a worker: what the engine orders, with what this machine has. */
export function runActivities(tools: ActivityTools): RunActivities {
  const { clock, random, hosts } = tools;
  const step = <T>(
    about: RunAbout,
    runId: string,
    work: (host: RunHost, beat: Beat, signal: AbortSignal) => Promise<T>,
  ): Promise<T> =>
    activity(tools, about, (beat, signal) => hosts.use(runId, about, (host) => work(host, beat, signal)));
  const servicesOf = (about: RunAbout, beat: Beat, signal: AbortSignal) => {
    const { emit } = tools.viewFor(about);
    const observed: Emit = (event) => {
      beat.observe(event);
      emit(event);
    };
    return { clock, random, emit: observed, signal };
  };
  return {
    divide: (about, { workflowId, from, to }) =>
      step(about, workflowId, (host, beat, signal) => {
        host.setPatience(PATIENCE_MS);
        return host.provided.useLake(
          async ({ connection }) => {
            const before = connection.requestsMade();
            const parts = await divideDays(connection.source, { from, to }, signal);
            return { parts, requests: connection.requestsMade() - before };
          },
          servicesOf(about, beat, signal),
        );
      }),
    beginRun: (about, run) =>
      step(about, run.runId, (host, beat, signal) =>
        beginSteps(
          { ...host, services: servicesOf(about, beat, signal) },
          { ...run, engine: 'temporal', workflow: workflowOf(tools) },
        ),
      ),
    fanOut: (about, order) =>
      step(about, order.runId, (host, beat, signal) =>
        fanOutStep({ ...host, services: servicesOf(about, beat, signal) }, order, MOST_PENDING),
      ),
    attemptTask: (about, order) =>
      step(about, order.runId, (host, beat, signal) => {
        beat.begin(order.task, order.partition);
        host.setPatience(beat.fruitless >= MOST_FRUITLESS ? Number.POSITIVE_INFINITY : PATIENCE_MS);
        return attemptStep(
          { ...host, services: servicesOf(about, beat, signal) },
          order,
          (error) => laterMs(error, clock.nowMs()) !== null,
        );
      }),
    endRun: (about, { runId, start, lines, unwritten, outcome }) =>
      step(about, runId, (host, beat, signal) =>
        endSteps(
          { ...host, services: servicesOf(about, beat, signal) },
          { runId, start },
          { lines, unwritten },
          outcome,
        ),
      ),
  };
}

/** That of the activity. */
function workflowOf({ sdk }: ActivityTools): WorkflowRef | null {
  const { workflowExecution } = sdk.Context.current().info;
  return workflowExecution === undefined ? null : { id: workflowExecution.workflowId, runId: workflowExecution.runId };
}

/** After which time an error may have passed that says nothing of the task itself; null where it is final. */
function laterMs({ code, context }: EdrlakeError, nowMs: number): number | null {
  if (code === 'RUN_BUSY' && context.pipeline === undefined) return BUSY_MS;
  if (code === 'LEASE_LOST') return 0;
  if (code !== 'REQUESTS_SPENT') return null;
  const { readyAtMs } = context;
  return typeof readyAtMs === 'number' ? Math.max(0, readyAtMs - nowMs) : BUSY_MS;
}

/** Shows what an attempt does. */
interface Beat {
  /** Earlier attempts in a row that got no page for lack of requests. */
  readonly fruitless: number;
  begin(task: string, partition: string | null): void;
  observe(event: RunEvent): void;
}

/**
 * Runs an activity: with heartbeats, a signal that is aborted when it is cancelled or its worker is stopped, and errors
 * that say whether and when another attempt follows.
 */
async function activity<T>(
  { sdk, clock, random, stopping, viewFor }: ActivityTools,
  about: RunAbout,
  work: (beat: Beat, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const context = sdk.Context.current();
  const signal = AbortSignal.any([context.cancellationSignal, stopping]);
  // Each request in flight and each wait listens, and the task decides how many there are.
  setMaxListeners(0, signal);
  const before = (context.info.heartbeatDetails ?? null) as HeartbeatDetails | null;
  const fruitless = before === null || before.pages > 0 ? 0 : before.fruitless;
  const progress = { task: '', partition: null as string | null, pages: 0, windows: 0, commits: 0, fruitless };
  const show = () => context.heartbeat({ ...progress } satisfies HeartbeatDetails);
  const beat: Beat = {
    fruitless,
    begin: (task, partition) => Object.assign(progress, { task, partition }),
    observe: ({ type }) => {
      if (type === 'page') progress.pages += 1;
      else if (type === 'window') progress.windows += 1;
      else if (type === 'commit') progress.commits += 1;
    },
  };
  const over = new AbortController();
  const beating = (async () => {
    while (!over.signal.aborted) {
      show();
      await clock.sleep(HEARTBEAT_MS, over.signal).catch(() => undefined);
    }
  })();
  try {
    return await work(beat, signal);
  } catch (thrown) {
    const { ApplicationFailure } = sdk;
    // What was cancelled says so with the reason of its signal. A stopped worker cancels as well, and that passes.
    if (!stopping.aborted) context.cancellationSignal.throwIfAborted();
    const error = toEdrlakeError(thrown);
    const { code, message, hint } = error;
    const failure = { message, type: code, details: [hint], cause: error };
    const { log } = viewFor(about);
    const what = progress.task === '' ? about.pipeline : `${about.pipeline}, ${progress.task}`;
    if (stopping.aborted) throw ApplicationFailure.create({ ...failure, nextRetryDelay: 1 });
    const delayMs = laterMs(error, clock.nowMs());
    // What a task itself met is in its result; this is the worker's, and passes.
    if (delayMs === null) log('warn', `${what}: ${message} [${code}]`);
    if (delayMs === null && error.disposition === 'retry') throw ApplicationFailure.create(failure);
    if (delayMs === null) throw ApplicationFailure.create({ ...failure, nonRetryable: true });
    log('info', `${what}: given back for ${Math.ceil(delayMs / MS_PER_SECOND)} s: ${message}`);
    if (code === 'REQUESTS_SPENT' && progress.pages === 0) {
      progress.fruitless += 1;
      // The next attempt gets what the last heartbeat said, and the worker sends one a second.
      show();
      await clock.sleep(HEARTBEAT_MS + 100, stopping).catch(() => undefined);
    }
    throw ApplicationFailure.create({ ...failure, nextRetryDelay: delayMs + Math.ceil(random() * SPREAD_MS) });
  } finally {
    over.abort();
    await beating;
  }
}
