import { sum } from '@edrlake/core';
import { isPlainObject, type PlainData } from '../definition/define-pipeline.ts';
import type { ParamValue } from '../definition/params.ts';
import {
  type ErrorSummary,
  outcomeOf,
  type RunState,
  type TaskState,
  type UnitState,
  type WorkflowRef,
} from './run-state.ts';
import { isFinished, type RunStatus, type UnitStatus } from './run-status.ts';

/** One partition of a fan-out in the history. */
export interface PartView {
  readonly partition: string;
  readonly state: UnitStatus;
  readonly attempts: number;
  readonly durationMs: number;
  readonly requests: number;
  readonly rows: number;
  readonly error: ErrorSummary | null;
}

/** One task in the history. */
export interface TaskView {
  readonly name: string;
  /** The registered task, or null for the user's own function. */
  readonly uses: string | null;
  readonly needs: readonly string[];
  readonly state: UnitStatus;
  /** Attempts of all partitions and by all processes of the run. */
  readonly attempts: number;
  /** null if nothing was started. */
  readonly startedAtMs: number | null;
  /** Time spent in attempts, summed over partitions: with concurrency it may exceed the elapsed time. */
  readonly durationMs: number;
  readonly requests: number;
  readonly rows: number;
  /** Its own error, or that of its first partition that has one. */
  readonly error: ErrorSummary | null;
  /** Its result; of a fan-out, `{ partition, output }` of each finished partition. null without a result. */
  readonly output: PlainData;
  /** null without a fan-out. */
  readonly parts: readonly PartView[] | null;
}

/** A webhook that was called. */
export interface HookView {
  readonly hook: string;
  readonly delivered: boolean;
  readonly attempts: number;
  /** Why it was not delivered; null where it was, and of older runs. */
  readonly reason: string | null;
}

/** A run of a pipeline in full. */
export interface PipelineRunView {
  readonly runId: string;
  readonly pipeline: string;
  readonly state: RunStatus;
  readonly startedAtMs: number;
  /** The end, or the last line of a run that died; null while it is running. */
  readonly endedAtMs: number | null;
  /** Time in which a process worked on it, until the last line of each. */
  readonly durationMs: number;
  readonly requests: number;
  readonly rows: number;
  readonly error: ErrorSummary | null;
  readonly params: Readonly<Record<string, ParamValue>>;
  /** Where a server keeps its state; null without one, and of runs whose journal does not say it. */
  readonly workflow: WorkflowRef | null;
  /** Processes that worked on it: 1 where it was never resumed. */
  readonly starts: number;
  readonly tasks: readonly TaskView[];
  readonly hooks: readonly HookView[];
}

/**
 * The work of attempts of a task that left no result. The caller reads it from other journals; the engine's journal
 * does not contain it.
 */
export interface LostWork {
  readonly requests: number;
  /** Of processes that died during an attempt; the time of attempts that ended is in the journal. */
  readonly activeMs: number;
  readonly lastAtMs: number;
}

const NOTHING_LOST: LostWork = { requests: 0, activeMs: 0, lastAtMs: 0 };

/**
 * A run as the history shows it. `alive`: whether the process that worked on it last is alive; `lost`: by task, the
 * work of attempts without a result; `engineStatus`: what the engine says that keeps its state, where it was asked.
 */
export function viewRun(
  runId: string,
  state: RunState,
  alive: boolean,
  lost: ReadonlyMap<string, LostWork> = new Map(),
  engineStatus: RunStatus | null = null,
): PipelineRunView {
  const status = state.end ?? engineStatus ?? (alive ? 'running' : state.engine === null ? 'died' : 'unknown');
  const working = status === 'running';
  const tasks = [...state.tasks.values()].map((task) =>
    viewTask(task, working || status === 'unknown', lost.get(task.task.name) ?? NOTHING_LOST),
  );
  const lastAtMs = [...lost.values()].reduce(
    (newest, work) => Math.max(newest, work.lastAtMs),
    state.legs.at(-1)?.lastAtMs ?? state.startedAtMs,
  );
  return {
    runId,
    pipeline: state.pipeline,
    state: status,
    startedAtMs: state.startedAtMs,
    endedAtMs: working ? null : lastAtMs,
    durationMs:
      sum(state.legs, (leg) => leg.lastAtMs - leg.startedAtMs) + sum([...lost.values()], ({ activeMs }) => activeMs),
    requests: sum(tasks, (task) => task.requests),
    rows: sum(tasks, (task) => task.rows),
    error: tasks.find(({ error, state: status }) => error !== null && !isGood(status))?.error ?? null,
    params: state.params,
    workflow: state.workflow,
    starts: state.legs.length,
    tasks,
    hooks: state.hooks.map(({ hook, delivered, tries, reason = null }) => ({
      hook,
      delivered,
      attempts: tries,
      reason,
    })),
  };
}

function viewTask(state: TaskState, alive: boolean, lost: LostWork): TaskView {
  const { task, whole } = state;
  const units = state.parts === null ? [whole] : [...state.parts.values()];
  const parts = state.parts === null ? null : units.map((unit) => viewPart(unit, alive));
  const started = units.flatMap(({ startedAtMs }) => startedAtMs ?? []);
  return {
    name: task.name,
    uses: task.uses,
    needs: task.needs,
    state: outcomeOf(state) ?? statusOf(units, alive),
    attempts: sum(units, (unit) => unit.attempts),
    startedAtMs: started.length === 0 ? null : started.reduce((least, atMs) => Math.min(least, atMs)),
    durationMs: sum(units, (unit) => unit.activeMs) + lost.activeMs,
    requests: sum(units, (unit) => numberIn(unit.output, 'requests')) + lost.requests,
    rows: sum(units, (unit) => numberIn(unit.output, 'rows')),
    error: whole.error ?? units.find(({ error, outcome }) => error !== null && !isGood(outcome))?.error ?? null,
    output: outputOf(state),
    parts,
  };
}

/** The result of a task: its own, or `{ partition, output }` of each finished partition in their order. */
export function outputOf({ whole, parts }: TaskState): PlainData {
  if (parts === null) return whole.output;
  return [...parts.values()]
    .filter(({ outcome }) => isFinished(outcome))
    .map(({ partition, output }) => ({ partition, output }));
}

function viewPart(unit: UnitState, alive: boolean): PartView {
  return {
    partition: unit.partition ?? '',
    state: unit.outcome ?? statusOf([unit], alive),
    attempts: unit.attempts,
    durationMs: unit.activeMs,
    requests: numberIn(unit.output, 'requests'),
    rows: numberIn(unit.output, 'rows'),
    error: unit.error,
  };
}

function statusOf(units: readonly UnitState[], alive: boolean): UnitStatus {
  const open = units.filter(({ outcome }) => outcome === null);
  if (open.some(({ runningSinceMs }) => runningSinceMs !== null)) return alive ? 'running' : 'died';
  if (open.every(({ attempts }) => attempts === 0))
    return units.length === open.length ? 'pending' : alive ? 'running' : 'died';
  return alive ? 'waiting' : 'died';
}

function isGood(status: UnitStatus | null): boolean {
  return status === 'done' || status === 'mismatch' || status === 'rejected';
}

function numberIn(output: PlainData, key: string): number {
  const value = isPlainObject(output) ? output[key] : undefined;
  return typeof value === 'number' ? value : 0;
}
