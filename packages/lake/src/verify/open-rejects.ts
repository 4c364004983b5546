import { idHashSql, type TimeRange } from '@edrlake/core';
import { entriesSql } from '../commit/id-index.ts';
import type { CommitContext } from '../log/commit-context.ts';
import { readFooters } from '../log/footers.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { partitionDay, rowsOf, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import { isFileError } from '../storage/file-errors.ts';
import { EVENTS, REJECTS } from '../storage/layout.ts';

/** Temporary table with the ids of rejects whose event is in the lake. Each call replaces it. */
const ARRIVED = 'lake_arrived';

/** The rejects in question: their files, and the time that decides where they count. */
export interface RejectRequest {
  readonly files: readonly LoggedFile[];
  readonly time: 'event_time' | 'processed_time';
  /** Only rejects of these ranges are compared with the events. */
  readonly ranges: readonly TimeRange[];
}

/**
 * The rejects that count as records in addition to the events. A reject whose event was later delivered in readable
 * form does not count, and several rejects of one id are one record, the one fetched last. A reject without an id
 * cannot be compared and always counts. Where none of the rejects has an id, which is usual, no file of events or of
 * the index is opened.
 * @returns DuckDB SQL of a relation with the table's columns, valid until the next call
 */
export async function openRejects(context: CommitContext, state: LakeState, request: RejectRequest): Promise<string> {
  const { files, time, ranges } = request;
  const rows = tableRowsSql(
    { store: context.store, schemas: state.schemas },
    tableNamed(context.tables, REJECTS),
    files,
  );
  if (files.length === 0 || ranges.length === 0) return rows;
  const [startMs, endMs] = [least(ranges.map((range) => range.startMs)), -least(ranges.map((range) => -range.endMs))];
  const asked = `SELECT event_id FROM (${rows}) WHERE event_id IS NOT NULL AND ${time} >= epoch_ms(${startMs}) AND ${time} < epoch_ms(${endMs})`;
  const [first] = await rowsOf(context.connection, `SELECT 1 FROM (${asked}) LIMIT 1`);
  if (first === undefined) return rows;
  await findArrived(context, state, asked);
  const newest = `row_number() OVER (PARTITION BY event_id ORDER BY ingest_date DESC, ${time} DESC) = 1`;
  const once = `SELECT * FROM (${rows}) WHERE event_id IS NOT NULL AND ${time} IS NOT NULL QUALIFY ${newest}`;
  return `SELECT * FROM (${rows}) WHERE event_id IS NULL UNION ALL SELECT * FROM (${once}) WHERE event_id NOT IN (SELECT event_id FROM ${ARRIVED})`;
}

/** Compares ids in full, in the files of the days that the index names for their hashes. */
async function findArrived(context: CommitContext, state: LakeState, asked: string): Promise<void> {
  const days = await daysOf(context, state, asked);
  const events = [...state.files.values()].filter((file) => file.table === EVENTS && days(partitionDay(file)));
  const find = (files: readonly LoggedFile[]) => {
    const rows = tableRowsSql(
      { store: context.store, schemas: state.schemas },
      tableNamed(context.tables, EVENTS),
      files,
    );
    return context.connection.run(
      `CREATE OR REPLACE TEMP TABLE ${ARRIVED} AS SELECT DISTINCT event_id FROM (${rows}) WHERE event_id IN (${asked})`,
    );
  };
  try {
    await find(events);
  } catch (thrown) {
    if (!isFileError(thrown)) throw thrown;
    const { rowCounts } = await readFooters(context, events, () => false);
    await find(events.filter(({ path }) => rowCounts.has(path)));
  }
}

/** Where the index cannot be read, every day is included; the next commit repairs the index. */
async function daysOf(context: CommitContext, state: LakeState, asked: string): Promise<(day: string) => boolean> {
  const index = entriesSql([...state.identityFiles.values()].map(({ path }) => context.store.locate(path)));
  try {
    const days = await rowsOf(
      context.connection,
      `SELECT DISTINCT event_date::VARCHAR AS day FROM (${index}) WHERE id_hash IN (SELECT ${idHashSql('event_id')} FROM (${asked}))`,
    );
    const known = new Set(days.map(({ day }) => String(day)));
    return (day) => known.has(day);
  } catch (thrown) {
    if (!isFileError(thrown)) throw thrown;
    return () => true;
  }
}

function least(values: readonly number[]): number {
  return values.reduce((smallest, value) => Math.min(smallest, value), Number.MAX_SAFE_INTEGER);
}
