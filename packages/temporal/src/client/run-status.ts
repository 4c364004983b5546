import type { Clock } from '@edrlake/core';
import type { PipelineRunView, RunStatus, WorkflowRef } from '@edrlake/runner/run-state';
import { serverError, type TemporalPlace } from './place.ts';
import { connectClient } from './runs.ts';

/** Asks the server for the status of runs whose journals have no end: only the server knows it. */
export interface TemporalStatus {
  /** @throws {EdrlakeError} where the server cannot be asked */
  statusOf(workflow: WorkflowRef): Promise<RunStatus>;
  close(): Promise<void>;
}

/** A list of runs is not worth a longer wait. */
const CONNECT_TIMEOUT = '3 seconds';
const ANSWER_MS = 3_000;

/** What a run without a last line has come to. A workflow that completed has a result, which says it. */
const CLOSED: Readonly<Record<string, RunStatus>> = {
  RUNNING: 'running',
  // A person has ended it, and no activity could write it down.
  TERMINATED: 'interrupted',
  CANCELLED: 'interrupted',
  FAILED: 'failed',
  TIMED_OUT: 'failed',
};

/** @throws {EdrlakeError} `CONFIG_INVALID`, `HOST_UNREACHABLE` */
export async function connectStatus(place: TemporalPlace, clock: Clock): Promise<TemporalStatus> {
  const { client, sdk, close } = await connectClient(place, CONNECT_TIMEOUT);
  const ask = <T>(question: () => Promise<T>) => client.withDeadline(clock.nowMs() + ANSWER_MS, question);
  const statusOf = async ({ id, runId }: WorkflowRef): Promise<RunStatus> => {
    const { status } = await ask(() => client.workflow.getHandle(id, runId).describe());
    if (status.name !== 'CONTINUED_AS_NEW') return endOf(status.name, id, runId);
    const newest = await ask(() => client.workflow.getHandle(id).describe());
    // Another run has begun since under the same id: this one is over, and left no last line.
    if (newest.raw.workflowExecutionInfo?.firstRunId !== runId) return 'died';
    return endOf(newest.status.name, id, runId);
  };
  const endOf = async (name: string, id: string, runId: string): Promise<RunStatus> => {
    if (name !== 'COMPLETED') return CLOSED[name] ?? 'unknown';
    const view = (await ask(() => client.workflow.getHandle(id, runId).result())) as PipelineRunView;
    return view.state;
  };
  return {
    close,
    statusOf: (workflow) =>
      statusOf(workflow).catch((thrown: unknown) => {
        // Its history was removed, or another server has it.
        if (thrown instanceof sdk.WorkflowNotFoundError) return 'unknown';
        throw serverError(thrown, place);
      }),
  };
}
