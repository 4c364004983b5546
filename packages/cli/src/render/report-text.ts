import {
  bytesText,
  countText,
  durationText,
  FOREIGN_CUSTOMER,
  instantText,
  isoInstant,
  MS_PER_DAY,
  nounText,
  rangeFlagsText,
  sum,
  type TimeRange,
} from '@edrlake/core';
import type { ExportReport } from '@edrlake/runner';
import { stalledText } from '@edrlake/runner/history';
import { spanOf } from '../text/format-numbers.ts';
import { pairsText, tableText } from '../text/table-text.ts';
import { displayWidth, oneLine, truncate, wrapWords } from '../text/text-width.ts';
import { rejectedLines } from './rejects-text.ts';

/** Windows and fields a person can still read through. */
const SHOWN = 10;

/** What a run did, for a person, with the next command to type. */
export function reportText(report: ExportReport, width: number): string {
  const parts = [...wrapWords(headline(report), width), ...frozenLines(report, width), '', pairsText(numbers(report))];
  const { failed, unverified = [], mismatched } = report.windows;
  if (mismatched.length > 0) {
    const rows = mismatched
      .slice(0, SHOWN)
      .map((window) => [
        ...rangeCells(window.range),
        countText(window.counted),
        countText(window.fetched),
        countText(window.distinct),
      ]);
    const columns = [
      { title: 'from' },
      { title: 'until' },
      ...['counted', 'fetched', 'distinct'].map((title) => ({ title, align: 'right' as const })),
    ];
    parts.push('', 'Windows whose events are not what the API counted:', tableText(columns, rows, width));
    parts.push(...moreLine(mismatched.length));
  }
  const left = failed.filter(({ code }) => code === LIMIT_REACHED);
  const broken = failed.filter(({ code }) => code !== LIMIT_REACHED);
  parts.push(...whyTable('Windows that failed:', broken, width), ...partialLines(broken, width));
  parts.push(...leftLines(left, width));
  parts.push(...whyTable('Counted as empty, and not confirmed by an empty page:', unverified, width));
  for (const stalled of (report.stalled ?? []).slice(0, SHOWN)) {
    parts.push('', ...wrapWords(`No progress: ${stalledText(stalled)}.`, width));
  }
  if (report.unknownFields.length > 0) {
    const rows = report.unknownFields
      .slice(0, SHOWN)
      .map((field) => [field.path, countText(field.eventCount), field.firstDay]);
    const columns = [{ title: 'field' }, { title: 'events', align: 'right' as const }, { title: 'first seen' }];
    parts.push('', 'Fields without a column, kept in extra:', tableText(columns, rows, width));
    parts.push(...moreLine(report.unknownFields.length));
  }
  parts.push('', ...nextLines(report));
  return `${parts.join('\n')}\n`;
}

const LIMIT_REACHED = 'LIMIT_REACHED';

/** What a limit of the run has left: how much, from when to when, and which limit. */
function leftLines(left: ExportReport['windows']['failed'], width: number): string[] {
  const [first] = left;
  if (first === undefined) return [];
  const startMs = Math.min(...left.map(({ range }) => range.startMs));
  const endMs = Math.max(...left.map(({ range }) => range.endMs));
  const span = `${instantText(startMs)} and ${instantText(endMs)}`;
  return [
    '',
    ...wrapWords(`Left for the next run: ${nounText(left.length, 'window')} between ${span}, ${first.message}.`, width),
  ];
}

/** Windows and why nothing is known of them; nothing for none. */
function whyTable(title: string, windows: ExportReport['windows']['failed'], width: number): string[] {
  if (windows.length === 0) return [];
  const rows = windows
    .slice(0, SHOWN)
    .map((window) => [...rangeCells(window.range), `${window.message} [${window.code}]`]);
  const columns = [{ title: 'from' }, { title: 'until' }, { title: 'why' }];
  const table = tableText(columns, rows, null);
  const fits = table.split('\n').every((line) => displayWidth(line) <= width);
  // A truncated reason helps no reader: where the table is too wide, it is below, once for neighbours that share it.
  const lines = rows.flatMap(([from = '', until = '', why = ''], index) => [
    `${from} to ${until}`,
    ...(rows[index + 1]?.[2] === why
      ? []
      : wrapWords(oneLine(why), width - 2).map((line) => truncate(`  ${line}`, width))),
  ]);
  return ['', title, ...(fits ? [table] : lines), ...moreLine(windows.length)];
}

/** What came of windows that failed. */
export function partialLines(failed: ExportReport['windows']['failed'], width: number): string[] {
  const fetched = sum(failed, (window) => window.fetched ?? 0);
  if (fetched === 0) return [];
  return wrapWords(
    `${countText(fetched)} of their events came and are in the lake, unproven until the rest is.`,
    width,
  );
}

function headline(report: ExportReport): string {
  const range = `${instantText(spanOf(report.request).startMs)} to ${instantText(spanOf(report.request).endMs)}`;
  if (report.outcome === 'done') {
    const nothingNew = report.events.new + report.events.changed === 0;
    return nothingNew ? `Complete: ${range}, nothing new.` : `Complete: ${range}.`;
  }
  if (report.outcome === 'rejected') return `Too many records were rejected: ${range}. All others are in the lake.`;
  return report.outcome === 'partly'
    ? `Partly done: ${range}. What is proven is in the lake.`
    : `The lake and the API disagree: ${range}.`;
}

/** Where the end was frozen, so that no reader takes an unfinished day for complete. */
function frozenLines({ frozenAtMs }: ExportReport, width: number): string[] {
  return frozenAtMs === null ? [] : wrapWords(frozenText(frozenAtMs), width);
}

/** Says that an export ends before what was asked for, and why. */
export function frozenText(frozenAtMs: number): string {
  return `What was asked for goes beyond now: it ends at ${instantText(frozenAtMs)}. A day that is not over stays open.`;
}

function objectStorePairs({ objectStore }: ExportReport): [string, string][] {
  if (objectStore === undefined) return [];
  return [['Object store', trafficText(objectStore)]];
}

/** That data files are gone, and what brings their rows back; no line where none is. */
export function lostFileLines(lostFiles: readonly string[], width: number): string[] {
  const [first] = lostFiles;
  if (first === undefined) return [];
  const files = `${nounText(lostFiles.length, 'data file')} gone or cut, such as ${first}`;
  return [...wrapWords(files, width), 'Next: edrlake reconcile --repair'];
}

/** What went to an object store and came back. */
export function trafficText({ requests, sentBytes, receivedBytes }: NonNullable<ExportReport['objectStore']>): string {
  return `${nounText(requests, 'request')} · ${bytesText(sentBytes)} sent · ${bytesText(receivedBytes)} received`;
}

function numbers(report: ExportReport): [string, string][] {
  const { events, windows, requests } = report;
  const { unverified = [] } = windows;
  const left = windows.failed.filter(({ code }) => code === LIMIT_REACHED).length;
  const broken = windows.failed.length - left;
  const recounted = events.recounted === undefined ? '' : `, ${countText(events.recounted)} when fetched`;
  const pairs: [string, string][] = [
    [
      'Events',
      `${countText(events.counted)} counted${recounted} · ${countText(events.new)} new · ${countText(events.changed)} changed · ${countText(events.unchanged)} unchanged`,
    ],
    [
      'Windows',
      [
        `${countText(windows.planned)} planned`,
        `${countText(windows.committed)} committed`,
        ...(windows.skipped > 0 ? [`${countText(windows.skipped)} already proven`] : []),
        ...(broken > 0 ? [`${countText(broken)} failed`] : []),
        ...(left > 0 ? [`${countText(left)} left`] : []),
        ...(unverified.length > 0 ? [`${countText(unverified.length)} unverified`] : []),
        ...(windows.mismatched.length > 0 ? [`${countText(windows.mismatched.length)} mismatched`] : []),
        ...(windows.rejected.length > 0 ? [`${countText(windows.rejected.length)} rejected`] : []),
      ].join(' · '),
    ],
    [
      'Requests',
      `${countText(report.requestsMade)} made · ${countText(requests.planned)} planned · ${countText(requests.lowerBound)} at least`,
    ],
    ['Lake', `version ${report.version} · ${nounText(report.filesAdded, 'new file')}`],
    ...objectStorePairs(report),
    ['Run', `${report.runId}${report.resumed ? ' (resumed)' : ''} · ${durationText(report.durationMs)}`],
  ];
  if (report.pageSize !== undefined) {
    const { asked, given } = report.pageSize;
    pairs.push([
      'Pages',
      `of ${countText(given)} events: the gateway gives no ${countText(asked)}, set --page-size ${given}`,
    ]);
  }
  if (events.duplicates !== undefined) {
    pairs.splice(1, 0, ['Twice', `${nounText(events.duplicates, 'record')} listed twice by the API, stored once`]);
  }
  if (events.rejected > 0) {
    pairs.splice(1, 0, ['Rejected', `${nounText(events.rejected, 'record')}, see the table rejects`]);
  }
  return pairs;
}

/** Their windows prove nothing: an answer that mixes customers cannot be relied on for the rest of it either. */
function foreignLines(count: number, range: string): string[] {
  return [
    `${nounText(count, 'event')} of another customer ${count === 1 ? 'was' : 'were'} among them: rejected, and only the ids kept.`,
    'Check the account; if it is the right one, report the range to the support.',
    `Next: edrlake backfill ${range} --force`,
  ];
}

function nextLines(report: ExportReport): string[] {
  const range = rangeFlagsText(spanOf(report.request));
  if (report.outcome === 'done') return ['Next: edrlake status'];
  if (report.outcome === 'partly') return [`Next: edrlake backfill ${range}`, '      (fetches only what is missing)'];
  if (report.outcome === 'rejected')
    return rejectedLines(rangeFlagsText(report.windows.rejected[0]?.range ?? spanOf(report.request)));
  const foreign = report.rejects.find(({ reason }) => reason === FOREIGN_CUSTOMER);
  if (foreign !== undefined) return foreignLines(foreign.count, range);
  const unprovable = unprovableLines(report.windows.mismatched);
  if (unprovable !== null) return unprovable;
  const short = shortPagesLines(report.windows.mismatched, range);
  if (short !== null) return short;
  const worst = report.windows.mismatched[0]?.range ?? spanOf(report.request);
  const again = `Next: edrlake backfill ${rangeFlagsText(worst)} --force`;
  const support = 'What came is stored; give Qualys support the range and the numbers.';
  if (isLongPast(report, worst)) {
    return [
      'That time is long past, so hardly anything arrives there any more: the API',
      'counts events that its pages do not show, or the reverse. Often a part of its',
      'index is unavailable for a while, or events are removed as they expire.',
      again,
      'The same numbers again?',
      support,
    ];
  }
  return [
    'Events may still be arriving in that time: try again in an hour or two.',
    again,
    'The same numbers again? Then the counts and pages of the API disagree there.',
    support,
  ];
}

/** Events of older times arrive rarely: days late by the time of the event, minutes late by processing time. */
const STILL_ARRIVING_MS = { event: 7 * MS_PER_DAY, processed: MS_PER_DAY } as const;

/** Whether a range ended before late events can explain what does not add up in it. */
export function isLongPast({ request, startedAtMs, durationMs }: ExportReport, { endMs }: TimeRange): boolean {
  return startedAtMs + durationMs - endMs > STILL_ARRIVING_MS[request.axis];
}

/** What to do where events of other times came; null where none did. Another attempt would bring the same. */
export function ignoredRangeLines(mismatched: ExportReport['windows']['mismatched']): string[] | null {
  const found = mismatched.find(({ outside }) => outside !== undefined);
  if (found?.outside === undefined) return null;
  const { events, firstMs, lastMs } = found.outside;
  return [
    `The API did not keep to the time range: ${nounText(events, 'event')} of other times came.`,
    `Expected  ${instantText(found.range.startMs)} to ${instantText(found.range.endMs)}`,
    `Found     ${instantText(firstMs)} to ${instantText(lastMs)}`,
    'This platform may spell the time token otherwise, as event.datetime, select by',
    'another time than the token says, or read times in another zone than UTC.',
    'Next: edrlake doctor (finds the token to set with --event-time-token)',
  ];
}

/** What to do where another attempt would bring the same; null where it may help. */
export function unprovableLines(mismatched: ExportReport['windows']['mismatched']): string[] | null {
  return ignoredRangeLines(mismatched) ?? sharedIdsLines(mismatched);
}

/** What to do where ids do not tell events apart; null where they do. */
function sharedIdsLines(mismatched: ExportReport['windows']['mismatched']): string[] | null {
  const found = mismatched.find(({ sharedIds }) => sharedIds !== undefined);
  if (found?.sharedIds === undefined) return null;
  const { others, mostTimes, sample } = found.sharedIds;
  return [
    'The ids of the API do not tell events apart, and of those with one id the lake',
    `keeps one: ${nounText(others, 'event')} of other times are not in it.`,
    `Such as  ${JSON.stringify(sample.slice(0, 60))}, at ${nounText(mostTimes, 'time')}`,
    'Look at one of them: edrlake event ID --explain',
    'Give Qualys support the range and the id. Until the API gives each event an id',
    'of its own, this range cannot be proven.',
  ];
}

/**
 * What to do where pages came smaller than asked for, and not alike, so that no size could be learned; null where none
 * did.
 */
function shortPagesLines(mismatched: ExportReport['windows']['mismatched'], rangeFlags: string): string[] | null {
  const found = mismatched.find(({ shortPages }) => shortPages !== undefined)?.shortPages;
  if (found === undefined) return null;
  const { asked, smallest, largest } = found;
  const sizes = smallest === largest ? countText(largest) : `${countText(smallest)} to ${countText(largest)}`;
  return [
    `The gateway gave pages of ${sizes} events where ${countText(asked)} were asked for.`,
    'The rest of each page is lacking: ask for no more than it always gives.',
    `Next: edrlake backfill ${rangeFlags} --page-size ${Math.max(1, smallest)}`,
  ];
}

function rangeCells(range: TimeRange): string[] {
  return [instantText(range.startMs), instantText(range.endMs)];
}

function moreLine(length: number): string[] {
  return length > SHOWN ? [`… ${countText(length - SHOWN)} more, --json lists all`] : [];
}

/** The report as plain data with instants as text. */
export function reportDocument(report: ExportReport) {
  const { request, startedAtMs, frozenAtMs, windows, stalled = [], ...rest } = report;
  return {
    ...rest,
    ...(stalled.length > 0 && { stalled: stalled.map(({ range, ...window }) => ({ ...window, ...isoRange(range) })) }),
    range: isoRange(spanOf(request)),
    frozenAt: frozenAtMs === null ? null : isoInstant(frozenAtMs),
    filter: request.scope.filter,
    state: request.scope.state,
    windows: {
      ...windows,
      failed: windows.failed.map(({ range, ...window }) => ({ ...window, ...isoRange(range) })),
      unverified: (windows.unverified ?? []).map(({ range, ...window }) => ({ ...window, ...isoRange(range) })),
      mismatched: windows.mismatched.map(({ range, ...window }) => ({ ...window, ...isoRange(range) })),
      rejected: windows.rejected.map(({ range, ...window }) => ({ ...window, ...isoRange(range) })),
    },
    startedAt: isoInstant(startedAtMs),
  };
}

function isoRange(range: TimeRange): { readonly from: string; readonly to: string } {
  return { from: isoInstant(range.startMs), to: isoInstant(range.endMs) };
}
