import type { ProcessOwner } from '@edrlake/core';
import { type PlainData, TASK_HOOKS, type TaskHook } from '../definition/define-pipeline.ts';
import type { ParamValue } from '../definition/params.ts';
import { isFinished, type RunOutcome, type RunStatus, type TaskOutcome } from './run-status.ts';

// The lines of a run's journal, and the state of the run, which is the fold of these lines.

/** How a reader finds out whether the process of a run is alive, and what a server says that keeps its state. */
export interface RunLook {
  isOwnerAlive(owner: ProcessOwner): boolean;
  /**
   * The status of a run without a last line whose state an engine keeps; null for one that is too old to be found
   * there. Absent: such a run is unknown.
   */
  readonly askEngine?: (workflow: WorkflowRef | null) => Promise<RunStatus>;
}

/** The identity of this process, and how to find out whether another one is alive; certainty may take a while. */
export interface Liveness {
  readonly owner: ProcessOwner;
  isOwnerAlive(owner: ProcessOwner): boolean | Promise<boolean>;
}

/** A webhook of a pipeline, by the outcomes that it reports, or what a task has found. */
export type HookName = 'onSuccess' | 'onFailure' | 'onMismatch' | 'onRejects' | TaskHook;

/** The stored part of an error: from edrlake's own errors, which hold no secrets. */
export interface ErrorSummary {
  readonly code: string;
  readonly message: string;
}

/** An engine that keeps the state of a run, and hands its tasks to the processes that write its journal. */
export type RunEngine = 'temporal';

/** Where an engine keeps the state of a run: a workflow, and the first of its executions. */
export interface WorkflowRef {
  readonly id: string;
  readonly runId: string;
}

/** A task as it was when the run started. */
export interface JournaledTask {
  readonly name: string;
  readonly uses: string | null;
  readonly needs: readonly string[];
  readonly fansOut: boolean;
}

/** One line of the journal of a pipeline's run, in order. `partition` is null for a task as a whole. */
export type PipelineLine =
  | {
      readonly type: 'pipeline-start';
      readonly atMs: number;
      readonly owner: ProcessOwner;
      readonly pipeline: string;
      readonly params: Readonly<Record<string, ParamValue>>;
      /** In order of execution. */
      readonly tasks: readonly JournaledTask[];
      /** What keeps the state of the run, where that is not the process that writes its journal. */
      readonly engine?: RunEngine;
      /** Absent in runs of older versions, and without an engine. */
      readonly workflow?: WorkflowRef;
    }
  | {
      /** Another process works on it as well, in the order of an engine that keeps the state elsewhere. */
      readonly type: 'pipeline-join';
      readonly atMs: number;
      readonly owner: ProcessOwner;
    }
  | {
      readonly type: 'pipeline-resume';
      readonly atMs: number;
      readonly owner: ProcessOwner;
      /** Tasks whose results, if they have any, are void because one of their needs is repeated. */
      readonly again: readonly string[];
    }
  | { readonly type: 'fan-out'; readonly atMs: number; readonly task: string; readonly partitions: readonly string[] }
  | { readonly type: 'task-start'; readonly atMs: number; readonly task: string; readonly partition: string | null }
  | {
      readonly type: 'task-retry';
      readonly atMs: number;
      readonly task: string;
      readonly partition: string | null;
      readonly delayMs: number;
      readonly error: ErrorSummary;
    }
  | {
      readonly type: 'task-end';
      readonly atMs: number;
      readonly task: string;
      readonly partition: string | null;
      readonly outcome: TaskOutcome;
      readonly output: PlainData;
      readonly error: ErrorSummary | null;
      /** Only for `skipped`: a need ended badly, or the condition of the task was not met. */
      readonly reason: 'need-failed' | 'not-needed' | null;
    }
  | {
      readonly type: 'hook';
      readonly atMs: number;
      readonly hook: HookName;
      readonly delivered: boolean;
      /** All attempts. */
      readonly tries: number;
      /** Why it was not delivered; null where it was. Journals of before 2026-12 have none. */
      readonly reason?: string | null;
    }
  | { readonly type: 'pipeline-end'; readonly atMs: number; readonly outcome: RunOutcome };

/** The state of a task as a whole or of one partition, by the journal. */
export interface UnitState {
  readonly partition: string | null;
  /** Attempts started, by all processes of the run. */
  attempts: number;
  startedAtMs: number | null;
  endedAtMs: number | null;
  /** Time spent in attempts, without the waits between them. */
  activeMs: number;
  /** The start of the current attempt, or null. */
  runningSinceMs: number | null;
  /** null while it has not ended: not started, running, waiting for a retry, or its process died. */
  outcome: TaskOutcome | null;
  output: PlainData;
  error: ErrorSummary | null;
  reason: 'need-failed' | 'not-needed' | null;
}

/** A task and, with a fan-out, its partitions in order. */
export interface TaskState {
  readonly task: JournaledTask;
  readonly whole: UnitState;
  /** By partition; null without a fan-out, or if the partitions are not known yet. */
  parts: ReadonlyMap<string, UnitState> | null;
}

/** A period in which one process worked on the run. */
export interface RunLeg {
  readonly owner: ProcessOwner;
  readonly startedAtMs: number;
  /** The time of its last line. */
  lastAtMs: number;
}

/** The state of a pipeline run: the fold of the lines of its journal. */
export interface RunState {
  readonly pipeline: string;
  readonly params: Readonly<Record<string, ParamValue>>;
  readonly startedAtMs: number;
  /** null: the process that writes the journal. */
  readonly engine: RunEngine | null;
  /** Where the engine keeps it, as far as the journal says. */
  readonly workflow: WorkflowRef | null;
  readonly tasks: ReadonlyMap<string, TaskState>;
  readonly legs: RunLeg[];
  readonly hooks: Extract<PipelineLine, { type: 'hook' }>[];
  /** The hook that was delivered for the current state; null again after a change. */
  reported: HookName | null;
  /** null while it has not ended, or was resumed since. */
  end: RunOutcome | null;
}

/** The state after the first line. */
export function startState(line: Extract<PipelineLine, { type: 'pipeline-start' }>): RunState {
  const { pipeline, params, atMs, owner, tasks, engine = null, workflow = null } = line;
  return {
    pipeline,
    params,
    startedAtMs: atMs,
    engine,
    workflow,
    tasks: new Map(tasks.map((task) => [task.name, { task, whole: newUnit(null), parts: null }])),
    legs: [{ owner, startedAtMs: atMs, lastAtMs: atMs }],
    hooks: [],
    reported: null,
    end: null,
  };
}

/** The state after all lines, or null where the first is not the start of a pipeline's run. */
export function foldLines(lines: readonly { readonly type: string }[]): RunState | null {
  const [first, ...rest] = lines as readonly PipelineLine[];
  if (first?.type !== 'pipeline-start') return null;
  const state = startState(first);
  for (const line of rest) applyLine(state, line);
  return state;
}

/** Applies one more line to the state. Lines of unknown types or tasks change nothing. */
export function applyLine(state: RunState, line: PipelineLine): void {
  const leg = state.legs.at(-1);
  switch (line.type) {
    case 'pipeline-resume':
      for (const unit of unitsOf(state)) stopClock(unit, leg?.lastAtMs ?? line.atMs);
      for (const task of state.tasks.values()) reopen(task, line.again.includes(task.task.name));
      state.legs.push({ owner: line.owner, startedAtMs: line.atMs, lastAtMs: line.atMs });
      state.end = null;
      return;
    case 'pipeline-join':
      state.legs.push({ owner: line.owner, startedAtMs: line.atMs, lastAtMs: line.atMs });
      return;
    case 'fan-out': {
      const task = state.tasks.get(line.task);
      if (task) task.parts = new Map(line.partitions.map((partition) => [partition, newUnit(partition)]));
      break;
    }
    case 'task-start':
    case 'task-retry':
    case 'task-end':
      state.reported = null;
      applyToUnit(unitOf(state, line.task, line.partition), line);
      break;
    case 'hook':
      state.hooks.push(line);
      if (line.delivered && !TASK_HOOKS.some((hook) => hook === line.hook)) state.reported = line.hook;
      break;
    case 'pipeline-end':
      state.end = line.outcome;
      break;
  }
  if (leg && typeof line.atMs === 'number') leg.lastAtMs = Math.max(leg.lastAtMs, line.atMs);
}

/** The outcome of a task as a whole, combined from its partitions where it fans out; null while it has not ended. */
export function outcomeOf({ whole, parts }: TaskState): TaskOutcome | null {
  if (whole.outcome !== null || parts === null) return whole.outcome;
  const outcomes = new Set([...parts.values()].map((part) => part.outcome));
  if (outcomes.has(null)) return outcomes.has('interrupted') ? 'interrupted' : null;
  if (outcomes.has('interrupted')) return 'interrupted';
  const finished = [...outcomes].some(isFinished);
  if (outcomes.has('partly') || (outcomes.has('failed') && finished)) return 'partly';
  if (outcomes.has('failed')) return 'failed';
  return doneOutcome(outcomes);
}

/** The worst outcome of several finished ones. */
function doneOutcome(outcomes: ReadonlySet<TaskOutcome | null>): 'done' | 'mismatch' | 'rejected' {
  if (outcomes.has('mismatch')) return 'mismatch';
  return outcomes.has('rejected') ? 'rejected' : 'done';
}

/** Whether a task is complete: it has its result, or it was not needed. */
export function isSettled(state: RunState, name: string): boolean {
  const task = state.tasks.get(name);
  if (task === undefined) return false;
  const outcome = outcomeOf(task);
  return isFinished(outcome) || (outcome === 'skipped' && task.whole.reason === 'not-needed');
}

/** The outcome of a run whose tasks have all ended or were stopped before. */
export function runOutcomeOf(state: RunState): RunOutcome {
  const outcomes = new Set([...state.tasks.values()].map(outcomeOf));
  if (outcomes.has(null) || outcomes.has('interrupted')) return 'interrupted';
  if (outcomes.has('failed')) return 'failed';
  if (outcomes.has('partly')) return 'partly';
  return doneOutcome(outcomes);
}

/** Everything that was or can be started: whole tasks, and partitions. */
function unitsOf(state: RunState): UnitState[] {
  return [...state.tasks.values()].flatMap(({ whole, parts }) => [whole, ...(parts?.values() ?? [])]);
}

/** The task as a whole, or one of its partitions; undefined where the journal has no such task. */
function unitOf(state: RunState, task: string, partition: string | null): UnitState | undefined {
  const found = state.tasks.get(task);
  return partition === null ? found?.whole : found?.parts?.get(partition);
}

/** Resets everything that a resumed run must repeat; finished units stay. */
function reopen(task: TaskState, again: boolean): void {
  if (again) task.parts = null;
  for (const unit of [task.whole, ...(task.parts?.values() ?? [])]) {
    const stays = isFinished(unit.outcome) || unit.reason === 'not-needed';
    if (stays && !again) continue;
    unit.outcome = null;
    unit.reason = null;
    unit.output = null;
  }
}

function newUnit(partition: string | null): UnitState {
  return {
    partition,
    attempts: 0,
    startedAtMs: null,
    endedAtMs: null,
    activeMs: 0,
    runningSinceMs: null,
    outcome: null,
    output: null,
    error: null,
    reason: null,
  };
}

function applyToUnit(
  unit: UnitState | undefined,
  line: Extract<PipelineLine, { type: 'task-start' | 'task-retry' | 'task-end' }>,
): void {
  if (unit === undefined) return;
  if (line.type === 'task-start') {
    unit.attempts += 1;
    unit.startedAtMs ??= line.atMs;
    unit.runningSinceMs = line.atMs;
    unit.endedAtMs = null;
    unit.outcome = null;
    return;
  }
  stopClock(unit, line.atMs);
  unit.error = line.error;
  if (line.type === 'task-retry') return;
  unit.endedAtMs = line.atMs;
  unit.outcome = line.outcome;
  unit.output = line.output;
  unit.reason = line.reason;
}

function stopClock(unit: UnitState, atMs: number): void {
  if (unit.runningSinceMs !== null) unit.activeMs += Math.max(0, atMs - unit.runningSinceMs);
  unit.runningSinceMs = null;
}
