import type { AnyFacts } from './define-pipeline.ts';
import { partitionsOf } from './fan-out.ts';
import { inputOf } from './run-task.ts';
import type { CheckedPipeline, CheckedTask } from './validate-pipeline.ts';

/** What is known of a run before any of its tasks has a result. */
export type EarlyFacts = Pick<AnyFacts, 'params' | 'startedAtMs'>;

/** What a pipeline's own functions say before anything has run. */
export interface EarlyAnswer<T> {
  /** null where the answer depends on results that are not there yet. */
  readonly answer: T | null;
}

/**
 * Asks a function of a pipeline before any task has run.
 * @throws what it throws, unless it had looked for a result: then nobody can tell yet
 */
function askEarly<T>(facts: EarlyFacts, ask: (facts: Omit<AnyFacts, 'partition'>) => T): EarlyAnswer<T> {
  let looked = false;
  const notThere = new Proxy(
    {},
    {
      get: () => {
        looked = true;
        return undefined;
      },
    },
  );
  try {
    const answer = ask({ ...facts, outputs: notThere, partitionOutputs: notThere });
    return { answer: looked ? null : answer };
  } catch (thrown) {
    if (!looked) throw thrown;
    return { answer: null };
  }
}

/** The parts of a task that fans out. @throws {EdrlakeError} `CONFIG_INVALID` where they can be told and are wrong */
export function earlyPartitions<Provided>(
  task: CheckedTask<Provided>,
  facts: EarlyFacts,
): EarlyAnswer<readonly string[]> {
  return askEarly(facts, (known) => partitionsOf(task, { ...known, partition: '' }));
}

/** The input of a task, or of one part of it. @throws {EdrlakeError} `CONFIG_INVALID` where it can be told and is wrong */
export function earlyInput<Provided>(
  task: CheckedTask<Provided>,
  facts: EarlyFacts,
  partition: string,
): EarlyAnswer<{ readonly input: unknown }> {
  return askEarly(facts, (known) => ({ input: inputOf(task, { ...known, partition }) }));
}

/**
 * Asserts that what params decide is right, as far as that can be told before a run: a wrong value must not come out only when
 * half of the night is over.
 * @throws {EdrlakeError} `CONFIG_INVALID`
 */
export function assertEarly<Provided>({ tasks }: CheckedPipeline<Provided>, facts: EarlyFacts): void {
  for (const task of tasks) {
    const partitions = task.spec.forEach === undefined ? [''] : (earlyPartitions(task, facts).answer ?? []);
    const [first] = partitions;
    if (first !== undefined) earlyInput(task, facts, first);
  }
}
