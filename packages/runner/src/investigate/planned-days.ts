import { type Day, dayOf, type PlannedWindow } from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import { requestsOf } from '@edrlake/pager';
import { coveredWindows } from '../export/skip-covered.ts';
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

/**
 * The windows that an export of this plan would fetch, by day, the newest first: by the same rules as the export, which
 * leaves out what the lake already proves, confirms each zero by a page, and fetches the newest first where it has a
 * limit.
 * @param lake null where there is none yet
 * @param limit requests that are left for pages; null: any number
 */
export async function plannedDays(
  { windowPlan }: ExportPlan,
  request: ExportRequest,
  lake: Lake | null,
  { pageSize, force, limit }: { readonly pageSize: number; readonly force: boolean; readonly limit: number | null },
): Promise<readonly PlannedDay[]> {
  const isKnown = lake === null || force;
  const covered = isKnown ? new Set<PlannedWindow>() : await coveredWindows(windowPlan.windows, request, lake);
  const empty = windowPlan.emptyWindows.map((window): PlannedWindow => ({ window, count: 0 }));
  const wanted = [...windowPlan.windows.filter((planned) => !covered.has(planned)), ...empty];
  wanted.sort((a, b) => b.window.range.startMs - a.window.range.startMs);
  const days = new Map<string, PlannedDay>();
  let free = limit ?? Number.POSITIVE_INFINITY;
  for (const { window, count } of wanted) {
    const requests = requestsOf(count, pageSize);
    free -= requests;
    const [firstDay, lastDay] = [dayOf(window.range.startMs), dayOf(window.range.endMs - 1)];
    const before = days.get(`${firstDay} ${lastDay}`) ?? { windows: 0, events: 0, requests: 0, left: 0 };
    days.set(`${firstDay} ${lastDay}`, {
      ...{ firstDay, lastDay, windows: before.windows + 1, events: before.events + count },
      ...{ requests: before.requests + requests, left: before.left + (free < 0 ? 1 : 0) },
    });
  }
  return [...days.values()];
}
