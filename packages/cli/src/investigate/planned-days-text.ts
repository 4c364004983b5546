import { countText, durationText, nounText, sum } from '@edrlake/core';
import type { PlannedDay } from '@edrlake/runner';
import { tableText } from '../text/table-text.ts';

/** What a backfill would do, and why. */
export interface BackfillPreview {
  /** Newest first. */
  readonly days: readonly (PlannedDay & {
    readonly reason: string;
    /** Such as `unrecoverable after 2026-12-14`; null where there is time enough, or it is not known. */
    readonly loss: string | null;
  })[];
  /** Requests that were made to find this out; the backfill makes them too. */
  readonly planning: number;
  /** How long its requests take at the limit of the gateway. */
  readonly durationMs: number;
}

/** The same as plain data. */
export function previewDocument({ days, planning, durationMs }: BackfillPreview) {
  const requests = planning + sum(days, (day) => day.requests);
  return { dryRun: true, days, planning, requests, durationSeconds: Math.ceil(durationMs / 1_000) };
}

/** A line for each day, and the sum. Ends with a line break. @param width of a line in cells */
export function previewText({ days, planning, durationMs }: BackfillPreview, width: number): string {
  if (days.length === 0) return 'Nothing to fetch.\n';
  const isLost = days.some(({ loss }) => loss !== null);
  const rows = days.map(({ firstDay, lastDay, reason, loss, windows, events, requests, left }) => [
    firstDay === lastDay ? firstDay : `${firstDay} to ${lastDay}`,
    reason,
    ...(isLost ? [(loss ?? '').slice(-'2026-12-14'.length)] : []),
    countText(windows),
    countText(events),
    countText(requests),
    ...(days.some((day) => day.left > 0) ? [left === 0 ? '' : countText(left)] : []),
  ]);
  const numbers = ['windows', 'events', 'requests', ...(days.some(({ left }) => left > 0) ? ['left'] : [])];
  const columns = [
    { title: 'day' },
    { title: 'reason' },
    ...(isLost ? [{ title: 'unrecoverable' }] : []),
    ...numbers.map((title) => ({ title, align: 'right' as const })),
  ];
  const pages = sum(days, (day) => day.requests);
  const left = sum(days, (day) => day.left);
  return [
    tableText(columns, rows, width),
    '',
    `${nounText(pages, 'request')} for pages and ${countText(planning)} to plan: about ${durationText(durationMs)}.`,
    ...(left > 0 ? [`${nounText(left, 'window')} would be left by --max-requests.`] : []),
    'Nothing was fetched. The same command without --dry-run does it.',
    '',
  ].join('\n');
}
