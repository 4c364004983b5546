import { EdrlakeError } from '@edrlake/core';
import { isFinished, type UnitState } from './run-state.ts';
import { endUnit, type RunInProgress, runUnit, thrownBy } from './run-task.ts';
import type { CheckedTask } from './validate-pipeline.ts';

const MAX_PARTITIONS = 10_000;
const MAX_PARTITION_CHARACTERS = 200;

/**
 * Runs a task once for each of its parts, in their order as far as concurrency allows. Each part has its own tries and its
 * own end in the journal: one that fails takes nothing from the others. The parts of a resumed run are those it began with.
 */
export async function runFanOut<Provided>(
  run: RunInProgress<Provided>,
  task: CheckedTask<Provided>,
  concurrency: number,
): Promise<void> {
  const parts = await partsOf(run, task);
  if (parts === null) return;
  const pending = [...parts.values()].filter(({ outcome }) => !isFinished(outcome)).values();
  const work = async () => {
    // All workers draw from one iterator, so that each part is taken once.
    for (const { partition } of pending) {
      if (run.services.signal.aborted) return;
      await runUnit(run, task, partition);
    }
  };
  const workers = Array.from({ length: Math.min(task.spec.concurrency ?? concurrency, parts.size) }, work);
  const broken = (await Promise.allSettled(workers)).find((worker) => worker.status === 'rejected');
  if (broken !== undefined) throw broken.reason;
}

/**
 * The parts that `forEach` names.
 * @throws {EdrlakeError} `CONFIG_INVALID` when it throws or gives anything but a bounded list of different texts.
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

/** The journaled parts, journaled now where there are none yet; null when there is no telling which. */
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
