import { setMaxListeners } from 'node:events';
import { EdrlakeError } from '@edrlake/core';
import pLimit from 'p-limit';
import { openJournal, removeJournal } from '../../journal/journal-file.ts';
import type { AnyFacts, PartitionOutput, Pipeline } from '../definition/define-pipeline.ts';
import type { ParamValue } from '../definition/params.ts';
import type { TaskRegistry, WorkflowServices } from '../definition/task-registry.ts';
import { type CheckedPipeline, type CheckedTask, validatePipeline } from '../definition/validate-pipeline.ts';
import type { Liveness, PipelineLine, RunOutcome } from '../state/pipeline-journal.ts';
import { applyLine, isFinished, outcomeOf, type RunState, runOutcomeOf } from '../state/run-state.ts';
import { type LostWork, outputOf, type PipelineRunView, viewRun } from '../state/run-view.ts';
import { type Beginning, newRun, refuseBesideActive, resumedRun } from './begin-run.ts';
import type { RunInProgress } from './execute-task.ts';
import { hookBody, hookFor, type PostJson, sendHook } from './hooks.ts';
import { walkTasks } from './walk-tasks.ts';

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
    await walkTasks(checked, run, options.concurrency);
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
  return {
    identity: { pipeline: checked.pipeline.name, runId: options.runId, startedAtMs },
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
 * Calls the webhook of the outcome. It comes before the last line of the run, so that a crash in between delivers
 * twice, not never.
 */
async function callHook<Provided>(
  { hooks }: Pipeline,
  run: RunInProgress<Provided>,
  outcome: RunOutcome,
  post: PostJson | null,
): Promise<void> {
  const hook = hookFor(outcome);
  const webhook = hook === null ? undefined : hooks?.[hook];
  if (hook === null || webhook === undefined || post === null || run.state.reported === hook) return;
  const { pipeline, runId } = run.identity;
  const body = hookBody(viewRun(runId, run.state, true), outcome);
  const { delivered, tries, status } = await sendHook(webhook, body, post, run.services);
  await run.record({ type: 'hook', atMs: run.services.clock.nowMs(), hook, delivered, tries });
  run.services.emit({ type: 'hook', pipeline, runId, hook, delivered, tries, status });
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
