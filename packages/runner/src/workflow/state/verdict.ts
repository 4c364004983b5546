import type { TaskCondition } from '../definition/define-pipeline.ts';
import { outcomeOf, type RunState } from './run-state.ts';
import { isFinished } from './run-status.ts';

/**
 * What becomes of a task whose needs have ended. `wait`: a need was stopped, so the task waits for the run to be
 * resumed. The last two are the reason why it is skipped.
 */
export type Verdict = 'run' | 'wait' | 'need-failed' | 'not-needed';

/** Rows U1 to U7 of the specification. */
export function verdictOn(
  { needs, when }: { readonly needs: readonly string[]; readonly when: TaskCondition },
  state: Pick<RunState, 'tasks'>,
): Verdict {
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
