import { countText, durationText, instantText, nounText, type PlannedWindow, rangeFlagsText } from '@edrlake/core';
import type { ExportPlan } from '@edrlake/runner';
import { spanOf } from '../text/format-numbers.ts';
import { pairsText, tableText } from '../text/table-text.ts';
import { wrapWords } from '../text/text-width.ts';
import { frozenText } from './report-text.ts';

/** A plan and what it means for the clock. */
export interface PlanView {
  readonly plan: ExportPlan;
  readonly pageSize: number;
  readonly requestsMade: number;
  /** What the lake proves already and a backfill would not fetch; null without a lake. */
  readonly proven: { readonly windows: number; readonly events: number } | null;
  /** Duration at 300 requests an hour. */
  readonly standardMs: number;
  /** The limit the gateway named in its headers, or null. */
  readonly advertised: { readonly requests: number; readonly windowSeconds: number } | null;
  readonly advertisedMs: number | null;
}

/** Windows shown at either end when not all are wanted. */
const SHOWN_AT_EACH_END = 5;

/** The plan for a person: numbers first, then windows. */
export function planText(view: PlanView, all: boolean, width: number): string {
  const { plan, pageSize } = view;
  const { requests, windowPlan } = plan;
  const ratio = requests.ratio === null ? '' : `, ratio ${requests.ratio.toFixed(2)}`;
  const pairs: [string, string][] = [
    ['Range', `${instantText(spanOf(plan.request).startMs)} to ${instantText(spanOf(plan.request).endMs)}`],
    ['Events', countText(windowPlan.events)],
    ['Windows', countText(windowPlan.windows.length)],
    ...emptyPairs(windowPlan.emptyWindows.length),
    ...uncountedPairs(plan.uncounted.length),
    ...provenPairs(view),
    [
      'Requests',
      `${countText(requests.planned)} planned: ${countText(requests.planning)} to plan, ${nounText(requests.pages, 'page')}, ${nounText(requests.logins, 'login')}`,
    ],
    ['Lower bound', `${nounText(requests.lowerBound, 'request')} of ${nounText(pageSize, 'event')}${ratio}`],
    ['Duration', `about ${durationText(view.standardMs)} at 300 requests an hour`],
  ];
  if (view.advertised !== null && view.advertisedMs !== null) {
    const { requests: allowed, windowSeconds } = view.advertised;
    pairs.push([
      '',
      `about ${durationText(view.advertisedMs)} at the gateway's ${countText(allowed)} in ${durationText(windowSeconds * 1_000)}`,
    ]);
  }
  const frozen = plan.frozenAtMs === null ? [] : [...wrapWords(frozenText(plan.frozenAtMs), width), ''];
  const parts = [pairsText(pairs), '', ...frozen];
  if (windowPlan.windows.length > 0) parts.push(windowsText(windowPlan.windows, all, width), '');
  if (windowPlan.events === 0) parts.push('Nothing to fetch. A backfill confirms that.');
  const next = `Next: edrlake backfill ${rangeFlagsText(spanOf(plan.request))}`;
  return `${[...parts, next].join('\n')}\n`;
}

function emptyPairs(emptyWindows: number): [string, string][] {
  if (emptyWindows === 0) return [];
  return [['Empty', `${nounText(emptyWindows, 'range')} by the counts, each takes a page to confirm`]];
}

function uncountedPairs(uncounted: number): [string, string][] {
  if (uncounted === 0) return [];
  return [['Not counted', `${nounText(uncounted, 'range')}, which a backfill would count again`]];
}

function provenPairs({ proven }: PlanView): [string, string][] {
  if (proven === null || proven.windows === 0) return [];
  const windows = nounText(proven.windows, 'window');
  return [['In the lake', `${windows} with ${nounText(proven.events, 'event')}, which a backfill would not fetch`]];
}

function windowsText(windows: readonly PlannedWindow[], all: boolean, width: number): string {
  const left = all ? 0 : Math.max(0, windows.length - 2 * SHOWN_AT_EACH_END);
  const shown = left < 2 ? windows : [...windows.slice(0, SHOWN_AT_EACH_END), ...windows.slice(-SHOWN_AT_EACH_END)];
  const withFilters = shown.some(({ window }) => window.cuts.length > 0);
  const rows = shown.map(({ window, count }) => {
    const cells = [
      instantText(window.range.startMs),
      instantText(window.range.endMs),
      durationText(window.range.endMs - window.range.startMs),
      countText(count),
    ];
    return withFilters ? [...cells, filtersText(window.cuts)] : cells;
  });
  if (left >= 2) rows.splice(SHOWN_AT_EACH_END, 0, [`… ${countText(left)} more, --all lists them`]);
  const columns = [
    { title: 'from' },
    { title: 'until' },
    { title: 'length', align: 'right' as const },
    { title: 'events', align: 'right' as const },
    ...(withFilters ? [{ title: 'filter' }] : []),
  ];
  return tableText(columns, rows, width);
}

function filtersText(cuts: PlannedWindow['window']['cuts']): string {
  return cuts.map(({ field, op, values }) => `${field} ${op === 'in' ? '' : 'not '}${values.join(', ')}`).join('; ');
}
