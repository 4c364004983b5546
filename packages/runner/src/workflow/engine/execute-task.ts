import { type Clock, EdrlakeError, MS_PER_SECOND } from '@edrlake/core';
import type { LimitFunction } from 'p-limit';
import {
  type AnyFacts,
  isPlainObject,
  type PlainData,
  type RunIdentity,
  type TaskContext,
  type TaskHook,
  toPlainData,
  type WorkflowServices,
} from '../definition/define-pipeline.ts';
import { type CheckedTask, inputOf, thrownBy } from '../definition/validate-pipeline.ts';
import type { ErrorSummary, PipelineLine, RunState } from '../state/run-state.ts';
import type { TaskOutcome } from '../state/run-status.ts';

/** A run in progress, as its tasks see it. */
export interface RunInProgress<Provided> {
  readonly identity: RunIdentity;
  readonly state: RunState;
  readonly services: WorkflowServices;
  readonly provided: Provided;
  /** Bounds how many attempts of the whole run run at once. */
  readonly limit: LimitFunction;
  /** Makes a change durable, then applies it to the state. If that fails, the run is stopped. */
  record(line: PipelineLine): Promise<void>;
  factsFor(task: CheckedTask<Provided>, partition: string | null): AnyFacts;
  /** Sends data to a hook that tasks call; see `TaskContext`. */
  notify(hook: TaskHook, body: Readonly<Record<string, unknown>>, services: WorkflowServices): Promise<boolean | null>;
}

/**
 * Runs a task, or one partition of its fan-out, to its end: attempts with waits between them, each change in the
 * journal. A task that is stopped before its first attempt leaves no line and stays pending.
 */
export async function runUnit<Provided>(
  run: RunInProgress<Provided>,
  task: CheckedTask<Provided>,
  partition: string | null,
): Promise<void> {
  const { clock, random, signal } = run.services;
  const { attempts, firstDelayMs, maxDelayMs } = task.retries;
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const ended = await run.limit(() => oneAttempt(run, task, partition, attempt));
    if (ended === null) return;
    const { error } = ended;
    if (error === null || error.disposition !== 'retry' || attempt === attempts) {
      await endUnit(run, task, partition, attempt, ended);
      return;
    }
    // Full jitter: tasks that failed together do not retry together.
    const delayMs = Math.floor(random() * Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1)));
    await run.record({
      type: 'task-retry',
      atMs: clock.nowMs(),
      task: task.name,
      partition,
      delayMs,
      error: kept(error),
    });
    reportUnit(run, task.name, partition, { state: 'retry', attempt, delayMs, error });
    const awake = await clock.sleep(delayMs, signal).then(
      () => true,
      () => false,
    );
    if (!awake) {
      await endUnit(run, task, partition, attempt, { ...ended, outcome: 'interrupted', output: null });
      return;
    }
  }
}

/** The end of a unit, or of one attempt of it. */
export interface UnitEnd {
  readonly outcome: Exclude<TaskOutcome, 'skipped'>;
  readonly output: PlainData;
  readonly error: EdrlakeError | null;
}

/** Records the end of a task or partition, and reports it to the listener. */
export async function endUnit<Provided>(
  run: RunInProgress<Provided>,
  task: CheckedTask<Provided>,
  partition: string | null,
  attempt: number,
  { outcome, output, error }: UnitEnd,
): Promise<void> {
  const summary = error === null ? null : kept(error);
  const atMs = run.services.clock.nowMs();
  await run.record({
    type: 'task-end',
    atMs,
    task: task.name,
    partition,
    outcome,
    output,
    error: summary,
    reason: null,
  });
  reportUnit(run, task.name, partition, { state: outcome, attempt, delayMs: null, error });
}

/** null when the run was stopped before the attempt began. */
async function oneAttempt<Provided>(
  run: RunInProgress<Provided>,
  task: CheckedTask<Provided>,
  partition: string | null,
  attempt: number,
): Promise<UnitEnd | null> {
  const { services } = run;
  const { clock, signal } = services;
  if (signal.aborted) return null;
  await run.record({ type: 'task-start', atMs: clock.nowMs(), task: task.name, partition });
  reportUnit(run, task.name, partition, { state: 'started', attempt, delayMs: null, error: null });
  const context = { run: run.identity, task: task.name, partition, attempt, provided: run.provided };
  const ended = await timedAttempt(
    (ownSignal) => {
      const own = { ...services, signal: ownSignal };
      const notify: TaskContext<Provided>['notify'] = (hook, body) => run.notify(hook, body, own);
      return callTask(run, task, { ...context, services: own, notify });
    },
    { clock, timeoutMs: task.spec.timeoutMs ?? null, signal },
  );
  return unitEnd(ended, task.name);
}

/** Computes the input by `with`, then calls the function. */
async function callTask<Provided>(
  run: RunInProgress<Provided>,
  task: CheckedTask<Provided>,
  context: TaskContext<Provided>,
): Promise<unknown> {
  const facts = run.factsFor(task, context.partition);
  if (task.spec.run !== undefined) return await task.spec.run(facts, context);
  return await task.registered?.run(inputOf(task, facts), context);
}

/** What an attempt has come to. */
export function unitEnd(ended: AttemptEnd, name: string): UnitEnd {
  if (ended.end === 'stopped') {
    return { outcome: 'interrupted', output: null, error: new EdrlakeError('INTERRUPTED', 'stopped before the end') };
  }
  try {
    if (ended.end === 'threw') throw ended.thrown;
    const output = toPlainData(ended.value, `task "${name}" returned`);
    const said = isPlainObject(output) ? output.outcome : undefined;
    if (said === 'mismatch' || said === 'rejected') return { outcome: said, output, error: null };
    if (said !== 'partly') return { outcome: 'done', output, error: null };
    const error = new EdrlakeError('PARTLY_DONE', 'some of its work failed', { disposition: 'retry' });
    return { outcome: 'partly', output, error };
  } catch (thrown) {
    return { outcome: 'failed', output: null, error: thrownBy(`task "${name}"`, thrown) };
  }
}

/** What a journal keeps of an error. */
export function kept({ code, message }: EdrlakeError): ErrorSummary {
  return { code, message };
}

/**
 * Reports a task or partition to the listener. The error of the user's own function is quoted for the user who watches.
 */
export function reportUnit(
  run: { readonly identity: RunIdentity; readonly services: Pick<WorkflowServices, 'emit'> },
  task: string,
  partition: string | null,
  what: {
    readonly state: TaskOutcome | 'started' | 'retry' | 'reused';
    readonly attempt: number;
    readonly delayMs: number | null;
    readonly error: EdrlakeError | null;
  },
): void {
  const { state, attempt, delayMs, error } = what;
  const { pipeline, runId } = run.identity;
  const quoted = error?.code === 'TASK_FAILED' && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  run.services.emit({
    type: 'task',
    pipeline,
    runId,
    task,
    partition,
    state,
    attempt,
    delayMs,
    code: error?.code ?? null,
    message: error === null ? null : `${error.message}${quoted}`,
  });
}

/** How long a task may take to end once its signal is aborted. */
export const GRACE_MS = 30 * MS_PER_SECOND;

/**
 * How one attempt ended. An attempt that was stopped has no result, even if it returned one: it may have returned
 * early.
 */
export type AttemptEnd =
  | { readonly end: 'returned'; readonly value: unknown }
  | { readonly end: 'threw'; readonly thrown: unknown }
  | { readonly end: 'stopped' };

/** The bounds of an attempt. */
export interface AttemptLimits {
  readonly clock: Clock;
  /** null: no limit. */
  readonly timeoutMs: number | null;
  /** Aborting it stops the attempt. */
  readonly signal: AbortSignal;
}

/**
 * Runs one attempt with a signal of its own. At its timeout or when it is stopped, the signal is aborted and the
 * attempt has a grace period to end. An attempt that still runs is abandoned; then its timeout is final, because the
 * task must not run twice at once.
 */
export async function timedAttempt(
  work: (signal: AbortSignal) => Promise<unknown>,
  limits: AttemptLimits,
): Promise<AttemptEnd> {
  const { clock, timeoutMs, signal } = limits;
  if (signal.aborted) return { end: 'stopped' };
  const ownSignal = new AbortController();
  const over = new AbortController();
  const stopped = abortOf(signal, over.signal);
  const timedOut = timeoutMs === null ? new Promise<never>(() => {}) : wait(clock, timeoutMs, over.signal);
  const settled = settle(work, ownSignal.signal);
  try {
    const first = await Promise.race([
      settled,
      stopped.then(() => 'stopped' as const),
      timedOut.then(() => 'late' as const),
    ]);
    if (typeof first === 'object') return signal.aborted ? { end: 'stopped' } : first;
    const late = tooLong(timeoutMs ?? 0, 'retry');
    ownSignal.abort(first === 'late' ? late : signal.reason);
    const second = await Promise.race([settled, wait(clock, GRACE_MS, over.signal).then(() => 'stuck' as const)]);
    if (first === 'stopped') return { end: 'stopped' };
    return { end: 'threw', thrown: second === 'stuck' ? tooLong(timeoutMs ?? 0, 'stop') : late };
  } finally {
    // Ends the waits that lost the race, and removes the listener from the run's signal.
    over.abort();
  }
}

async function settle(work: (signal: AbortSignal) => Promise<unknown>, signal: AbortSignal): Promise<AttemptEnd> {
  try {
    return { end: 'returned', value: await work(signal) };
  } catch (thrown) {
    return { end: 'threw', thrown };
  }
}

function tooLong(timeoutMs: number, disposition: 'retry' | 'stop'): EdrlakeError {
  const stuck = disposition === 'stop' ? `, and did not stop within ${GRACE_MS} ms of its signal` : '';
  return new EdrlakeError('TASK_TIMED_OUT', `it ran longer than ${timeoutMs} ms${stuck}`, {
    disposition,
    hint: stuck === '' ? 'Give it more time (timeoutMs), or less to do.' : 'Make it end when its signal is aborted.',
  });
}

/** Resolves when the time is over; never once it is not needed any more. */
function wait(clock: Clock, delayMs: number, unwanted: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    clock.sleep(delayMs, unwanted).then(resolve, () => {});
  });
}

function abortOf(signal: AbortSignal, unwanted: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const listener = () => resolve();
    signal.addEventListener('abort', listener, { once: true });
    unwanted.addEventListener('abort', () => signal.removeEventListener('abort', listener), { once: true });
  });
}
