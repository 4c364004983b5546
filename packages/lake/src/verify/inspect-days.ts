import { type Day, dayOf, rangeOfDays, sum, type TimeRange } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import { readFooters } from '../log/footers.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import type { Snapshot } from '../log/snapshot.ts';
import { type PlainRow, partitionDay, recordValueSql, rowsOf, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import { EVENTS, REJECTS } from '../storage/layout.ts';
import { openRejects } from './open-rejects.ts';
import { withLatestSnapshot } from './with-latest-snapshot.ts';

/** What the files on disk hold of one UTC day, or of one event type on it. */
export interface InspectedDay {
  readonly day: Day;
  /** null: all types together. Empty text: events and rejects that name no type. */
  readonly eventType: string | null;
  /** Event rows: of a day from the Parquet footers, of a type as counted in the files. */
  readonly rowCount: number;
  /**
   * Rejects with an event time on the day that are separate records: see `openRejects`. Those without a readable event
   * time belong to no day.
   */
  readonly rejectedCount: number;
  /** Different ids among the event rows; fewer than rows means that some event is stored more than once. */
  readonly distinctIds: number;
  /**
   * Paths of data files, of any table, that the log names and that are missing, unreadable, or not the bytes that were
   * committed. No other field of this object counts their rows. A file of rejects is listed on the day it was fetched,
   * or on the last day of the range when that day is outside it.
   */
  readonly lostFiles: readonly string[];
}

/** The most rows and files in one statement that counts ids, so that it fits into memory. A day is never divided. */
const CHUNK_ROWS = 2_000_000;
const CHUNK_FILES = 1_000;

/**
 * Reads the data files of the newest version, without using a number of the log. One line for each UTC day of the range
 * that has rows, rejects or lost files, oldest first. By type, one line for each type of the day, in the order of the
 * types. Each of them repeats the lost files of the day, because the event types of lost rows are unknown; a day with
 * only lost files has one line whose type is null.
 */
export function inspectDays(context: CommitContext, range: TimeRange, by: 'day' | 'type'): Promise<InspectedDay[]> {
  const [firstDay, lastDay] = [dayOf(range.startMs), dayOf(range.endMs - 1)];
  const isInRange = (day: Day) => firstDay <= day && day <= lastDay;
  return withLatestSnapshot(context, async (snapshot, state) => {
    const { rowCounts, lost } = await readFooters(context, filesToLookAt(snapshot, isInRange), (file) =>
      isInRange(partitionDay(file)),
    );
    const whole = (table: string) => (snapshot.files[table] ?? []).filter(({ path }) => rowCounts.has(path));
    const lines = new Map<string, InspectedDay>();
    const add = (day: Day, eventType: string | null, more: Partial<InspectedDay>) => {
      const nothing = { rowCount: 0, rejectedCount: 0, distinctIds: 0, lostFiles: [] };
      const key = JSON.stringify([day, eventType]);
      lines.set(key, { day, eventType, ...(lines.get(key) ?? nothing), ...more });
    };
    for (const { day, type, rows, ids } of await countIds(context, state, whole(EVENTS), by)) {
      add(day, type, { rowCount: rows, distinctIds: ids });
    }
    if (by === 'day') {
      for (const [day, rowCount] of footerRows(whole(EVENTS), rowCounts)) add(day, null, { rowCount });
    }
    const rejectRange = rangeOfDays(firstDay, lastDay);
    for (const { day, type, rows } of await countRejects(context, state, whole(REJECTS), rejectRange, by)) {
      add(day, type, { rejectedCount: rows });
    }
    for (const [day, lostFiles] of lostByDay(lost, (day) => (isInRange(day) ? day : lastDay))) {
      const ofDay = [...lines.values()].filter((line) => line.day === day);
      for (const { eventType } of ofDay) add(day, eventType, { lostFiles });
      if (ofDay.length === 0) add(day, null, { lostFiles });
    }
    const value = [...lines.values()].sort((a, b) => compare(a.day, b.day) || compare(a.eventType, b.eventType));
    return { value, lost };
  });
}

/** The files of the days in all tables, and all rejects: their folders do not name the days of their events. */
function filesToLookAt(snapshot: Snapshot, isInRange: (day: Day) => boolean): LoggedFile[] {
  return Object.entries(snapshot.files).flatMap(([table, files]) =>
    table === REJECTS ? files : files.filter((file) => isInRange(partitionDay(file))),
  );
}

interface Counted {
  readonly day: Day;
  readonly type: string | null;
  readonly rows: number;
  readonly ids: number;
}

/**
 * Counts rows and different ids. Different hashes are different ids, so days with as many hashes as rows are finished.
 * Only for the others are the ids themselves compared, which takes several times the memory.
 */
async function countIds(
  context: CommitContext,
  state: LakeState,
  files: readonly LoggedFile[],
  by: 'day' | 'type',
): Promise<Counted[]> {
  const counted: Counted[] = [];
  const events = tableNamed(context.tables, EVENTS);
  const groups = by === 'day' ? 'event_date' : "event_date, coalesce(event_type, '')";
  const type = by === 'day' ? 'NULL' : "coalesce(event_type, '')";
  const count = async (some: readonly LoggedFile[], ids: string) => {
    const rows = tableRowsSql({ store: context.store, schemas: state.schemas }, events, some);
    const sql = `SELECT event_date::VARCHAR AS day, ${type} AS type, count(*)::VARCHAR AS rows, count(DISTINCT ${ids})::VARCHAR AS ids FROM (${rows}) GROUP BY ${groups}`;
    return (await rowsOf(context.connection, sql)).map(countedOf);
  };
  for (const chunk of inChunks(files)) {
    const byHash = await count(chunk, 'hash(event_id)');
    const doubtful = new Set(byHash.filter(({ rows, ids }) => ids < rows).map(({ day }) => day));
    counted.push(...byHash.filter(({ day }) => !doubtful.has(day)));
    for (const day of doubtful) {
      const ofDay = chunk.filter((file) => partitionDay(file) === day);
      counted.push(...(await count(ofDay, 'event_id')));
    }
  }
  return counted;
}

/** Whole days in order, as many as one statement takes. */
function* inChunks(files: readonly LoggedFile[]): Generator<LoggedFile[]> {
  const byDay = new Map<Day, LoggedFile[]>();
  for (const file of files) byDay.set(partitionDay(file), [...(byDay.get(partitionDay(file)) ?? []), file]);
  let chunk: LoggedFile[] = [];
  let rows = 0;
  for (const [, ofDay] of [...byDay].sort(([a], [b]) => compare(a, b))) {
    const rowsOfDay = sum(ofDay, ({ rowCount }) => rowCount);
    if (chunk.length > 0 && (rows + rowsOfDay > CHUNK_ROWS || chunk.length + ofDay.length > CHUNK_FILES)) {
      yield chunk;
      [chunk, rows] = [[], 0];
    }
    chunk.push(...ofDay);
    rows += rowsOfDay;
  }
  if (chunk.length > 0) yield chunk;
}

/** Rejects by the day of their event. Their type is read from the delivered record, where events have it. */
async function countRejects(
  context: CommitContext,
  state: LakeState,
  files: readonly LoggedFile[],
  range: TimeRange,
  by: 'day' | 'type',
): Promise<Counted[]> {
  const { startMs, endMs } = range;
  const rows = await openRejects(context, state, { files, time: 'event_time', ranges: [range] });
  const delivered = recordValueSql(tableNamed(context.tables, EVENTS), 'event_type');
  const type = by === 'day' ? 'NULL' : `coalesce(${delivered}, '')`;
  const counts = await rowsOf(
    context.connection,
    `SELECT event_time::DATE::VARCHAR AS day, ${type} AS type, count(*)::VARCHAR AS rows, 0 AS ids FROM (${rows}) WHERE event_time >= epoch_ms(${startMs}) AND event_time < epoch_ms(${endMs}) GROUP BY ALL`,
  );
  return counts.map(countedOf);
}

function countedOf({ day, type, rows, ids }: PlainRow): Counted {
  return { day: String(day), type: type === null ? null : String(type), rows: Number(rows), ids: Number(ids) };
}

function footerRows(files: readonly LoggedFile[], rowCounts: ReadonlyMap<string, number>): Map<Day, number> {
  const rows = new Map<Day, number>();
  for (const file of files) {
    const day = partitionDay(file);
    rows.set(day, (rows.get(day) ?? 0) + (rowCounts.get(file.path) ?? 0));
  }
  return rows;
}

function lostByDay(lost: readonly LoggedFile[], dayShown: (day: Day) => Day): Map<Day, string[]> {
  const byDay = new Map<Day, string[]>();
  for (const file of lost) {
    const day = dayShown(partitionDay(file));
    byDay.set(day, [...(byDay.get(day) ?? []), file.path]);
  }
  return byDay;
}

function compare(a: string | null, b: string | null): number {
  const [one, other] = [a ?? '', b ?? ''];
  return one < other ? -1 : one > other ? 1 : 0;
}
