import { executeChild } from '@temporalio/workflow';
import type { ScheduledRequest } from '../contract/contract.ts';
import { isAlreadyStarted } from './already-started.ts';
import { edrlakeRun } from './run-workflow.ts';

/**
 * What a schedule starts. A schedule adds the time to the id of its workflow; the run below has the id that a run by
 * hand has as well, so that never two are at work at once.
 * @returns whether there was a run; false where one was at work already
 */
export async function edrlakeScheduled({ request, workflowId }: ScheduledRequest): Promise<boolean> {
  try {
    await executeChild(edrlakeRun, { workflowId, args: [request], parentClosePolicy: 'REQUEST_CANCEL' });
    return true;
  } catch (thrown) {
    if (isAlreadyStarted(thrown)) return false;
    throw thrown;
  }
}
