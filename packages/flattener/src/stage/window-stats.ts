import {
  BEST_VERSION_FIRST,
  type Day,
  type DuplicatesPerDay,
  EdrlakeError,
  type FetchedWindow,
  FOREIGN_CUSTOMER,
  quoteText,
  rowsOf,
  type SharedIds,
  type SqlConnection,
  type StagedWindow,
  sum,
} from '@edrlake/core';
import { acceptedTimes } from './asked-times.ts';

type DayRow = Readonly<Record<string, unknown>>;

/** The earliest and the latest times of a window on each axis, in UTC epoch milliseconds. */
const SPANS = (['event', 'processed'] as const)
  .flatMap((axis) => [`epoch_ms(min(${axis}_time)) AS first_${axis}`, `epoch_ms(max(${axis}_time)) AS last_${axis}`])
  .join(', ');

/**
 * What flattening found in each window, in the windows' order, from the staged records before duplicates are removed.
 * An id that a window repeats counts for one day only, that of the version that is stored.
 * @throws {EdrlakeError} `BODY_BROKEN` (`retry`) when a window's pages hold another number of records.
 */
export async function stagedWindowsOf(
  connection: SqlConnection,
  events: string,
  windows: readonly FetchedWindow[],
): Promise<readonly StagedWindow[]> {
  const totals = await rowsOf(
    connection,
    `SELECT window_no, count(*)::INTEGER AS records, count(reject_reason)::INTEGER AS rejected, count(*) FILTER (reject_reason = ${quoteText(FOREIGN_CUSTOMER)})::INTEGER AS foreign_events, count(DISTINCT id_hash) FILTER (reject_reason IS NULL)::INTEGER AS ids, ${SPANS} FROM ${events} GROUP BY window_no`,
  );
  const isRepeated = totals.some(({ records, rejected, ids }) => Number(ids) + Number(rejected) < Number(records));
  const outside = await outsideOf(connection, events, windows, totals);
  const days = await rowsOf(
    connection,
    `SELECT window_no, event_date::VARCHAR AS day, count(*)::INTEGER AS records, count(reject_reason)::INTEGER AS rejected FROM ${isRepeated ? versionsOf(events, '= 1') : events} WHERE event_date IS NOT NULL GROUP BY ALL ORDER BY ALL`,
  );
  const copies = isRepeated
    ? await rowsOf(
        connection,
        `SELECT window_no, event_date::VARCHAR AS day, coalesce(event_type, '') AS type, count(*)::INTEGER AS records FROM ${versionsOf(events, '> 1')} GROUP BY ALL ORDER BY ALL`,
      )
    : [];
  const shared = isRepeated ? await sharedIdsOf(connection, events) : new Map<number, SharedIds>();
  return windows.map(({ window, pages }, windowNo) => {
    const total = totals.find((row) => row.window_no === windowNo);
    const recordCount = Number(total?.records ?? 0);
    const expected = sum(pages, (page) => page.recordCount);
    if (recordCount !== expected) {
      throw new EdrlakeError(
        'BODY_BROKEN',
        `the pages of window ${window.id} hold ${recordCount} records, expected ${expected}`,
        { disposition: 'retry', context: { windowId: window.id }, hint: 'Fetch the window again.' },
      );
    }
    const duplicatesPerDay = byDayAndType(copies.filter((row) => row.window_no === windowNo));
    const sharedIds = shared.get(windowNo);
    const ofWindow = days.filter((row) => row.window_no === windowNo);
    return {
      windowId: window.id,
      recordCount,
      rejectedCount: Number(total?.rejected ?? 0),
      ...(Number(total?.foreign_events ?? 0) > 0 && { foreignCount: Number(total?.foreign_events) }),
      distinctIds: Number(total?.ids ?? 0),
      perDay: countsByDay(ofWindow, (row) => Number(row.records) - Number(row.rejected)),
      rejectedPerDay: countsByDay(ofWindow, (row) => Number(row.rejected)),
      ...(Object.keys(duplicatesPerDay).length > 0 && { duplicatesPerDay }),
      ...outside.get(windowNo),
      ...(sharedIds && { sharedIds }),
      ...(typeof total?.last_processed === 'bigint' && { newestProcessedMs: Number(total.last_processed) }),
    };
  });
}

/** Of the windows that have some. Where the earliest and the latest times are inside, all are, and nothing is read. */
async function outsideOf(
  connection: SqlConnection,
  events: string,
  windows: readonly FetchedWindow[],
  totals: readonly DayRow[],
): Promise<ReadonlyMap<number, Pick<StagedWindow, 'outside'>>> {
  const asked = totals.flatMap((row) => {
    const window = windows[Number(row.window_no)]?.window;
    if (window === undefined) return [];
    const { axis } = window;
    const { startMs, endMs } = acceptedTimes(window);
    const [first, last] = [row[`first_${axis}`], row[`last_${axis}`]];
    // Without times there is nothing to compare.
    const isInside = typeof first !== 'bigint' || typeof last !== 'bigint' || (first >= startMs && last < endMs);
    return isInside ? [] : [`(${row.window_no}, ${axis === 'event'}, ${startMs}::BIGINT, ${endMs}::BIGINT)`];
  });
  if (asked.length === 0) return new Map();
  const times = `SELECT window_no, epoch_ms(CASE WHEN by_event THEN event_time ELSE processed_time END) AS time_ms, start_ms, end_ms FROM ${events} JOIN (VALUES ${asked.join(', ')}) AS asked(window_no, by_event, start_ms, end_ms) USING (window_no)`;
  const found = await rowsOf(
    connection,
    `SELECT window_no, count(*)::INTEGER AS events, min(time_ms) AS first, max(time_ms) AS last FROM (${times}) WHERE time_ms < start_ms OR time_ms >= end_ms GROUP BY window_no`,
  );
  return new Map(
    found.map(({ window_no, events: count, first, last }) => {
      return [Number(window_no), { outside: { events: Number(count), firstMs: Number(first), lastMs: Number(last) } }];
    }),
  );
}

/** Of the windows in which records of several event times have one id. */
async function sharedIdsOf(connection: SqlConnection, events: string): Promise<ReadonlyMap<number, SharedIds>> {
  const times = `SELECT window_no, event_id, count(DISTINCT event_time) AS times FROM ${events} WHERE reject_reason IS NULL GROUP BY ALL HAVING times > 1`;
  const found = await rowsOf(
    connection,
    `SELECT window_no, sum(times - 1)::INTEGER AS others, max(times)::INTEGER AS most, first(event_id ORDER BY times DESC, event_id) AS sample FROM (${times}) GROUP BY window_no`,
  );
  return new Map(
    found.map(({ window_no, others, most, sample }) => {
      return [Number(window_no), { others: Number(others), mostTimes: Number(most), sample: String(sample) }];
    }),
  );
}

/**
 * Of an event that a window repeats: the version that is stored (`= 1`), with all rejects, or the versions that are not
 * (`> 1`). Each counts for its own day.
 */
function versionsOf(events: string, which: '= 1' | '> 1'): string {
  const order = `PARTITION BY window_no, id_hash, reject_reason IS NULL ORDER BY ${BEST_VERSION_FIRST}, place DESC`;
  const ranked = `SELECT *, CASE WHEN reject_reason IS NULL THEN row_number() OVER (${order}) ELSE 1 END AS version FROM (SELECT window_no, event_date, event_time, event_type, id_hash, processed_time, place, reject_reason FROM ${events})`;
  return `(SELECT * FROM (${ranked}) WHERE version ${which})`;
}

function byDayAndType(rows: readonly DayRow[]): DuplicatesPerDay {
  const byDay: Record<Day, Record<string, number>> = {};
  for (const { day, type, records } of rows) {
    byDay[String(day)] = { ...byDay[String(day)], [String(type)]: Number(records) };
  }
  return byDay;
}

/** Days with at least one, oldest first. */
function countsByDay(rows: readonly DayRow[], countOf: (row: DayRow) => number): Readonly<Record<Day, number>> {
  const counts = rows.map((row) => [String(row.day), countOf(row)] as const);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}
