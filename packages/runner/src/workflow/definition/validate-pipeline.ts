import { didYouMean, EdrlakeError } from '@edrlake/core';
import {
  type AnyFacts,
  type AnyTask,
  isPlainObject,
  type Pipeline,
  type RegisteredTask,
  type RetrySpec,
  type TaskCondition,
  type TaskRegistry,
  toPlainData,
} from './define-pipeline.ts';
import { assertShape, cronTimes, invalid, type Place } from './pipeline-shape.ts';

/** A task that was checked and can run, with defaults filled in. */
export interface CheckedTask<Provided> {
  readonly name: string;
  readonly spec: AnyTask;
  /** The task that `uses` names; null for the user's own function. */
  readonly registered: RegisteredTask<unknown, unknown, Provided> | null;
  readonly needs: readonly string[];
  /** All tasks it waits for, directly or through others. */
  readonly upstream: ReadonlySet<string>;
  readonly retries: RetrySpec;
  readonly when: TaskCondition;
}

/** A pipeline that can start. */
export interface CheckedPipeline<Provided> {
  readonly pipeline: Pipeline;
  /** In order of execution: every task comes after its needs. Never empty. */
  readonly tasks: readonly CheckedTask<Provided>[];
}

const MAX_TASKS = 1_000;
const MAX_PARTITIONS = 10_000;
const MAX_PARTITION_CHARACTERS = 200;

const ONE_ATTEMPT: RetrySpec = { attempts: 1, firstDelayMs: 0, maxDelayMs: 0 };

/**
 * Checks everything that can be known before a run: names, keys and values; that needs exist and form no circle; that
 * all tasks are registered and accept their input; that the schedule is valid.
 * @param value the export of a pipeline file.
 * @throws {EdrlakeError} `CONFIG_INVALID` naming pipeline, task and key of the first error.
 */
export function validatePipeline<Provided>(
  value: unknown,
  registry: TaskRegistry<Provided>,
): CheckedPipeline<Provided> {
  if (!isPlainObject(value) || !isPlainObject(value.tasks)) {
    throw new EdrlakeError('CONFIG_INVALID', 'expected a pipeline, made by definePipeline', {
      hint: 'A pipeline file ends with `export default definePipeline({ name, tasks })`.',
    });
  }
  assertShape(value);
  const pipeline = value as unknown as Pipeline;
  const place: Place = { pipeline: pipeline.name };
  const names = Object.keys(pipeline.tasks);
  if (names.length === 0) throw invalid(place, 'it has no tasks', 'Give it at least one.');
  if (names.length > MAX_TASKS) throw invalid(place, `it has ${names.length} tasks, more than ${MAX_TASKS}`);
  if (pipeline.schedule !== undefined) checkSchedule(pipeline, pipeline.schedule);

  const needs = new Map(names.map((name) => [name, needsOf(pipeline, name)]));
  const { order, cycle } = orderTasks(needs);
  if (cycle !== null) {
    const path = cycle.join(' → ');
    throw invalid(place, `its tasks wait for each other in a circle: ${path}`, 'Remove one of these needs.');
  }
  return {
    pipeline,
    tasks: order.map((name) => {
      const spec = taskOf(pipeline, name);
      return {
        name,
        spec,
        registered: registeredTask(spec, { ...place, task: name }, registry),
        needs: needs.get(name) ?? [],
        upstream: upstreamOf(name, needs),
        retries: spec.retries ?? ONE_ATTEMPT,
        when: spec.when ?? 'success',
      };
    }),
  };
}

function taskOf(pipeline: Pipeline, name: string): AnyTask {
  const spec = pipeline.tasks[name];
  if (spec === undefined) throw new EdrlakeError('BUG', `the task ${name} has no declaration`);
  return spec;
}

function needsOf(pipeline: Pipeline, task: string): readonly string[] {
  const place = { pipeline: pipeline.name, task, key: 'needs' };
  const { needs = [], when } = taskOf(pipeline, task);
  for (const need of needs) {
    if (Object.hasOwn(pipeline.tasks, need)) continue;
    const close = didYouMean(need, Object.keys(pipeline.tasks));
    throw invalid(place, `there is no task "${need}"`, close === null ? undefined : `Did you mean ${close}?`);
  }
  if (when === 'failure' && needs.length === 0) {
    throw invalid(
      { ...place, key: 'when' },
      "'failure' never comes for a task without needs",
      'Name the tasks it watches.',
    );
  }
  return [...new Set(needs)];
}

function checkSchedule(pipeline: Pipeline, schedule: NonNullable<Pipeline['schedule']>): void {
  const place = { pipeline: pipeline.name, key: 'schedule' };
  try {
    cronTimes(schedule);
  } catch (thrown) {
    if (!(thrown instanceof EdrlakeError)) throw thrown;
    throw invalid(place, thrown.message, thrown.hint ?? undefined);
  }
  for (const [name, spec] of Object.entries(pipeline.params ?? {})) {
    if (spec.default !== undefined) continue;
    throw invalid(place, `the parameter ${name} has no value when the schedule starts the run`, 'Give it a default.');
  }
}

function registeredTask<Provided>(
  { uses, with: given }: AnyTask,
  place: Place,
  registry: TaskRegistry<Provided>,
): RegisteredTask<unknown, unknown, Provided> | null {
  if (uses === undefined) return null;
  const registered = Object.hasOwn(registry, uses) ? registry[uses] : undefined;
  if (registered === undefined) {
    const names = Object.keys(registry);
    const close = didYouMean(uses, names);
    const known = `Registered tasks: ${names.join(', ')}.`;
    throw invalid(
      { ...place, key: 'uses' },
      `no task is registered as "${uses}"`,
      close === null ? known : `Did you mean ${close}? ${known}`,
    );
  }
  // The result of a function is known only when the run reaches it.
  if (typeof given === 'function') return registered;
  try {
    registered.parseInput(given);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw invalid(
      { ...place, key: 'with' },
      reason,
      thrown instanceof EdrlakeError ? (thrown.hint ?? undefined) : undefined,
    );
  }
  return registered;
}

/** Names and the needs of each; every need is itself a name. */
type Needs = ReadonlyMap<string, readonly string[]>;

/** Either an order in which every name comes after its needs, or a circle such as `a, b, a`. */
type TaskOrder =
  | { readonly order: readonly string[]; readonly cycle: null }
  | { readonly order: null; readonly cycle: readonly string[] };

/** The order of execution; names that do not depend on each other keep their declared order. */
function orderTasks(needs: Needs): TaskOrder {
  const missing = new Map([...needs].map(([name, wanted]) => [name, new Set(wanted)]));
  const order: string[] = [];
  while (missing.size > 0) {
    const next = [...missing].find(([, wanted]) => wanted.size === 0)?.[0];
    if (next === undefined) return { order: null, cycle: walkCircle(missing) };
    missing.delete(next);
    for (const wanted of missing.values()) wanted.delete(next);
    order.push(next);
  }
  return { order, cycle: null };
}

/** All needs of a name, direct and indirect, in the given order. */
function upstreamOf(name: string, needs: Needs): Set<string> {
  const upstream = new Set<string>();
  const pending = [...(needs.get(name) ?? [])];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (upstream.has(next)) continue;
    upstream.add(next);
    pending.push(...(needs.get(next) ?? []));
  }
  return upstream;
}

/** Each remaining name needs another remaining one, so that following needs must return to a name already seen. */
function walkCircle(missing: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] {
  const path: string[] = [];
  let name = [...missing.keys()][0];
  while (name !== undefined && !path.includes(name)) {
    path.push(name);
    name = [...(missing.get(name) ?? [])][0];
  }
  return name === undefined ? path : [...path.slice(path.indexOf(name)), name];
}

// The functions of a pipeline author, `with` and `forEach`, are checked when they answer.

/** An error thrown by a function of a pipeline, with the name of the function. */
export function thrownBy(what: string, thrown: unknown): EdrlakeError {
  if (thrown instanceof EdrlakeError) return thrown;
  const kind = thrown instanceof Error ? thrown.name : typeof thrown;
  // Only the class name is quoted: the journal must hold no secret, and a foreign message may contain one.
  return new EdrlakeError('TASK_FAILED', `${what} threw ${/^[A-Za-z]{1,40}$/.test(kind) ? kind : 'an error'}`, {
    disposition: 'retry',
    cause: thrown,
    hint: 'Throw an EdrlakeError to have your own message kept.',
  });
}

/**
 * The input that `with` gives the registered task, checked by the task.
 * @throws {EdrlakeError} `CONFIG_INVALID` naming the task, when `with` throws or the task refuses the input.
 */
export function inputOf<Provided>(task: CheckedTask<Provided>, facts: AnyFacts): unknown {
  const spec: unknown = task.spec.with;
  if (typeof spec !== 'function') return task.registered?.parseInput(spec);
  let input: unknown;
  try {
    input = spec(facts);
  } catch (thrown) {
    const { message, cause, hint } = thrownBy(`the with of task "${task.name}"`, thrown);
    // Pure functions throw the same error again, so there is no other attempt.
    throw new EdrlakeError('CONFIG_INVALID', message, { cause, ...(hint !== null && { hint }) });
  }
  const given = toPlainData(input, `the with of task "${task.name}" gave`);
  try {
    return task.registered?.parseInput(given);
  } catch (thrown) {
    if (!(thrown instanceof EdrlakeError)) throw thrown;
    const { code, message, hint } = thrown;
    throw new EdrlakeError(code, `task "${task.name}", with: ${message}`, {
      cause: thrown,
      ...(hint !== null && { hint }),
    });
  }
}

/**
 * The partitions that `forEach` names.
 * @throws {EdrlakeError} `CONFIG_INVALID` when it throws or returns anything but a bounded list of distinct texts.
 */
export function partitionsOf<Provided>(
  task: CheckedTask<Provided>,
  facts: Parameters<NonNullable<CheckedTask<Provided>['spec']['forEach']>>[0],
): readonly string[] {
  const what = `the forEach of task "${task.name}"`;
  let partitions: readonly unknown[];
  try {
    partitions = task.spec.forEach?.(facts) ?? [];
  } catch (thrown) {
    const { message, cause, hint } = thrownBy(what, thrown);
    throw new EdrlakeError('CONFIG_INVALID', message, { cause, ...(hint !== null && { hint }) });
  }
  if (!Array.isArray(partitions)) throw new EdrlakeError('CONFIG_INVALID', `${what} gave no list`);
  if (partitions.length > MAX_PARTITIONS) {
    throw new EdrlakeError('CONFIG_INVALID', `${what} gave ${partitions.length} parts, more than ${MAX_PARTITIONS}`, {
      hint: 'Make the parts larger, or run the pipeline several times.',
    });
  }
  const seen = new Set<string>();
  for (const partition of partitions) {
    if (typeof partition !== 'string' || partition === '' || partition.length > MAX_PARTITION_CHARACTERS) {
      throw new EdrlakeError(
        'CONFIG_INVALID',
        `${what} gave a part that is not a text of 1 to ${MAX_PARTITION_CHARACTERS} characters`,
      );
    }
    if (seen.has(partition)) throw new EdrlakeError('CONFIG_INVALID', `${what} gave the part "${partition}" twice`);
    seen.add(partition);
  }
  return [...seen];
}
