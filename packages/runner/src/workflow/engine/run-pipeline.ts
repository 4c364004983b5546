import { setMaxListeners } from 'node:events';
import { EdrlakeError } from '@edrlake/core';
import pLimit from 'p-limit';
import { openJournal, removeJournal } from '../../journal/journal-file.ts';
import type {
  AnyFacts,
  PartitionOutput,
  Pipeline,
  TaskRegistry,
  WorkflowServices,
} from '../definition/define-pipeline.ts';
import type { ParamValue } from '../definition/params.ts';
import {
  type CheckedPipeline,
  type CheckedTask,
  partitionsOf,
  thrownBy,
  validatePipeline,
} from '../definition/validate-pipeline.ts';
import {
  applyLine,
  isSettled,
  type Liveness,
  outcomeOf,
  type PipelineLine,
  type RunState,
  runOutcomeOf,
  type UnitState,
} from '../state/run-state.ts';
import { isFinished, type RunOutcome } from '../state/run-status.ts';
import { type LostWork, outputOf, type PipelineRunView, viewRun } from '../state/run-view.ts';
import { verdictOn } from '../state/verdict.ts';
import { type Beginning, newRun, refuseBesideActive, resumedRun } from './begin-run.ts';
import { endUnit, type RunInProgress, reportUnit, runUnit } from './execute-task.ts';
import { callHook, callTaskHook, type PostJson } from './hooks.ts';

// A run, from its first line to its last:
//
//     runPipeline ─► beginning (begin-run.ts): a new run, or one that is resumed where its journal ends
//         │
//     runTasks ────► settleTask, once the needs of the task have ended: skip it, run it, or run each of its partitions
//         │              └► runUnit (execute-task.ts): attempts, their time limits, and the waits between them
//         │
//     callHook (hooks.ts), then the last line

/** What a run of a pipeline needs. */
export interface RunPipelineOptions<Provided> {
  readonly registry: TaskRegistry<Provided>;
  /** Given to all tasks as `context.provided`. */
  readonly provided: Provided;
  /** Given values; declared defaults fill in the rest. Must be empty for a resumed run, which keeps its own. */
  readonly params: Readonly<Record<string, ParamValue>>;
  /** Attempts that run at once, partitions of fan-outs included. */
  readonly concurrency: number;
  /** `<lake>/_runs`, created if missing. */
  readonly runsDirectory: string;
  /** A new, unique id that sorts by time; or, to resume, the id of the run. */
  readonly runId: string;
  readonly resume: boolean;
  readonly services: WorkflowServices;
  readonly liveness: Liveness;
  /** Sends webhooks; null sends none. */
  readonly post: PostJson | null;
  /**
   * The work of attempts of tasks that left no result, by task: the functions they called may have a journal of their
   * own.
   */
  readonly readLostWork: () => Promise<ReadonlyMap<string, LostWork>>;
}

/** The exit code of the command for each end of a run. */
export const RUN_EXIT_CODES: Readonly<Record<RunOutcome, number>> = {
  done: 0,
  failed: 1,
  partly: 3,
  mismatch: 4,
  rejected: 6,
  interrupted: 130,
};

/** How a run ended, with everything that the history shows of it. */
export interface RunResult extends PipelineRunView {
  readonly state: RunOutcome;
}

/**
 * Runs a pipeline, or resumes a run of it that failed, was stopped or died. Each task starts once its needs have ended.
 * Failures are in the result, not thrown. Each change is on disk before the next step relies on it: after a crash at
 * any moment, a resumed run repeats what was in progress, and nothing that was finished. Resuming a finished run does
 * nothing and returns its result again.
 *
 * @throws {EdrlakeError} before anything starts: `CONFIG_INVALID` for the pipeline, also when its tasks differ from
 * those of the run to resume; `USAGE` for params; `RUN_MISSING`, `RUN_BUSY` for the run. Later only when the journal
 * cannot be written: the tasks are then stopped, because their work could not be recorded.
 */
export async function runPipeline<Provided>(
  pipeline: Pipeline,
  options: RunPipelineOptions<Provided>,
): Promise<RunResult> {
  const checked = validatePipeline(pipeline, options.registry);
  const { runsDirectory, runId, resume, services } = options;
  const { line, state } = await beginning(checked, options);
  if (line === null) return resultOf(options, state);
  const journal = await openJournal<PipelineLine>(runsDirectory, runId, resume ? 'continue' : 'new');
  const stopper = new AbortController();
  // One listener for each running attempt; there may be many.
  setMaxListeners(0, stopper.signal);
  const stop = () => stopper.abort(services.signal.reason);
  services.signal.addEventListener('abort', stop, { once: true });
  if (services.signal.aborted) stop();
  try {
    const write = async (next: PipelineLine) => {
      try {
        await journal.append(next);
      } catch (cause) {
        const error = new EdrlakeError('LAKE_UNWRITABLE', `the journal of run ${runId} cannot be written`, { cause });
        stopper.abort(error);
        throw error;
      }
    };
    await write(line);
    if (!resume) await yieldToEarlier(options, state);
    const record = async (next: PipelineLine) => {
      await write(next);
      applyLine(state, next);
    };
    const run = inProgress(checked, options, { state, record, signal: stopper.signal });
    emitState(run, resume ? 'resumed' : 'started');
    await runTasks(checked, run, options.concurrency);
    const outcome = runOutcomeOf(state);
    await callHook(checked.pipeline, run, outcome, options.post);
    await record({ type: 'pipeline-end', atMs: services.clock.nowMs(), outcome });
    emitState(run, outcome);
    return await resultOf(options, state);
  } finally {
    services.signal.removeEventListener('abort', stop);
    await journal.close();
  }
}

/** Two runs that begin at once see each other only after both have written their first line; the later one ends. */
async function yieldToEarlier<Provided>(
  { runsDirectory, runId, liveness, services }: RunPipelineOptions<Provided>,
  state: RunState,
): Promise<void> {
  const { clock, signal } = services;
  const { startedAtMs } = state;
  try {
    await refuseBesideActive(runsDirectory, state, liveness, { runId, startedAtMs, clock, signal });
  } catch (thrown) {
    // It did nothing that the history would show.
    await removeJournal(runsDirectory, runId);
    throw thrown;
  }
}

async function beginning<Provided>(
  checked: CheckedPipeline<Provided>,
  { resume, params, liveness, services, ...options }: RunPipelineOptions<Provided>,
): Promise<Beginning> {
  const nowMs = services.clock.nowMs();
  if (!resume) {
    const begun = newRun(checked, params, liveness, nowMs);
    await refuseBesideActive(options.runsDirectory, begun.state, liveness, null);
    return begun;
  }
  if (Object.keys(params).length === 0) return await resumedRun(checked, options, liveness, nowMs);
  throw new EdrlakeError('USAGE', 'a resumed run keeps the params it was started with', {
    hint: 'Leave out --param, or start a new run.',
  });
}

function inProgress<Provided>(
  checked: CheckedPipeline<Provided>,
  options: RunPipelineOptions<Provided>,
  { state, record, signal }: Pick<RunInProgress<Provided>, 'state' | 'record'> & { readonly signal: AbortSignal },
): RunInProgress<Provided> {
  const { startedAtMs, params } = state;
  // All upstream tasks have ended when a task first asks, so its partitions and attempts can share one answer.
  const upstream = new Map<string, UpstreamResults>();
  const identity = { pipeline: checked.pipeline.name, runId: options.runId, startedAtMs };
  return {
    identity,
    notify: (hook, body, services) =>
      callTaskHook(checked.pipeline, { identity, record, services }, { hook, body }, options.post),
    state,
    services: { ...options.services, signal },
    provided: options.provided,
    limit: pLimit(options.concurrency),
    record,
    factsFor: (task, partition): AnyFacts => {
      const above = upstream.get(task.name) ?? upstreamResults(task, state);
      upstream.set(task.name, above);
      return { params, ...above, startedAtMs, partition: partition ?? '' };
    },
  };
}

type UpstreamResults = Pick<AnyFacts, 'outputs' | 'partitionOutputs'>;

function upstreamResults<Provided>(task: CheckedTask<Provided>, state: RunState): UpstreamResults {
  const outputs: Record<string, unknown> = {};
  const partitionOutputs: Record<string, readonly PartitionOutput<unknown>[]> = {};
  for (const name of task.upstream) {
    const above = state.tasks.get(name);
    if (above === undefined) continue;
    const output = outputOf(above);
    if (above.parts !== null) partitionOutputs[name] = output as unknown as readonly PartitionOutput<unknown>[];
    else if (isFinished(outcomeOf(above))) outputs[name] = output;
  }
  return { outputs: Object.freeze(outputs), partitionOutputs: Object.freeze(partitionOutputs) };
}

/**
 * Runs each task once its needs have ended; the slots of the run bound how many attempts run at once. When the run is
 * stopped, tasks that have not begun stay pending.
 * @throws {EdrlakeError} when a change cannot be recorded in the journal; by then nothing is running.
 */
async function runTasks<Provided>(
  { tasks }: CheckedPipeline<Provided>,
  run: RunInProgress<Provided>,
  concurrency: number,
): Promise<void> {
  const settled = new Map<string, Promise<void>>();
  for (const task of tasks) {
    const needs = task.needs.map((need) => settled.get(need));
    settled.set(
      task.name,
      Promise.all(needs).then(() => settleTask(task, run, concurrency)),
    );
  }
  const broken = (await Promise.allSettled(settled.values())).find((result) => result.status === 'rejected');
  if (broken !== undefined) throw broken.reason;
}

async function settleTask<Provided>(
  task: CheckedTask<Provided>,
  run: RunInProgress<Provided>,
  concurrency: number,
): Promise<void> {
  if (run.services.signal.aborted) return;
  if (isSettled(run.state, task.name)) {
    reportUnit(run, task.name, null, { state: 'reused', attempt: 0, delayMs: null, error: null });
    return;
  }
  const verdict = verdictOn(task, run.state);
  if (verdict === 'wait') return;
  if (verdict !== 'run') {
    const end = { outcome: 'skipped', output: null, error: null, reason: verdict, partition: null } as const;
    await run.record({ type: 'task-end', atMs: run.services.clock.nowMs(), task: task.name, ...end });
    reportUnit(run, task.name, null, { state: 'skipped', attempt: 0, delayMs: null, error: null });
  } else if (task.spec.forEach === undefined) {
    await runUnit(run, task, null);
  } else {
    await runFanOut(run, task, concurrency);
  }
}

/**
 * Runs a task once for each of its partitions, in their order as far as concurrency allows. Each partition has its own
 * attempts and its own end in the journal, so a failure affects no other partition. A resumed run keeps the partitions
 * with which it began.
 */
async function runFanOut<Provided>(
  run: RunInProgress<Provided>,
  task: CheckedTask<Provided>,
  concurrency: number,
): Promise<void> {
  const parts = await partsOf(run, task);
  if (parts === null) return;
  const pending = [...parts.values()].filter(({ outcome }) => !isFinished(outcome)).values();
  const work = async () => {
    // All workers take from one iterator, so that each partition is taken once.
    for (const { partition } of pending) {
      if (run.services.signal.aborted) return;
      await runUnit(run, task, partition);
    }
  };
  const workers = Array.from({ length: Math.min(task.spec.concurrency ?? concurrency, parts.size) }, work);
  const broken = (await Promise.allSettled(workers)).find((worker) => worker.status === 'rejected');
  if (broken !== undefined) throw broken.reason;
}

/** The partitions of the journal, recorded now if it has none; null if they are unknown. */
async function partsOf<Provided>(
  run: RunInProgress<Provided>,
  task: CheckedTask<Provided>,
): Promise<ReadonlyMap<string, UnitState> | null> {
  const known = run.state.tasks.get(task.name)?.parts ?? null;
  if (known !== null) return known;
  let partitions: readonly string[];
  try {
    partitions = partitionsOf(task, run.factsFor(task, null));
  } catch (thrown) {
    const error = thrownBy(`the forEach of task "${task.name}"`, thrown);
    await endUnit(run, task, null, 0, { outcome: 'failed', output: null, error });
    return null;
  }
  await run.record({ type: 'fan-out', atMs: run.services.clock.nowMs(), task: task.name, partitions });
  return run.state.tasks.get(task.name)?.parts ?? null;
}

function emitState<Provided>(run: RunInProgress<Provided>, state: RunOutcome | 'started' | 'resumed'): void {
  const { pipeline, runId } = run.identity;
  run.services.emit({ type: 'pipeline', pipeline, runId, state });
}

/** The result as the history shows it. */
async function resultOf<Provided>(
  { runId, readLostWork }: RunPipelineOptions<Provided>,
  state: RunState,
): Promise<RunResult> {
  const view = viewRun(runId, state, false, await readLostWork());
  return { ...view, state: state.end ?? runOutcomeOf(state) };
}
