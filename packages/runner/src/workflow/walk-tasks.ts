import { runFanOut } from './fan-out.ts';
import { isFinished, isSettled, outcomeOf, type RunState } from './run-state.ts';
import { type RunInProgress, runUnit, tell } from './run-task.ts';
import type { CheckedPipeline, CheckedTask } from './validate-pipeline.ts';

/**
 * Brings every task to its end, as soon as all its needs have theirs; how many tries run at once is up to the run's slots.
 * When the run is stopped, what has not begun stays as it is.
 * @throws {EdrlakeError} when a change cannot be journaled; nothing is running any more by then.
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
    tell(run, task.name, null, { state: 'reused', tryNumber: 0, delayMs: null, error: null });
    return;
  }
  const verdict = verdictOn(task, run.state);
  if (verdict === 'wait') return;
  if (verdict !== 'run') {
    const end = { outcome: 'skipped', output: null, error: null, reason: verdict, partition: null } as const;
    await run.record({ type: 'task-end', atMs: run.services.clock.nowMs(), task: task.name, ...end });
    tell(run, task.name, null, { state: 'skipped', tryNumber: 0, delayMs: null, error: null });
  } else if (task.spec.forEach === undefined) {
    await runUnit(run, task, null);
  } else {
    await runFanOut(run, task, concurrency);
  }
}

/** `wait`: something it needs was stopped, so that it must wait for the run to be resumed. */
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
