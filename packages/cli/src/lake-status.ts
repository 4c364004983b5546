import { isoInstant } from '@edrlake/core';
import type { CommitSummary, DayCoverage, Lake, LoggedFile } from '@edrlake/lake';
import { bytesText, countText, instantText, nounText } from './quantity-text.ts';
import { pairsText, tableText } from './table-text.ts';

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
  /** Oldest first, one line a day and scope. */
  readonly days: readonly DayCoverage[];
  /** Everything the newest run committed so far, or null in an empty lake. */
  readonly lastRun: LastRun | null;
}

/** The commits of one run, summed. */
export interface LastRun {
  readonly runId: string;
  readonly committedAtMs: number;
  readonly commits: number;
  readonly newEvents: number;
  readonly changedEvents: number;
  readonly unchangedEvents: number;
}

/** Days shown one by one before a sentence has to do. */
const SHOWN_DAYS = 10;

/** Reads the log and, for days of partly overtaken windows, counts rows. Changes nothing. */
export async function readLakeStatus(lake: Lake): Promise<LakeStatus> {
  const snapshot = await lake.snapshot();
  const days = await lake.coverage();
  return {
    directory: lake.directory,
    version: snapshot.version,
    committedAtMs: snapshot.committedAtMs,
    tables: Object.entries(snapshot.files).map(([table, files]) => tableStatus(table, files)),
    days,
    lastRun: lastRunOf(snapshot.commits),
  };
}

function tableStatus(table: string, files: readonly LoggedFile[]): TableStatus {
  return {
    table,
    rows: files.reduce((sum, { rowCount }) => sum + rowCount, 0),
    files: files.length,
    bytes: files.reduce((sum, { fileBytes }) => sum + fileBytes, 0),
  };
}

function lastRunOf(commits: readonly CommitSummary[]): LastRun | null {
  const newest = commits.at(-1);
  if (newest === undefined) return null;
  const own = commits.filter(({ runId }) => runId === newest.runId);
  const sum = (pick: (commit: CommitSummary) => number) => own.reduce((total, commit) => total + pick(commit), 0);
  return {
    runId: newest.runId,
    committedAtMs: newest.committedAtMs,
    commits: own.length,
    newEvents: sum((commit) => commit.newEvents),
    changedEvents: sum((commit) => commit.changedEvents),
    unchangedEvents: sum((commit) => commit.unchangedEvents),
  };
}

/** The status for a person. */
export function statusText(status: LakeStatus, width: number): string {
  const bytes = status.tables.reduce((sum, table) => sum + table.bytes, 0);
  const files = status.tables.reduce((sum, table) => sum + table.files, 0);
  const pairs: [string, string][] = [
    ['Lake', status.directory],
    ['Version', status.committedAtMs === null ? 'empty' : `${status.version}, of ${atSecond(status.committedAtMs)}`],
    ['Size', `${bytesText(bytes)} in ${nounText(files, 'file')}`],
  ];
  if (status.lastRun !== null) {
    const { runId, newEvents, changedEvents, unchangedEvents } = status.lastRun;
    const amounts = `${countText(newEvents)} new · ${countText(changedEvents)} changed · ${countText(unchangedEvents)} unchanged`;
    pairs.push(['Last run', runId], ['', amounts]);
  }
  const parts = [pairsText(pairs), ''];
  if (status.version === 0) return `${[...parts, 'Next: edrlake backfill --from … --to …'].join('\n')}\n`;
  parts.push(tablesText(status.tables, width), '', daysText(status.days, width));
  return `${parts.join('\n')}\n`;
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

function daysText(days: readonly DayCoverage[], width: number): string {
  const count = (verdict: DayCoverage['verdict']) => days.filter((day) => day.verdict === verdict).length;
  const [first, last] = [days[0]?.day ?? '', days.at(-1)?.day ?? ''];
  const words = [`${countText(count('complete'))} complete`];
  if (count('partial') > 0) words.push(`${countText(count('partial'))} partial`);
  if (count('mismatched') > 0) words.push(`${countText(count('mismatched'))} mismatched`);
  const head = `${nounText(days.length, 'day')} from ${first} to ${last}: ${words.join(', ')}`;
  const worth = days.length <= SHOWN_DAYS ? days : days.filter(({ verdict }) => verdict !== 'complete');
  const shown = worth.slice(-SHOWN_DAYS);
  const lines = shown.length === 0 ? [] : [coverageText(shown, width)];
  if (worth.length > shown.length)
    lines.push(`… and ${nounText(worth.length - shown.length, 'earlier day')}, see: edrlake query "from coverage"`);
  return [head, ...(lines.length > 0 ? [''] : []), ...lines].join('\n');
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
    day.day,
    ...(scoped ? [day.scope] : []),
    day.counted === null ? '' : countText(day.counted),
    countText(day.inLake),
    day.verdict,
    day.lastVerifiedAtMs === null ? '' : atSecond(day.lastVerifiedAtMs),
  ]);
  return tableText(columns, rows, width);
}

/** The status as plain data with instants as text. */
export function statusDocument(status: LakeStatus) {
  const { committedAtMs, days, lastRun, ...rest } = status;
  return {
    ...rest,
    bytes: status.tables.reduce((sum, table) => sum + table.bytes, 0),
    committedAt: isoOrNull(committedAtMs),
    lastRun: lastRun === null ? null : runDocument(lastRun),
    coverage: coverageDocument(days),
  };
}

/** Coverage as plain data with instants as text. */
export function coverageDocument(days: readonly DayCoverage[]) {
  return days.map(({ lastVerifiedAtMs, ...day }) => ({ ...day, lastVerifiedAt: isoOrNull(lastVerifiedAtMs) }));
}

function runDocument({ committedAtMs, ...run }: LastRun) {
  return { ...run, committedAt: isoInstant(committedAtMs) };
}

function isoOrNull(epochMs: number | null): string | null {
  return epochMs === null ? null : isoInstant(epochMs);
}

function atSecond(epochMs: number): string {
  return instantText(Math.floor(epochMs / 1_000) * 1_000);
}
