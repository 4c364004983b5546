import { type Day, dayOf, type PlannedWindow } from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import { requestsOf } from '@edrlake/pager';
import { fitting } from '../export/run-limits.ts';
import { coveredWindows } from '../export/skip-covered.ts';
import { inOrderOfLoss } from '../horizon/guard-windows.ts';
import type { ExportPlan, ExportRequest } from '../run/types.ts';

/** What an export would fetch of a day, or of the days that one window spans. */
export interface PlannedDay {
  readonly firstDay: Day;
  readonly lastDay: Day;
  readonly windows: number;
  readonly events: number;
  /** Of its pages, without those of the plan. */
  readonly requests: number;
  /** Of the windows those that a limit of the run would leave. */
  readonly left: number;
}

/** How the export would run. */
export interface PreviewOptions {
  readonly pageSize: number;
  readonly force: boolean;
  /** Requests that are left for pages; null: any number. */
  readonly limit: number | null;
  /** Requests of the whole run; null: any number. */
  readonly maxRequests: number | null;
  readonly nowMs: number;
}

/**
 * The windows that an export of this plan would fetch, by day, the newest first: by the same rules as the export, which
 * leaves out what the lake already proves, confirms each zero by a page, and fetches in the order of `inOrderOfLoss`
 * where it has a limit.
 * @param lake null where there is none yet
 */
export async function plannedDays(
  { windowPlan }: ExportPlan,
  request: ExportRequest,
  lake: Lake | null,
  { pageSize, force, limit, maxRequests, nowMs }: PreviewOptions,
): Promise<readonly PlannedDay[]> {
  const isKnown = lake === null || force;
  const covered = isKnown ? new Set<PlannedWindow>() : await coveredWindows(windowPlan.windows, request, lake);
  const empty = windowPlan.emptyWindows.map((window): PlannedWindow => ({ window, count: 0 }));
  const wanted = [...windowPlan.windows.filter((planned) => !covered.has(planned)), ...empty];
  wanted.sort((a, b) => b.window.range.startMs - a.window.range.startMs);
  const days = new Map<string, PlannedDay>();
  const ordered = await inOrderOfLoss(wanted, { lake, nowMs, pageSize, axis: request.axis, maxRequests });
  const free = limit ?? Number.POSITIVE_INFINITY;
  const allowance = { free, most: wanted.length, pageSize, skips: ordered.skips };
  const asked = new Set(fitting(ordered.windows, allowance));
  for (const planned of wanted) {
    const { window, count } = planned;
    const requests = requestsOf(count, pageSize);
    const [firstDay, lastDay] = [dayOf(window.range.startMs), dayOf(window.range.endMs - 1)];
    const before = days.get(`${firstDay} ${lastDay}`) ?? { windows: 0, events: 0, requests: 0, left: 0 };
    days.set(`${firstDay} ${lastDay}`, {
      ...{ firstDay, lastDay, windows: before.windows + 1, events: before.events + count },
      ...{ requests: before.requests + requests, left: before.left + (asked.has(planned) ? 0 : 1) },
    });
  }
  return [...days.values()];
}
