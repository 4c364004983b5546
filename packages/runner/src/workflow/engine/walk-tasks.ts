import { partitionsOf, thrownBy } from '../definition/author-functions.ts';
import type { CheckedPipeline, CheckedTask } from '../definition/validate-pipeline.ts';
import { isFinished, isSettled, outcomeOf, type RunState, type UnitState } from '../state/run-state.ts';
import { endUnit, type RunInProgress, runUnit, reportUnit } from './execute-task.ts';

/**
 * Runs each task once its needs have ended; the slots of the run bound how many attempts run at once. When the run is
 * stopped, tasks that have not begun stay pending.
 * @throws {EdrlakeError} when a change cannot be recorded in the journal; by then nothing is running.
 */
export async function walkTasks<Provided>(
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
    reportUnit(run, task.name, null, { state: 'reused', tryNumber: 0, delayMs: null, error: null });
    return;
  }
  const verdict = verdictOn(task, run.state);
  if (verdict === 'wait') return;
  if (verdict !== 'run') {
    const end = { outcome: 'skipped', output: null, error: null, reason: verdict, partition: null } as const;
    await run.record({ type: 'task-end', atMs: run.services.clock.nowMs(), task: task.name, ...end });
    reportUnit(run, task.name, null, { state: 'skipped', tryNumber: 0, delayMs: null, error: null });
  } else if (task.spec.forEach === undefined) {
    await runUnit(run, task, null);
  } else {
    await runFanOut(run, task, concurrency);
  }
}

/** `wait`: a need was stopped, so the task waits for the run to be resumed. */
function verdictOn<Provided>(
  { needs, when }: CheckedTask<Provided>,
  state: RunState,
): 'run' | 'wait' | 'need-failed' | 'not-needed' {
  let bad = false;
  let idle = false;
  for (const name of needs) {
    const need = state.tasks.get(name);
    const outcome = need === undefined ? null : outcomeOf(need);
    if (outcome === null || outcome === 'interrupted') return 'wait';
    const unneeded = outcome === 'skipped' && need?.whole.reason === 'not-needed';
    idle ||= unneeded;
    bad ||= !unneeded && !isFinished(outcome);
  }
  if (when === 'always') return 'run';
  if (when === 'failure') return bad ? 'run' : 'not-needed';
  return bad ? 'need-failed' : idle ? 'not-needed' : 'run';
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
