import {
  type BothClocks,
  beforeNow,
  type EdrlakeError,
  type EventSource,
  sum,
  type Window,
  windowOf,
} from '@edrlake/core';
import { brokenAnswer, planWindows, type WindowPlan } from '@edrlake/pager';
import { readClocks } from '../run/read-clocks.ts';
import type { RunPlan } from '../run/run-context.ts';
import type { ExportPlan, ExportRequest, RequestEstimate, Services, UncountedRange } from '../run/types.ts';

/** After this many uncounted ranges the rest is not counted: each was tried for minutes. */
const MAX_UNCOUNTED = 5;

/** A run logs in once; a renewal after four hours is not worth planning for. */
const LOGINS = 1;

/**
 * Plans an export without fetching an event: windows that tile the ranges, and the requests that they cost. The future
 * is left out: the end is frozen before anything is counted, so that everything proven was in the past. If a count
 * stays broken, the rest is planned.
 * @throws {EdrlakeError} of the source if nothing can be planned, `RANGE_INVALID` for ranges in the future, or
 * `WINDOW_INDIVISIBLE` if a
 * range cannot be divided into windows that can be read completely.
 */
export async function planExport(source: EventSource, request: ExportRequest, services: Services): Promise<ExportPlan> {
  const { axis, scope } = request;
  const clocks = await readClocks(source, services);
  const plans: WindowPlan[] = [];
  const uncounted: UncountedRange[] = [];
  let failure: EdrlakeError | null = null;
  const frozen = frozenRanges(request, clocks);
  for (const { range, knownCount } of frozen) {
    const options = {
      signal: services.signal,
      emit: services.emit,
      ...(knownCount !== null && { counted: knownCount }),
    };
    const window = windowOf({ axis, range, cuts: [], scope });
    if (failure !== null && uncounted.length >= MAX_UNCOUNTED) {
      uncounted.push({ ...uncountedOf(window, failure), message: `not counted, because ${failure.message}` });
      continue;
    }
    try {
      const plan = await planWindows(source, { axis, range, scope }, options);
      plans.push(plan);
      uncounted.push(...plan.uncounted.map(({ window, error }) => uncountedOf(window, error)));
    } catch (thrown) {
      failure = brokenAnswer(thrown);
      uncounted.push(uncountedOf(window, failure));
    }
  }
  // Where other counts are answered, the settings are right, and the run reports what it could not count.
  if (failure !== null && plans.length === 0 && failure.context.othersAnswered !== true) throw failure;
  for (const { windowId, range, code, message } of uncounted) {
    services.emit({ type: 'window-failed', windowId, range, code, message });
  }
  const events = sum(plans, (plan) => plan.events);
  const windowPlan: WindowPlan = {
    windows: plans.flatMap((plan) => plan.windows),
    emptyWindows: plans.flatMap((plan) => plan.emptyWindows),
    uncounted: plans.flatMap((plan) => plan.uncounted),
    events,
    planRequests: sum(plans, (plan) => plan.planRequests),
    pages: sum(plans, (plan) => plan.pages),
    lowerBound: Math.ceil(events / source.pageSize),
  };
  const ranges = frozen.map(({ range }) => range);
  const isCut = ranges.at(-1)?.endMs !== request.ranges.at(-1)?.range.endMs;
  return {
    request: { axis, ranges, scope },
    asOfMs: clocks.nowMs,
    frozenAtMs: isCut ? clocks.nowMs : null,
    windowPlan,
    uncounted,
    requests: estimateRequests(windowPlan),
  };
}

function uncountedOf({ id: windowId, range }: Window, { code, message }: EdrlakeError): UncountedRange {
  return { windowId, range, code, message };
}

/** The parts of the ranges in the past. A range that had to be shortened loses its known count. */
function frozenRanges({ ranges }: ExportRequest, clocks: BothClocks) {
  const past = beforeNow(
    ranges.map(({ range }) => range),
    clocks,
  );
  return ranges.flatMap(({ range: whole, knownCount = null }, position) => {
    const range = past[position] ?? null;
    if (range === null) return [];
    return [{ range, knownCount: range.endMs === whole.endMs ? knownCount : null }];
  });
}

/** A plan as the journal holds it. */
export function runPlanOf({ windowPlan, uncounted, request, asOfMs, frozenAtMs }: ExportPlan): RunPlan {
  const { windows, emptyWindows, events, planRequests, pages } = windowPlan;
  return { windows, emptyWindows, uncounted, events, planRequests, pages, request, asOfMs, frozenAtMs };
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
