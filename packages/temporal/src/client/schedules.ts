import type { ScheduleSpec } from '@edrlake/runner';
import { type RunRequest, type ScheduledRequest, WORKFLOWS } from '../contract/contract.ts';
import { serverError, type TemporalPlace } from './place.ts';
import { connectClient, idOf, runWorkflowId } from './runs.ts';

/** A schedule as it is on the server. */
export interface KeptSchedule {
  readonly id: string;
  readonly isNew: boolean;
  /** A person has paused it; that stays. */
  readonly isPaused: boolean;
  /** UTC epoch milliseconds; null where it is never due again. */
  readonly nextMs: number | null;
}

/** Creates and updates schedules on a Temporal server. */
export interface TemporalSchedules {
  /** Of one id there is one: what is there already is brought up to date. */
  keep(request: RunRequest, schedule: ScheduleSpec): Promise<KeptSchedule>;
  close(): Promise<void>;
}

/** After an outage, runs that were due within this time are made up for: one, as those that follow overlap with it. */
const CATCH_UP = '1 day';

/** @throws {EdrlakeError} `CONFIG_INVALID`, `HOST_UNREACHABLE` */
export async function connectSchedules(place: TemporalPlace): Promise<TemporalSchedules> {
  const { client, sdk, close } = await connectClient(place);
  return {
    close,
    keep: async (request, { cron, timeZone }) => {
      const id = idOf(request);
      const argument: ScheduledRequest = { request, workflowId: runWorkflowId(request) };
      const settings = {
        spec: { cronExpressions: [cron], timezone: timeZone },
        action: {
          ...{ type: 'startWorkflow' as const, workflowType: WORKFLOWS.scheduled, args: [argument] as [unknown] },
          ...{ taskQueue: place.taskQueue, workflowId: `${id}/scheduled` },
        },
        policies: { overlap: 'SKIP' as const, catchupWindow: CATCH_UP },
      };
      try {
        const known = client.schedule.getHandle(id);
        const before = await known.describe().catch((thrown: unknown) => {
          if (thrown instanceof sdk.ScheduleNotFoundError) return null;
          throw thrown;
        });
        if (before === null) await client.schedule.create({ scheduleId: id, ...settings });
        else await known.update(({ state }) => ({ ...settings, state }));
        const { state, info } = await known.describe();
        const [next] = info.nextActionTimes;
        return { id, isNew: before === null, isPaused: state.paused, nextMs: next?.getTime() ?? null };
      } catch (thrown) {
        throw serverError(thrown, place);
      }
    },
  };
}
