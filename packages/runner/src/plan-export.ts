import type { EventSource } from '@edrlake/core';
import { planWindows, type WindowPlan } from '@edrlake/pager';
import type { ExportPlan, ExportRequest, RequestEstimate, Services } from './export-types.ts';

/** A run logs in once; a renewal after four hours is not worth planning for. */
const LOGINS = 1;

/**
 * Plans an export without fetching an event: windows that tile the range, and what they cost in requests.
 * @param counted what the source counted in each of the ranges just now, in their order; null where nobody asked
 * @throws {EdrlakeError} what the source throws, or `WINDOW_INDIVISIBLE` where events cannot be told apart enough to page them all.
 */
export async function planExport(
  source: EventSource,
  request: ExportRequest,
  services: Services,
  counted: readonly (number | null)[] = [],
): Promise<ExportPlan> {
  const { axis, ranges, scope } = request;
  const plans: WindowPlan[] = [];
  for (const [position, range] of ranges.entries()) {
    const known = counted[position] ?? null;
    const options = { signal: services.signal, emit: services.emit, ...(known !== null && { counted: known }) };
    plans.push(await planWindows(source, { axis, range, scope }, options));
  }
  const events = plans.reduce((sum, plan) => sum + plan.events, 0);
  const windowPlan: WindowPlan = {
    windows: plans.flatMap((plan) => plan.windows),
    emptyWindows: plans.flatMap((plan) => plan.emptyWindows),
    events,
    planRequests: plans.reduce((sum, plan) => sum + plan.planRequests, 0),
    pages: plans.reduce((sum, plan) => sum + plan.pages, 0),
    lowerBound: Math.ceil(events / source.pageSize),
  };
  return { request, windowPlan, requests: estimateRequests(windowPlan) };
}

/** What a window plan costs. `planning` has been spent when the plan exists. */
export function estimateRequests(plan: {
  readonly planRequests: number;
  readonly pages: number;
  readonly lowerBound: number;
}): RequestEstimate {
  const planned = plan.planRequests + plan.pages + LOGINS;
  return {
    planning: plan.planRequests,
    pages: plan.pages,
    logins: LOGINS,
    planned,
    lowerBound: plan.lowerBound,
    ratio: plan.lowerBound === 0 ? null : planned / plan.lowerBound,
  };
}
