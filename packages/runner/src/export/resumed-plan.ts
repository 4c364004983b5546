import { isDeepStrictEqual } from 'node:util';
import { type EventSource, SETTLE_LAG_MS } from '@edrlake/core';
import { brokenAnswer } from '@edrlake/pager';
import { readClocks } from '../run/read-clocks.ts';
import type { RunPlan } from '../run/run-context.ts';
import type { ExportRequest, Services } from '../run/types.ts';

/**
 * The plan of an earlier process, if it still holds: the API counts as many events as then, and the range had settled
 * when it was counted, or has not yet. Else null, and the run is planned again: events that came meanwhile are not in
 * the plan, and a proof with its date would not complete the day. Pages of windows that have as many events in both
 * plans are used either way. Costs a count for each range that was not counted just now.
 */
export async function stillValid(
  plan: RunPlan,
  request: ExportRequest,
  source: EventSource,
  services: Services,
): Promise<RunPlan | null> {
  if (await hasSettledSince(plan, source, services)) return null;
  const { axis, scope } = request;
  let events = 0;
  try {
    for (const range of plan.request?.ranges ?? []) {
      const known = request.ranges.find((asked) => isDeepStrictEqual(asked.range, range))?.knownCount ?? null;
      events += known ?? (await source.count({ axis, range, cuts: [], scope }, services.signal));
    }
  } catch (thrown) {
    brokenAnswer(thrown);
    return null;
  }
  return events === plan.events ? plan : null;
}

/** Whether the end of the range was too young when it was counted, and no longer is. */
async function hasSettledSince(plan: RunPlan, source: EventSource, services: Services): Promise<boolean> {
  const endMs = plan.request?.ranges.at(-1)?.endMs;
  // Of a frozen end the report says where it is.
  if (endMs === undefined || plan.asOfMs === undefined || typeof plan.frozenAtMs === 'number') return false;
  const settledMs = endMs + SETTLE_LAG_MS;
  return plan.asOfMs < settledMs && settledMs <= (await readClocks(source, services)).nowMs;
}
