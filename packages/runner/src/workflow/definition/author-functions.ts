import { EdrlakeError } from '@edrlake/core';
import type { AnyFacts } from './define-pipeline.ts';
import { toPlainData } from './plain-data.ts';
import type { CheckedPipeline, CheckedTask } from './validate-pipeline.ts';

// The functions of a pipeline author, `with` and `forEach`: their arguments, the answers allowed, and the answers that
// are known before anything has run.

const MAX_PARTITIONS = 10_000;
const MAX_PARTITION_CHARACTERS = 200;

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

/** The facts about a run that are known before any of its tasks has a result. */
export type StaticFacts = Pick<AnyFacts, 'params' | 'startedAtMs'>;

/** The answers of the functions of a pipeline before anything has run. */
export interface StaticAnswer<T> {
  /** null if the answer depends on results that do not exist yet. */
  readonly answer: T | null;
}

/**
 * Calls a function of a pipeline before any task has run. A task can read only results of upstream tasks, so each of
 * these is a getter that records the read: an answer made from a missing result is discarded.
 * @throws the error of the function, unless it had read a result
 */
function evaluateEarly<Provided, T>(
  task: CheckedTask<Provided>,
  facts: StaticFacts,
  call: (facts: Omit<AnyFacts, 'partition'>) => T,
): StaticAnswer<T> {
  let readsResult = false;
  const missing: object = {};
  for (const name of task.upstream) {
    const get = () => {
      readsResult = true;
      return undefined;
    };
    Object.defineProperty(missing, name, { enumerable: true, get });
  }
  try {
    const results = missing as Record<string, never>;
    const answer = call({ ...facts, outputs: results, partitionOutputs: results });
    return { answer: readsResult ? null : answer };
  } catch (thrown) {
    if (!readsResult) throw thrown;
    return { answer: null };
  }
}

/**
 * The partitions of a task that fans out.
 * @throws {EdrlakeError} `CONFIG_INVALID` if they are known already and wrong
 */
export function staticPartitions<Provided>(
  task: CheckedTask<Provided>,
  facts: StaticFacts,
): StaticAnswer<readonly string[]> {
  return evaluateEarly(task, facts, (known) => partitionsOf(task, { ...known, partition: '' }));
}

/**
 * The input of a task, or of one partition of it.
 * @throws {EdrlakeError} `CONFIG_INVALID` if it is known already and wrong
 */
export function staticInput<Provided>(
  task: CheckedTask<Provided>,
  facts: StaticFacts,
  partition: string,
): StaticAnswer<{ readonly input: unknown }> {
  return evaluateEarly(task, facts, (known) => ({ input: inputOf(task, { ...known, partition }) }));
}

/**
 * Checks everything that depends only on params, before a run: a wrong value must not show only in the middle of the
 * night.
 * @throws {EdrlakeError} `CONFIG_INVALID`
 */
export function assertStatic<Provided>({ tasks }: CheckedPipeline<Provided>, facts: StaticFacts): void {
  for (const task of tasks) {
    const partitions = task.spec.forEach === undefined ? [''] : (staticPartitions(task, facts).answer ?? []);
    const [first] = partitions;
    if (first !== undefined) staticInput(task, facts, first);
  }
}
