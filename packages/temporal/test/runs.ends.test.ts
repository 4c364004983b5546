import { expect, it } from 'vitest';
import { endedFromOutside } from '../src/client/runs.ts';

/** As the package of Temporal has them. */
class TimeoutFailure extends Error {}
class TerminatedFailure extends Error {}
class CancelledFailure extends Error {}

const ID = 'edrlake/acme/nightly';

it.each([
  [new TimeoutFailure('Workflow execution timed out'), 'TASK_TIMED_OUT', 1, 'did not end within the time limit'],
  [new TerminatedFailure('too late'), 'INTERRUPTED', 130, 'was terminated on the Temporal server: too late'],
  [new CancelledFailure('cancelled'), 'INTERRUPTED', 130, 'was cancelled'],
])('%s is said with its own code and exit code', (cause, code, exitCode, message) => {
  const error = endedFromOutside(ID, cause, { TimeoutFailure, TerminatedFailure });
  expect(error).toMatchObject({ code, exitCode, cause });
  expect(error.message).toContain(`workflow ${ID} ${message}`);
  expect(error.hint).toContain('Start it again');
});
