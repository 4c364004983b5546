import { ERROR_CODES, type ErrorCode } from '@edrlake/core';
import { RUN_EXIT_CODES, type RunResult } from '@edrlake/runner';

/** Exit codes of errors that are also those of a run which they fail. */
const [FOR_USER, UNRELIABLE] = [2, 4];

/**
 * The exit code of a run: as its end says; of a failed run 4, where an account or an answer was another customer's, and
 * 2, where all that failed waits for settings or credentials to be corrected.
 */
export function exitCodeOf({ state, tasks }: Pick<RunResult, 'state' | 'tasks'>): number {
  const failed = tasks.filter((task) => task.state === 'failed');
  if (state !== 'failed' || failed.length === 0) return RUN_EXIT_CODES[state];
  const codes = failed.map(({ error }) => {
    const code = error?.code ?? '';
    return code in ERROR_CODES ? ERROR_CODES[code as ErrorCode].exitCode : RUN_EXIT_CODES.failed;
  });
  if (codes.includes(UNRELIABLE)) return UNRELIABLE;
  return codes.every((code) => code === FOR_USER) ? FOR_USER : RUN_EXIT_CODES.failed;
}
