import {
  clocksText,
  countText,
  type DataFile,
  type Day,
  durationText,
  type ExportOutcome,
  isAhead,
  isoInstant,
  nounText,
  rangeFlagsText,
  sum,
  type TimeAxis,
  worstOutcome,
} from '@edrlake/core';
import type { ExportReport, SyncReport } from '@edrlake/runner';
import { atSecond, spanOf } from '../text/format-numbers.ts';
import { pairsText } from '../text/table-text.ts';
import { wrapWords } from '../text/text-width.ts';
import { isLongPast, lostFileLines, partialLines, reportDocument, unprovableLines } from './report-text.ts';

/** Days whose events a sync has added to or changed. */
export interface ChangedDays {
  /** Days that had events before, oldest first: late events have re-opened them. */
  readonly reopened: readonly Day[];
  readonly new: readonly Day[];
}

/** A sync, as it is shown. */
export interface SyncView {
  readonly report: SyncReport;
  readonly axis: TimeAxis;
  readonly requests: number;
  readonly days: ChangedDays;
}

/** The days whose files differ between two versions of the events table. */
export function changedDays(
  before: readonly Pick<DataFile, 'path' | 'partition'>[],
  after: readonly Pick<DataFile, 'path' | 'partition'>[],
): ChangedDays {
  const known = new Set(before.map(({ path }) => path));
  const hadEvents = new Set(before.map(({ partition }) => partition));
  const changed = new Set(after.filter(({ path }) => !known.has(path)).map(({ partition }) => partition));
  const days = [...changed].sort().map((partition) => ({
    day: partition.slice(partition.indexOf('=') + 1),
    isReopened: hadEvents.has(partition),
  }));
  return {
    reopened: days.filter(({ isReopened }) => isReopened).map(({ day }) => day),
    new: days.filter(({ isReopened }) => !isReopened).map(({ day }) => day),
  };
}

const SHOWN_DAYS = 5;

/** Of events that were compared by counts. */
const HELD = 'held before and counted alike by the API: not fetched again';

/** A sync for a person: one line when there was nothing to do. */
export function syncText(view: SyncView, width: number): string {
  const { report, axis, requests, days } = view;
  const exports = exportsOf(report);
  const total = (pick: (exported: ExportReport) => number) => sum(exports, pick);
  const added = total(({ events }) => events.new);
  const changed = total(({ events }) => events.changed);
  const outcomes = outcomesOf(report);
  const isDone = outcomes.every((outcome) => outcome === 'done');
  const until = report.watermarkAfterMs === null ? 'nothing' : atSecond(report.watermarkAfterMs);
  if (isDone && added + changed === 0) {
    const upTo = report.lostFiles.length > 0 ? 'Nothing new up to' : 'Nothing new: complete up to';
    const nothing = wrapWords(`${upTo} ${until}, ${nounText(requests, 'request')}.`, width);
    if (report.held > 0) nothing.push(...wrapWords(`${nounText(report.held, 'event')} ${HELD}.`, width));
    return `${[...nothing, ...clockLines(report, width), ...lostFileLines(report.lostFiles, width)].join('\n')}\n`;
  }
  const clock = axis === 'processed' ? 'processing time' : 'event time';
  const headline = isDone
    ? `Synced: complete up to ${until} of ${clock}.`
    : outcomes.includes('partly')
      ? `Partly synced: complete up to ${until} of ${clock}. What is proven is in the lake.`
      : outcomes.every((outcome) => outcome === 'done' || outcome === 'rejected')
        ? `Too many records were rejected after ${until} of ${clock}.`
        : `The lake and the API disagree after ${until} of ${clock}.`;
  const pairs: [string, string][] = [
    [
      'Events',
      `${countText(added)} new · ${countText(changed)} changed · ${countText(total(({ events }) => events.unchanged))} unchanged`,
    ],
    ['Watermark', watermarkText(report)],
  ];
  if (report.held > 0) pairs.splice(1, 0, ['Held', `${countText(report.held)} ${HELD}`]);
  if (days.reopened.length > 0) pairs.push(['Re-opened', daysText(days.reopened)]);
  if (days.new.length > 0) pairs.push(['New', daysText(days.new)]);
  pairs.push([
    'Requests',
    `${countText(requests)} made · ${countText(total((one) => one.requests.lowerBound))} at least`,
  ]);
  const last = exports.at(-1);
  if (last !== undefined) pairs.push(['Run', `${last.runId} · ${durationText(total((one) => one.durationMs))}`]);
  const parts = [...wrapWords(headline, width), ...clockLines(report, width), '', pairsText(pairs), ''];
  return `${[...parts, ...nextLines(report, width), ...lostFileLines(report.lostFiles, width)].join('\n')}\n`;
}

/** Says so where the clocks are apart: the earlier one holds the watermark back. */
function clockLines({ clocks }: SyncReport, width: number): string[] {
  if (!isAhead(clocks.latestMs, clocks.nowMs)) return [];
  const text = `Clocks are apart: ${clocksText(clocks)}. The earlier one counts, so nothing is skipped. Synchronise the clock of this machine.`;
  return wrapWords(text, width);
}

/** The exports that a sync was made of, oldest first. */
export function exportsOf(report: SyncReport): ExportReport[] {
  return [report.resumed, report.exported, report.again].filter((exported) => exported !== null);
}

/** How a sync ended: its exports, and rejects of this or an earlier one that are not proven since. */
export function outcomesOf(report: SyncReport): ExportOutcome[] {
  const rejected = report.rejected.length > 0 ? (['rejected'] as const) : [];
  return [...rejected, ...exportsOf(report).map(({ outcome }) => outcome)];
}

function watermarkText({ watermarkBeforeMs, watermarkAfterMs }: SyncReport): string {
  const [before, after] = [watermarkBeforeMs, watermarkAfterMs].map((ms) => (ms === null ? 'none' : atSecond(ms)));
  return before === after ? `${after}, as before` : `${before} → ${after}`;
}

function daysText(days: readonly Day[]): string {
  const shown = days.length <= SHOWN_DAYS ? days : [...days.slice(0, 2), '…', ...days.slice(-2)];
  return `${nounText(days.length, 'day')}: ${shown.join(' ')}`;
}

function nextLines(report: SyncReport, width: number): string[] {
  const exports = exportsOf(report);
  const bad = exports.findLast(({ outcome }) => outcome !== 'done');
  if (bad === undefined && report.rejected.length === 0) return ['Next: edrlake status'];
  if (bad === undefined || bad.outcome === 'rejected') return rejectedLines(report, width);
  if (bad.outcome === 'partly') {
    const [first] = [...bad.windows.failed, ...(bad.windows.unverified ?? [])];
    const why = first === undefined ? [] : wrapWords(`First failure: ${first.message} [${first.code}]`, width);
    const came = partialLines(bad.windows.failed, width);
    return [
      ...why,
      ...came,
      'Next: edrlake sync',
      '      (goes on from the watermark and fetches only what is missing)',
    ];
  }
  const unprovable = unprovableLines(bad.windows.mismatched);
  if (unprovable !== null) return unprovable;
  const worst = bad.windows.mismatched[0]?.range ?? spanOf(bad.request);
  return [
    `Events processed in ${rangeFlagsText(worst)} are not what the API counted.`,
    isLongPast(bad, worst)
      ? 'That is long past: counts and pages of the API disagree there. Next: edrlake sync'
      : 'They may still be arriving. Next: edrlake sync',
  ];
}

/** The watermark does not pass rejects; what was processed later is fetched all the same. */
function rejectedLines({ rejected }: SyncReport, width: number): string[] {
  const ranges = rejected.slice(0, SHOWN_DAYS).map(({ range: { startMs, endMs }, retryAtMs }) => {
    return `  ${atSecond(startMs)} to ${atSecond(endMs)}, fetched again from ${atSecond(retryAtMs)}`;
  });
  const more =
    rejected.length > SHOWN_DAYS ? [`  … and ${countText(rejected.length - SHOWN_DAYS)} more, see --json`] : [];
  const why =
    'The watermark waits there; what was processed later is in the lake. A newer edrlake may read these records: ' +
    'after an update the next sync fetches them again. Where they are to remain rejects, allow them:';
  return [...ranges, ...more, ...wrapWords(why, width), 'Next: edrlake sync --max-reject-share 100%'];
}

/** A sync as plain data with instants as text. */
export function syncDocument({ report, axis, requests, days }: SyncView) {
  const { watermarkBeforeMs, watermarkAfterMs, range, held, reopened, rejected, resumed, exported, again, clocks } =
    report;
  const isoRange = ({ startMs, endMs }: { readonly startMs: number; readonly endMs: number }) => ({
    from: isoInstant(startMs),
    to: isoInstant(endMs),
  });
  const exports = exportsOf(report);
  return {
    outcome: worstOutcome(outcomesOf(report)),
    axis,
    watermarkBefore: watermarkBeforeMs === null ? null : isoInstant(watermarkBeforeMs),
    watermarkAfter: watermarkAfterMs === null ? null : isoInstant(watermarkAfterMs),
    range: range === null ? null : isoRange(range),
    held,
    lookedBackInto: reopened.map(isoRange),
    rejected: rejected.map((one) => ({ ...isoRange(one.range), retryAt: isoInstant(one.retryAtMs) })),
    clocks: {
      local: isoInstant(clocks.localMs),
      gateway: clocks.serverMs === null ? null : isoInstant(clocks.serverMs),
    },
    days,
    events: {
      new: sum(exports, ({ events }) => events.new),
      changed: sum(exports, ({ events }) => events.changed),
      unchanged: sum(exports, ({ events }) => events.unchanged),
    },
    requestsMade: requests,
    resumed: resumed === null ? null : reportDocument(resumed),
    exported: exported === null ? null : reportDocument(exported),
    again: again === null ? null : reportDocument(again),
  };
}
