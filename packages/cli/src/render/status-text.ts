import {
  bytesText,
  countText,
  deprecationText,
  durationText,
  isAhead,
  isoInstant,
  MS_PER_SECOND,
  nounText,
  sum,
  TABLE_FORMAT_NAMES,
} from '@edrlake/core';
import type { DayCoverage, IndexState, ObjectCosts, PublicationState } from '@edrlake/lake';
import {
  type Calendar,
  isOlderThan,
  type LakeStatus,
  type QuietLine,
  quietLine,
  type RequestLimitStatus,
  type RunSummary,
  type StandingStatus,
  stateOn,
  type TableStatus,
} from '@edrlake/runner/history';
import { atSecond } from '../text/format-numbers.ts';
import { horizonPairs } from '../text/horizon-text.ts';
import { pairsText, tableText } from '../text/table-text.ts';
import { calendarSpanText, calendarText } from './calendar.ts';
import { lostFileLines, trafficText } from './report-text.ts';

/** Days shown one by one before a sentence has to do. */
const SHOWN_DAYS = 10;

/** How a status is shown. */
export interface StatusStyle {
  readonly width: number;
  readonly colour: boolean;
  readonly nowMs: number;
}

/** The status for a person. */
export function statusText(status: LakeStatus, style: StatusStyle): string {
  const { tables, committedAtMs, newestEventAtMs, watermarkMs, calendar, days, budget } = status;
  const bytes = sum(tables, (table) => table.bytes);
  const files = sum(tables, (table) => table.files);
  const pairs: [string, string][] = [
    ['Lake', status.directory],
    ['Version', committedAtMs === null ? 'empty' : versionText(status.version, committedAtMs, style.nowMs)],
    ['Size', `${bytesText(bytes)} in ${nounText(files, 'file')}`],
  ];
  if (status.listedTwice > 0) {
    pairs.push(['Twice', `${nounText(status.listedTwice, 'record')} listed twice by the API, stored once`]);
  }
  if (status.rejects.length > 0) pairs.push(['Rejects', rejectsText(status.rejects)]);
  if (newestEventAtMs !== null) pairs.push(['Newest event', atSecond(newestEventAtMs)]);
  if (watermarkMs !== null) {
    pairs.push(['Watermark', `${atSecond(watermarkMs)}, ${durationText(style.nowMs - watermarkMs)} ago`]);
  }
  if (status.lastRun !== null) pairs.push(['Last run', lastRunText(status.lastRun)]);
  for (const publication of status.publications) {
    pairs.push(['Published', publicationText(publication, status.version)]);
  }
  if (status.valueIndex !== null) {
    const share = bytes === 0 ? '' : `, ${((status.valueIndex.bytes / bytes) * 100).toFixed(1)} % of the data`;
    pairs.push(['Value index', `${bytesText(status.valueIndex.bytes)}${share}${behindText(status.valueIndex)}`]);
  }
  if (status.standingHunts !== null) pairs.push(['Hunts', huntsText(status.standingHunts, status.version)]);
  if (status.objectStore !== null) {
    const { lastCommit, lastRun } = status.objectStore;
    pairs.push([`Cost of version ${lastCommit.version}`, trafficText(lastCommit)]);
    pairs.push(['Cost of its run', `${trafficText(lastRun)}, ${nounText(lastRun.commits, 'commit')}`]);
  }
  pairs.push(...horizonPairs(status, style.nowMs), ...quietPairs(status.quiet));
  if (budget !== null) pairs.push(['Requests left', budgetText(budget)]);
  if (status.deprecation !== null) pairs.push(['Warning', `the API says that ${deprecationText(status.deprecation)}`]);
  const parts = [pairsText(pairs, '', style.width), ''];
  if (status.version === 0) return `${[...parts, 'Next: edrlake backfill --from … --to …'].join('\n')}\n`;
  parts.push(tablesText(tables, style.width), '', calendarSpanText(calendar), '');
  parts.push(calendarText(calendar, style.width, style.colour), ...attentionLines(days, calendar, style.width));
  if (status.lostFiles.length > 0) parts.push('', ...lostFileLines(status.lostFiles, style.width));
  return `${parts.join('\n')}\n`;
}

/** Reasons shown one by one. */
const SHOWN_REASONS = 3;

/** `12 records: 10 no id, 2 not UTF-8`. */
function rejectsText(rejects: LakeStatus['rejects']): string {
  const recordsOf = (some: LakeStatus['rejects']) => sum(some, ({ records }) => records);
  const shown = rejects.slice(0, SHOWN_REASONS).map(({ reason, records }) => `${countText(records)} ${reason}`);
  const others = recordsOf(rejects.slice(SHOWN_REASONS));
  const all = others > 0 ? [...shown, `${countText(others)} for other reasons`] : shown;
  return `${nounText(recordsOf(rejects), 'record')}: ${all.join(', ')}`;
}

/** Findings shown one by one. */
const SHOWN_QUIET = 5;

/** What is below its expectation, a line for each. */
function quietPairs(quiet: LakeStatus['quiet']): [string, string][] {
  const findings = (quiet?.findings ?? []).map(quietLine);
  const shown = findings.slice(0, SHOWN_QUIET).map((line): [string, string] => ['Quiet', quietText(line)]);
  const more = findings.length - shown.length;
  return more > 0 ? [...shown, ['Quiet', `… and ${countText(more)} more, --json lists all`]] : shown;
}

/** `NETWORK on LINUX: none since 2026-11-27T14:00Z, 1,240 expected`. */
function quietText({ kind, type, platform, since, day, events, expected }: QuietLine): string {
  const name = (text: string) => (text === '' ? '(none)' : text);
  const source = [
    type === null ? 'all events' : name(type),
    ...(platform === null ? [] : [`on ${name(platform)}`]),
  ].join(' ');
  if (kind === 'silent') return `${source}: none since ${since?.slice(0, 16)}Z, ${countText(expected)} expected`;
  return `${source}: ${countText(events)} on ${day}, ${countText(expected)} expected`;
}

function behindText({ known, files }: IndexState): string {
  return known >= files ? '' : `; ${nounText(files - known, 'file')} not in it; run: edrlake index`;
}

function huntsText({ lists, matches, version, pending, ...hunts }: StandingStatus, newest: number): string {
  const found = `${nounText(lists.length, 'list')}, ${nounText(matches, 'match', 'matches')}`;
  const shown = hunts.isOfLostHistory ? `of a lost version ${version}` : `looked at up to version ${version}`;
  const behind = newest > version || hunts.isOfLostHistory ? `; ${shown}; run: edrlake hunt --standing` : '';
  return `${found}${behind}${pending > 0 ? `; ${nounText(pending, 'file')} not looked at` : ''}`;
}

function versionText(version: number, committedAtMs: number, nowMs: number): string {
  const ahead = isAhead(committedAtMs, nowMs) ? ', which has not come yet; check the clock' : '';
  return `${version}, of ${atSecond(committedAtMs)}${ahead}`;
}

function publicationText({ format, version, isOfLostHistory }: PublicationState, newest: number): string {
  const tables = `${TABLE_FORMAT_NAMES[format]} tables`;
  if (version === null) return `${tables}, not finished; run: edrlake publish ${format}`;
  if (isOfLostHistory)
    return `${tables} of lost version ${version}; remove _tables, then run: edrlake publish ${format}`;
  const behind = newest - version;
  return behind <= 0
    ? `${tables}, up to date`
    : `${tables}, ${nounText(behind, 'version')} behind; run: edrlake publish ${format}`;
}

function budgetText({ requestsLeft, requests, windowSeconds }: RequestLimitStatus): string {
  return `${countText(requestsLeft)} of ${countText(requests)} in ${durationText(windowSeconds * MS_PER_SECOND)}`;
}

function lastRunText(run: RunSummary): string {
  const what = run.pipeline ?? 'export';
  const parts = [`${what} ${run.state}`, `${atSecond(run.startedAtMs)}, ${durationText(run.durationMs)}`];
  if (run.rows !== null) parts.push(`${nounText(run.rows, 'event')} new or changed`);
  return parts.join(' · ');
}

/** What is wrong with a lake that was to be no older than this, or null where nothing is. */
export function stalenessOf(
  { freshUntilMs }: Pick<LakeStatus, 'freshUntilMs'>,
  maxAgeMs: number,
  nowMs: number,
): string | null {
  if (!isOlderThan(freshUntilMs, maxAgeMs, nowMs)) return null;
  const allowed = `at most ${durationText(maxAgeMs)} allowed`;
  if (freshUntilMs === null) return `the lake is stale: nothing in it is proven, ${allowed}`;
  if (isAhead(freshUntilMs, nowMs)) {
    return `the lake is stale: ${atSecond(freshUntilMs)}, up to which it seems to be complete, has not come yet; check the clock`;
  }
  return `the lake is stale: complete up to ${atSecond(freshUntilMs)}, ${durationText(nowMs - freshUntilMs)} ago, ${allowed}`;
}

/** Rows, files and size of every table. */
export function tablesText(tables: readonly TableStatus[], width: number): string {
  const columns = [
    { title: 'table' },
    ...['rows', 'files', 'size'].map((title) => ({ title, align: 'right' as const })),
  ];
  const rows = tables.map((table) => [
    table.table,
    countText(table.rows),
    countText(table.files),
    bytesText(table.bytes),
  ]);
  return tableText(columns, rows, width);
}

/** Days to look at, one by one while they are few. */
function attentionLines(days: readonly DayCoverage[], calendar: Calendar, width: number): string[] {
  const isBad = ({ day }: DayCoverage) => !['complete', 'open', null].includes(stateOn(calendar, day));
  const worth = days.length <= SHOWN_DAYS ? days : days.filter(isBad);
  if (worth.length === 0) return [];
  const shown = worth.slice(-SHOWN_DAYS);
  const earlier = worth.length - shown.length;
  const more = `… and ${nounText(earlier, 'earlier day')}, see: edrlake query "from coverage"`;
  return ['', coverageText(shown, width), ...(earlier > 0 ? [more] : [])];
}

/** Days with what the API counted and what the lake holds. */
function coverageText(days: readonly DayCoverage[], width: number): string {
  const scoped = days.some(({ scope }) => scope !== 'all');
  // The last day of a range must not be cut off on 80 columns.
  const isTight = width < 90 && days.some(({ day, lastDay }) => day !== lastDay);
  const columns = [
    { title: 'day' },
    ...(scoped ? [{ title: 'scope' }] : []),
    { title: isTight ? 'counted' : 'counted by the API', align: 'right' as const },
    { title: 'in the lake', align: 'right' as const },
    { title: 'verdict' },
    { title: 'verified' },
  ];
  const rows = days.map((day) => [
    day.lastDay === day.day ? day.day : `${day.day} to ${day.lastDay}`,
    ...(scoped ? [day.scope] : []),
    ...countedColumns(day),
  ]);
  return tableText(columns, rows, width);
}

/** A day that a recount refutes shows what that counted. */
function countedColumns({ counted, inLake, verdict, lastVerifiedAtMs, recount }: DayCoverage): string[] {
  const shown = recount?.counted ?? counted;
  const atMs = recount?.countedAtMs ?? lastVerifiedAtMs;
  return [
    shown === null ? '' : countText(shown),
    countText(inLake),
    recount === undefined ? verdict : 'late',
    atMs === null ? '' : atSecond(atMs),
  ];
}

/** The status as plain data with instants as text. */
export function statusDocument(status: LakeStatus, nowMs: number) {
  const { committedAtMs, days, lastRun, calendar, newestEventAtMs, watermarkMs, freshUntilMs, ...others } = status;
  const { objectStore, quiet, horizon, ...rest } = others;
  return {
    ...rest,
    bytes: sum(status.tables, (table) => table.bytes),
    committedAt: isoOrNull(committedAtMs),
    // The clock was wrong when it was committed, or is wrong now.
    committedAtIsAhead: committedAtMs !== null && isAhead(committedAtMs, nowMs),
    newestEventAt: isoOrNull(newestEventAtMs),
    watermark: isoOrNull(watermarkMs),
    provenUntil: isoOrNull(freshUntilMs),
    watermarkLagSeconds: secondsSince(watermarkMs, nowMs),
    ageSeconds: secondsSince(freshUntilMs, nowMs),
    lastRun: lastRun === null ? null : runDocument(lastRun),
    retentionSeconds: horizon.retentionMs === null ? null : Math.floor(horizon.retentionMs / MS_PER_SECOND),
    quiet: quiet === null ? null : { learnedDays: quiet.learnedDays, findings: quiet.findings.map(quietLine) },
    objectStore: objectStore === null ? null : costsDocument(objectStore),
    days: { scope: calendar.scope, ...calendar.counts },
    coverage: coverageDocument(days).map((line) => ({
      ...line,
      state: line.scope === calendar.scope ? stateOn(calendar, line.day) : null,
    })),
  };
}

/** Coverage as plain data with instants as text. */
export function coverageDocument(days: readonly DayCoverage[]) {
  return days.map(({ lastVerifiedAtMs, recount, ...day }) => ({
    ...day,
    lastVerifiedAt: isoOrNull(lastVerifiedAtMs),
    ...(recount && {
      recount: { inApi: recount.counted, inLake: recount.held, countedAt: isoInstant(recount.countedAtMs) },
    }),
  }));
}

function runDocument({ startedAtMs, endedAtMs, ...run }: RunSummary) {
  const error = run.error === null ? null : { code: run.error.code, message: run.error.message };
  return { ...run, error, startedAt: isoInstant(startedAtMs), endedAt: isoOrNull(endedAtMs) };
}

function costsDocument({
  lastCommit,
  lastRun,
}: ObjectCosts): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  const dated = ({ endedAtMs, ...cost }: ObjectCosts['lastCommit'] | ObjectCosts['lastRun']) => ({
    ...cost,
    endedAt: isoInstant(endedAtMs),
  });
  return { lastCommit: dated(lastCommit), lastRun: dated(lastRun) };
}

function secondsSince(epochMs: number | null, nowMs: number): number | null {
  return epochMs === null ? null : Math.floor((nowMs - epochMs) / MS_PER_SECOND);
}

function isoOrNull(epochMs: number | null): string | null {
  return epochMs === null ? null : isoInstant(epochMs);
}
