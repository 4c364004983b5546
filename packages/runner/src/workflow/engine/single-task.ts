import { isDeepStrictEqual } from 'node:util';
import { EdrlakeError } from '@edrlake/core';
import { openJournal, readJournal } from '../../journal/journal-file.ts';
import type {
  AnyFacts,
  Pipeline,
  RunIdentity,
  TaskCondition,
  TaskContext,
  TaskRegistry,
  WorkflowServices,
} from '../definition/define-pipeline.ts';
import { assertStatic } from '../definition/describe-pipeline.ts';
import { parseParams, resolveParams } from '../definition/params.ts';
import {
  type CheckedPipeline,
  type CheckedTask,
  inputOf,
  partitionsOf,
  thrownBy,
  validatePipeline,
} from '../definition/validate-pipeline.ts';
import {
  foldLines,
  type Liveness,
  type PipelineLine,
  type RunEngine,
  type RunState,
  type WorkflowRef,
} from '../state/run-state.ts';
import type { RunOutcome } from '../state/run-status.ts';
import type { LostWork } from '../state/run-view.ts';
import { journaledTasks, refuseBesideActive } from './begin-run.ts';
import { kept, reportUnit, timedAttempt, unitEnd } from './execute-task.ts';
import { callHook, callTaskHook, type PostJson } from './hooks.ts';

/** Attempts at once of a run. Tasks on the lake take turns in a process; others, such as webhooks, need not wait. */
export const TASKS_AT_ONCE = 4;

// What an engine that keeps the state of a run elsewhere asks of a process: one step at a time, each with its lines in
// the journal. A step that is repeated after a crash writes its lines again, and the last ones count.

/** The first line of a run. */
export type StartLine = Extract<PipelineLine, { readonly type: 'pipeline-start' }>;

/** A task as the engine has to know it. */
export interface StepTask {
  readonly name: string;
  readonly needs: readonly string[];
  readonly when: TaskCondition;
  readonly fansOut: boolean;
  /** Partitions in work at once. */
  readonly concurrency: number;
}

/** A run that has begun. */
export interface BegunRun {
  readonly start: StartLine;
  /** In order of execution. */
  readonly tasks: readonly StepTask[];
  /** Whole tasks that may be attempted at once. Absent in runs of versions that had them follow each other. */
  readonly atOnce?: number;
}

/** What every step needs. */
export interface StepTools<Provided> {
  readonly pipeline: Pipeline;
  readonly registry: TaskRegistry<Provided>;
  readonly provided: Provided;
  readonly runsDirectory: string;
  readonly liveness: Liveness;
  readonly services: WorkflowServices;
  readonly post: PostJson | null;
  /** As in `RunPipelineOptions`, of a run. */
  readonly readLostWork: (runId: string) => Promise<ReadonlyMap<string, LostWork>>;
  /** Keeps the whole journal where other machines find it; null where they see this one. */
  readonly keepEnded: ((runId: string, lines: readonly PipelineLine[]) => Promise<void>) | null;
}

/**
 * Begins a run: checks the pipeline and its params.
 * @param given `name=value` each
 * @throws {EdrlakeError} `USAGE`, `CONFIG_INVALID`; `RUN_BUSY` while a process runs the pipeline by itself
 */
export async function beginSteps<Provided>(
  tools: StepTools<Provided>,
  about: Omit<RunIdentity, 'pipeline'> & {
    readonly given: readonly string[];
    readonly engine: RunEngine;
    /** Where the engine keeps the state of the run. */
    readonly workflow: WorkflowRef | null;
  },
): Promise<BegunRun> {
  const { pipeline, liveness } = tools;
  const { runId, startedAtMs, given, engine, workflow } = about;
  const checked = validatePipeline(pipeline, tools.registry);
  const params = resolveParams(pipeline.params ?? {}, parseParams(pipeline.params ?? {}, given));
  assertStatic(checked, { params, startedAtMs });
  const { name } = pipeline;
  const tasks = journaledTasks(checked);
  const { owner } = liveness;
  const start: StartLine = {
    ...{ type: 'pipeline-start', atMs: startedAtMs, owner, pipeline: name, params, tasks, engine },
    ...(workflow !== null && { workflow }),
  };
  await refuseBesideActive(tools.runsDirectory, { pipeline: name, params, engine }, liveness, null);
  const record = await openRecord(tools, runId, start);
  await record.close();
  tools.services.emit({ type: 'pipeline', pipeline: name, runId, state: 'started' });
  return {
    start,
    tasks: checked.tasks.map(({ name, needs, when, spec }) => ({
      ...{ name, needs, when },
      fansOut: spec.forEach !== undefined,
      concurrency: spec.concurrency ?? TASKS_AT_ONCE,
    })),
    atOnce: TASKS_AT_ONCE,
  };
}

/** What the end of a run adds. */
export interface EndedRun {
  readonly lines: readonly PipelineLine[];
  /** By task; as far as the journals on this machine say. */
  readonly lost: readonly (readonly [string, LostWork])[];
}

/** One attempt, or one fan-out, that the engine orders. */
export interface StepOrder extends Omit<AnyFacts, 'partition' | 'params' | 'startedAtMs'> {
  readonly runId: string;
  readonly start: StartLine;
  readonly task: string;
  readonly partition: string | null;
  /** From 1. */
  readonly attempt: number;
}

/**
 * Runs one attempt of a task, or of one of its partitions.
 * @param isPostponed whether an error says that the attempt has to be made later; then it is thrown and does not count
 * @returns the lines of the attempt; the last one is its end, or the wait before the next one
 * @throws {EdrlakeError} the reason why it was stopped, or postponed
 */
export async function attemptStep<Provided>(
  tools: StepTools<Provided>,
  order: StepOrder,
  isPostponed: (error: EdrlakeError) => boolean,
): Promise<readonly PipelineLine[]> {
  const { services, provided, post } = tools;
  const { runId, start, partition, attempt } = order;
  const { clock, signal } = services;
  const { checked, task } = taskOf(tools, order);
  const identity = { pipeline: start.pipeline, runId, startedAtMs: start.atMs };
  const record = await openRecord(tools, runId, start);
  try {
    const unit = { task: task.name, partition };
    await record.append({ type: 'task-start', atMs: clock.nowMs(), ...unit });
    reportUnit({ identity, services }, task.name, partition, { state: 'started', attempt, delayMs: null, error: null });
    const ended = await timedAttempt(
      (ownSignal) => {
        const own = { ...services, signal: ownSignal };
        const run = { identity, record: record.append, services: own };
        const context: TaskContext<Provided> = {
          ...{ run: identity, task: task.name, partition, attempt, provided, services: own },
          notify: (hook, body) => callTaskHook(checked.pipeline, run, { hook, body }, post),
        };
        return callTask(task, factsOf(order), context);
      },
      { clock, timeoutMs: task.spec.timeoutMs ?? null, signal },
    );
    if (ended.end === 'stopped') throw stopReason(signal);
    const { outcome, output, error } = unitEnd(ended, task.name);
    if (error !== null && isPostponed(error)) throw error;
    const { attempts, firstDelayMs, maxDelayMs } = task.retries;
    const summary = error === null ? null : kept(error);
    if (error === null || summary === null || error.disposition !== 'retry' || attempt >= attempts) {
      await record.append({
        type: 'task-end',
        atMs: clock.nowMs(),
        ...unit,
        outcome,
        output,
        error: summary,
        reason: null,
      });
      reportUnit({ identity, services }, task.name, partition, { state: outcome, attempt, delayMs: null, error });
      return record.lines;
    }
    const delayMs = Math.floor(services.random() * Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1)));
    await record.append({ type: 'task-retry', atMs: clock.nowMs(), ...unit, delayMs, error: summary });
    reportUnit({ identity, services }, task.name, partition, { state: 'retry', attempt, delayMs, error });
    return record.lines;
  } finally {
    await record.close();
  }
}

/**
 * The partitions of a task that fans out.
 * @param most partitions that the engine takes
 * @returns a `fan-out` line, or the end of the task where its function failed
 */
export async function fanOutStep<Provided>(
  tools: StepTools<Provided>,
  order: Omit<StepOrder, 'partition' | 'attempt'>,
  most: number,
): Promise<readonly PipelineLine[]> {
  const { task } = taskOf(tools, order);
  const record = await openRecord(tools, order.runId, order.start);
  const atMs = tools.services.clock.nowMs();
  try {
    const partitions = partitionsOf(task, factsOf({ ...order, partition: null }));
    if (partitions.length > most) {
      throw new EdrlakeError('CONFIG_INVALID', `the forEach of task "${task.name}" gave more than ${most} parts`, {
        hint: 'Make the parts larger, or run the pipeline several times.',
      });
    }
    await record.append({ type: 'fan-out', atMs, task: task.name, partitions });
  } catch (thrown) {
    const error = kept(thrownBy(`the forEach of task "${task.name}"`, thrown));
    const end = { outcome: 'failed', output: null, error, reason: null, partition: null } as const;
    await record.append({ type: 'task-end', atMs, task: task.name, ...end });
  } finally {
    await record.close();
  }
  return record.lines;
}

/**
 * Ends a run: writes what the engine has decided by itself, calls the hook of the outcome, and writes the last line.
 * @param lines all lines of the run but the first, as the engine has them
 * @param unwritten those of them that are in no journal yet
 * @returns the lines that came on top, and the work of attempts without a result
 */
export async function endSteps<Provided>(
  tools: StepTools<Provided>,
  run: { readonly runId: string; readonly start: StartLine },
  about: { readonly lines: readonly PipelineLine[]; readonly unwritten: readonly PipelineLine[] },
  outcome: RunOutcome,
): Promise<EndedRun> {
  const { services, pipeline, post } = tools;
  const { runId, start } = run;
  const state: RunState | null = foldLines([start, ...about.lines]);
  if (state === null) throw new EdrlakeError('BUG', `run ${runId} has no first line`);
  const identity = { pipeline: start.pipeline, runId, startedAtMs: start.atMs };
  const record = await openRecord(tools, runId, start);
  try {
    for (const line of about.unwritten) await record.append(line);
    const before = record.lines.length;
    await callHook(pipeline, { identity, state, services, record: record.append }, outcome, post);
    await record.append({ type: 'pipeline-end', atMs: services.clock.nowMs(), outcome });
    services.emit({ type: 'pipeline', pipeline: start.pipeline, runId, state: outcome });
    const added = record.lines.slice(before);
    await tools.keepEnded?.(runId, [start, ...about.lines, ...added]);
    return { lines: added, lost: [...(await tools.readLostWork(runId))] };
  } finally {
    await record.close();
  }
}

function taskOf<Provided>(
  { pipeline, registry }: StepTools<Provided>,
  { start, task: name }: Pick<StepOrder, 'start' | 'task'>,
): { readonly checked: CheckedPipeline<Provided>; readonly task: CheckedTask<Provided> } {
  const checked = validatePipeline(pipeline, registry);
  const task = checked.tasks.find((each) => each.name === name);
  const [before, now] = [start.tasks, journaledTasks(checked)].map((all) => all.find((each) => each.name === name));
  if (task !== undefined && JSON.stringify(before) === JSON.stringify(now)) return { checked, task };
  throw new EdrlakeError(
    'CONFIG_INVALID',
    `pipeline "${pipeline.name}", task "${name}": changed since the run started`,
    {
      hint: 'Start a new run.',
    },
  );
}

async function callTask<Provided>(
  task: CheckedTask<Provided>,
  facts: AnyFacts,
  context: TaskContext<Provided>,
): Promise<unknown> {
  if (task.spec.run !== undefined) return await task.spec.run(facts, context);
  return await task.registered?.run(inputOf(task, facts), context);
}

function factsOf(order: Omit<StepOrder, 'attempt'>): AnyFacts {
  const { start, outputs, partitionOutputs, partition } = order;
  return { params: start.params, outputs, partitionOutputs, startedAtMs: start.atMs, partition: partition ?? '' };
}

function stopReason({ reason }: AbortSignal): unknown {
  return reason instanceof EdrlakeError ? reason : new EdrlakeError('INTERRUPTED', 'stopped before the end');
}

/** The journal of a run on this machine. It begins with the first line of the run, and says who works on it. */
async function openRecord<Provided>(
  { runsDirectory, liveness, services }: StepTools<Provided>,
  runId: string,
  start: StartLine,
) {
  const known = foldLines(await readJournal(runsDirectory, runId));
  const journal = await openJournal<PipelineLine>(runsDirectory, runId, 'continue');
  const { owner } = liveness;
  const isOwn = isDeepStrictEqual(known?.legs.at(-1)?.owner, owner);
  if (known === null) await journal.append({ ...start, owner });
  else if (!isOwn) await journal.append({ type: 'pipeline-join', atMs: services.clock.nowMs(), owner });
  const lines: PipelineLine[] = [];
  return {
    /** What was appended, in order. */
    lines: lines as readonly PipelineLine[],
    append: async (line: PipelineLine) => {
      await journal.append(line);
      lines.push(line);
    },
    close: journal.close,
  };
}
