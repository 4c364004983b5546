import { join } from 'node:path';
import { isAhead, isoInstant, MS_PER_SECOND, NO_FILTER, SETTLE_LAG_MS } from '@edrlake/core';
import { type DayCoverage, type Lake, type LoggedFile, lookAtLeases } from '@edrlake/lake';
import {
  lastReconciliations,
  lastRun,
  type RunSummary,
  readWatermark,
  remainingRequests,
  watermarkOf,
} from '@edrlake/runner/history';
import { bytesText, countText, durationText, instantText, nounText } from '../text/format-numbers.ts';
import { pairsText, tableText } from '../text/table-text.ts';
import { calendarSpanText, calendarText } from './calendar.ts';
import { type Calendar, calendarOf, stateOn } from './day-states.ts';
import { lostFileLines } from './lost-files-text.ts';

/** One table's data files. */
export interface TableStatus {
  readonly table: string;
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
}

/** What a lake holds and how far it is proven. */
export interface LakeStatus {
  readonly directory: string;
  readonly version: number;
  readonly committedAtMs: number | null;
  readonly tables: readonly TableStatus[];
  /** Oldest first, one line for each day and scope, or for days that hold nothing and were proven together. */
  readonly days: readonly DayCoverage[];
  readonly calendar: Calendar;
  /** Records that the API lists more than once, which are stored once. */
  readonly listedTwice: number;
  /** Data files that are gone or cut; their days are not complete. */
  readonly lostFiles: readonly string[];
  /** When the newest event happened; null without events, or where their file is gone. */
  readonly newestEventAtMs: number | null;
  /** Up to where the lake was synced, by processing time or else by event time; null before the first sync. */
  readonly watermarkMs: number | null;
  /** Everything before it is proven: the watermark, or else the end of the last complete day. null where nothing is. */
  readonly freshUntilMs: number | null;
  readonly lastRun: RunSummary | null;
  /** Requests that may be made now with the account that was used last; null where none was ever made for this lake. */
  readonly budget: RequestLimitStatus | null;
}

/** What is left of the requests that an account may make. */
export interface RequestLimitStatus {
  readonly requestsLeft: number;
  readonly requests: number;
  readonly windowSeconds: number;
}

/** Days shown one by one before a sentence has to do. */
const SHOWN_DAYS = 10;

/**
 * Reads the log, the journals, the account of requests and the newest events. Changes nothing.
 * @param about the user's own limit of requests, and now
 */
export async function readLakeStatus(
  lake: Lake,
  about: { readonly userLimit: Parameters<typeof remainingRequests>[1]; readonly nowMs: number },
): Promise<LakeStatus> {
  const snapshot = await lake.snapshot();
  const days = await lake.coverage();
  const comparisons = await lastReconciliations(lake);
  const { nowMs } = about;
  const processedMs = await watermarkOf(lake, 'processed', NO_FILTER, nowMs);
  const watermarkMs = processedMs ?? (await watermarkOf(lake, 'event', NO_FILTER, nowMs));
  const followedFromMs = await readWatermark(lake, 'processed', NO_FILTER);
  const settledMs = await watermarkOf(lake, 'processed', NO_FILTER, nowMs, SETTLE_LAG_MS);
  const isFollowed = settledMs !== null && followedFromMs !== null && followedFromMs < settledMs;
  const followed = isFollowed ? { startMs: followedFromMs, endMs: settledMs } : null;
  const calendar = calendarOf({ lines: days, comparisons, followed, nowMs });
  const budget = await remainingRequests(lake.directory, about.userLimit, nowMs);
  return {
    directory: lake.directory,
    version: snapshot.version,
    committedAtMs: snapshot.committedAtMs,
    tables: Object.entries(snapshot.files).map(([table, files]) => tableStatus(table, files)),
    days,
    calendar,
    listedTwice: await lake.listedTwice(),
    lostFiles: days.some(({ verdict }) => verdict === 'mismatched') ? await lake.lostFiles() : [],
    newestEventAtMs: await lake.newestEventMs(),
    watermarkMs,
    freshUntilMs: watermarkMs ?? endOfCompleteDays(calendar),
    lastRun: await lastRun(join(lake.directory, '_runs'), await lookAtLeases(lake.directory, about.nowMs)),
    budget: budget === null ? null : { requestsLeft: budget.requestsLeft, ...budget.limit },
  };
}

function endOfCompleteDays({ spans }: Calendar): number | null {
  return spans.findLast(({ state }) => state === 'complete')?.endMs ?? null;
}

function tableStatus(table: string, files: readonly LoggedFile[]): TableStatus {
  return {
    table,
    rows: files.reduce((sum, { rowCount }) => sum + rowCount, 0),
    files: files.length,
    bytes: files.reduce((sum, { fileBytes }) => sum + fileBytes, 0),
  };
}

/** How a status is shown. */
export interface StatusStyle {
  readonly width: number;
  readonly colour: boolean;
  readonly nowMs: number;
}

/** The status for a person. */
export function statusText(status: LakeStatus, style: StatusStyle): string {
  const { tables, committedAtMs, newestEventAtMs, watermarkMs, calendar, days, budget } = status;
  const bytes = tables.reduce((sum, table) => sum + table.bytes, 0);
  const files = tables.reduce((sum, table) => sum + table.files, 0);
  const pairs: [string, string][] = [
    ['Lake', status.directory],
    ['Version', committedAtMs === null ? 'empty' : versionText(status.version, committedAtMs, style.nowMs)],
    ['Size', `${bytesText(bytes)} in ${nounText(files, 'file')}`],
  ];
  if (status.listedTwice > 0) {
    pairs.push(['Twice', `${nounText(status.listedTwice, 'record')} listed twice by the API, stored once`]);
  }
  if (newestEventAtMs !== null) pairs.push(['Newest event', atSecond(newestEventAtMs)]);
  if (watermarkMs !== null) {
    pairs.push(['Watermark', `${atSecond(watermarkMs)}, ${durationText(style.nowMs - watermarkMs)} ago`]);
  }
  if (status.lastRun !== null) pairs.push(['Last run', lastRunText(status.lastRun)]);
  if (budget !== null) pairs.push(['Requests left', budgetText(budget)]);
  const parts = [pairsText(pairs, '', style.width), ''];
  if (status.version === 0) return `${[...parts, 'Next: edrlake backfill --from … --to …'].join('\n')}\n`;
  parts.push(tablesText(tables, style.width), '', calendarSpanText(calendar), '');
  parts.push(calendarText(calendar, style.width, style.colour), ...attentionLines(days, calendar, style.width));
  if (status.lostFiles.length > 0) parts.push('', ...lostFileLines(status.lostFiles, style.width));
  return `${parts.join('\n')}\n`;
}

function versionText(version: number, committedAtMs: number, nowMs: number): string {
  const ahead = isAhead(committedAtMs, nowMs) ? ', which has not come yet; check the clock' : '';
  return `${version}, of ${atSecond(committedAtMs)}${ahead}`;
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
  const allowed = `at most ${durationText(maxAgeMs)} allowed`;
  if (freshUntilMs === null) return `the lake is stale: nothing in it is proven, ${allowed}`;
  if (isAhead(freshUntilMs, nowMs)) {
    return `the lake is stale: ${atSecond(freshUntilMs)}, up to which it seems to be complete, has not come yet; check the clock`;
  }
  const ageMs = nowMs - freshUntilMs;
  if (ageMs <= maxAgeMs) return null;
  return `the lake is stale: complete up to ${atSecond(freshUntilMs)}, ${durationText(ageMs)} ago, ${allowed}`;
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
  const columns = [
    { title: 'day' },
    ...(scoped ? [{ title: 'scope' }] : []),
    { title: 'counted by the API', align: 'right' as const },
    { title: 'in the lake', align: 'right' as const },
    { title: 'verdict' },
    { title: 'verified' },
  ];
  const rows = days.map((day) => [
    day.lastDay === day.day ? day.day : `${day.day} to ${day.lastDay}`,
    ...(scoped ? [day.scope] : []),
    day.counted === null ? '' : countText(day.counted),
    countText(day.inLake),
    day.verdict,
    day.lastVerifiedAtMs === null ? '' : atSecond(day.lastVerifiedAtMs),
  ]);
  return tableText(columns, rows, width);
}

/** The status as plain data with instants as text. */
export function statusDocument(status: LakeStatus, nowMs: number) {
  const { committedAtMs, days, lastRun, calendar, newestEventAtMs, watermarkMs, freshUntilMs, ...rest } = status;
  return {
    ...rest,
    bytes: status.tables.reduce((sum, table) => sum + table.bytes, 0),
    committedAt: isoOrNull(committedAtMs),
    // The clock was wrong when it was committed, or is wrong now.
    committedAtIsAhead: committedAtMs !== null && isAhead(committedAtMs, nowMs),
    newestEventAt: isoOrNull(newestEventAtMs),
    watermark: isoOrNull(watermarkMs),
    provenUntil: isoOrNull(freshUntilMs),
    watermarkLagSeconds: secondsSince(watermarkMs, nowMs),
    ageSeconds: secondsSince(freshUntilMs, nowMs),
    lastRun: lastRun === null ? null : runDocument(lastRun),
    days: { scope: calendar.scope, ...calendar.counts },
    coverage: coverageDocument(days).map((line) => ({
      ...line,
      state: line.scope === calendar.scope ? stateOn(calendar, line.day) : null,
    })),
  };
}

/** Coverage as plain data with instants as text. */
export function coverageDocument(days: readonly DayCoverage[]) {
  return days.map(({ lastVerifiedAtMs, ...day }) => ({ ...day, lastVerifiedAt: isoOrNull(lastVerifiedAtMs) }));
}

function runDocument({ startedAtMs, endedAtMs, ...run }: RunSummary) {
  const error = run.error === null ? null : { code: run.error.code, message: run.error.message };
  return { ...run, error, startedAt: isoInstant(startedAtMs), endedAt: isoOrNull(endedAtMs) };
}

function secondsSince(epochMs: number | null, nowMs: number): number | null {
  return epochMs === null ? null : Math.floor((nowMs - epochMs) / MS_PER_SECOND);
}

function isoOrNull(epochMs: number | null): string | null {
  return epochMs === null ? null : isoInstant(epochMs);
}

function atSecond(epochMs: number): string {
  return instantText(Math.floor(epochMs / 1_000) * 1_000);
}
