import type { DuckDBConnection } from '@duckdb/node-api';
import { dayOf, type TableSpec, type TimeAxis, type TimeRange } from '@edrlake/core';
import type { RowQuestion } from './coverage.ts';
import type { LoggedFile } from './lake-state.ts';
import { rowsOf, type TableReader, tableRowsSql } from './table-rows.ts';

/** Event rows of one version of the lake. */
export interface StoredEvents {
  readonly reader: TableReader;
  readonly table: TableSpec;
  readonly files: readonly LoggedFile[];
}

/** Boundaries in one statement; more are asked in several. */
const MAX_BOUNDARIES = 20_000;

/** Counted questions with cuts in one statement. */
const MAX_CONDITIONS = 200;

/**
 * How many stored events lie in each range on an axis, in the order of the ranges, which may overlap. One scan of one
 * column counts them all; on the event axis only files of days that a range touches are opened.
 */
export async function countInRanges(
  connection: DuckDBConnection,
  stored: StoredEvents,
  ranges: readonly TimeRange[],
  axis: TimeAxis,
): Promise<number[]> {
  const counts: number[] = [];
  for (let first = 0; first < ranges.length; first += MAX_BOUNDARIES / 2) {
    const some = ranges.slice(first, first + MAX_BOUNDARIES / 2);
    counts.push(...(await countSome(connection, stored, some, axis)));
  }
  return counts;
}

async function countSome(
  connection: DuckDBConnection,
  stored: StoredEvents,
  ranges: readonly TimeRange[],
  axis: TimeAxis,
): Promise<number[]> {
  const instants = [...new Set(ranges.flatMap(({ startMs, endMs }) => [startMs, endMs]))].sort((a, b) => a - b);
  const rows = axis === 'event' ? rowsOfDays(stored, ranges) : tableRowsSql(stored.reader, stored.table, stored.files);
  const time = axis === 'event' ? 'event_time' : 'processed_time';
  // A bin reaches up to and including its boundary, a range excludes its end: hence the microsecond less.
  const bins = `[${instants.map((ms) => `${ms}000 - 1`).join(', ')}]::BIGINT[]`;
  const [row] = await rowsOf(
    connection,
    `SELECT to_json(map_entries(histogram(epoch_us(${time}), ${bins})))::VARCHAR AS bins FROM (${rows}) WHERE ${time} IS NOT NULL`,
  );
  const found = JSON.parse(String(row?.bins ?? '[]')) as { key: number; value: number }[] | null;
  const upTo = new Map<number, number>();
  let total = 0;
  for (const { key, value } of found ?? []) {
    total += value;
    upTo.set(key, total);
  }
  const before = (ms: number) => upTo.get(ms * 1000 - 1) ?? 0;
  return ranges.map(({ startMs, endMs }) => before(endMs) - before(startMs));
}

/** Answers the coverage's questions: one scan for all plain ranges, one for each group of those with cuts. */
export async function countAnswers(
  connection: DuckDBConnection,
  stored: StoredEvents,
  questions: readonly RowQuestion[],
): Promise<number[]> {
  const plain = questions.filter(({ condition }) => condition === 'true');
  const cut = questions.filter(({ condition }) => condition !== 'true');
  const answers = new Map<RowQuestion, number>();
  const plainRanges = plain.map(({ range }) => range);
  for (const [position, count] of (await countInRanges(connection, stored, plainRanges, 'event')).entries()) {
    const question = plain[position];
    if (question !== undefined) answers.set(question, count);
  }
  for (let first = 0; first < cut.length; first += MAX_CONDITIONS) {
    const some = cut.slice(first, first + MAX_CONDITIONS);
    const rows = rowsOfDays(
      stored,
      some.map(({ range }) => range),
    );
    const columns = some.map(
      ({ range, condition }, position) =>
        `count(*) FILTER (WHERE event_time >= epoch_ms(${range.startMs}) AND event_time < epoch_ms(${range.endMs}) AND ${condition})::INTEGER AS c${position}`,
    );
    const [row] = await rowsOf(connection, `SELECT ${columns.join(', ')} FROM (${rows})`);
    for (const [position, question] of some.entries()) answers.set(question, Number(row?.[`c${position}`]));
  }
  return questions.map((question) => answers.get(question) ?? 0);
}

function rowsOfDays({ reader, table, files }: StoredEvents, ranges: readonly TimeRange[]): string {
  const spans = ranges.map(({ startMs, endMs }) => ({ first: dayOf(startMs), last: dayOf(endMs - 1) }));
  const isTouched = new Map<string, boolean>();
  for (const { partition } of files) {
    if (isTouched.has(partition)) continue;
    const day = partition.slice(partition.indexOf('=') + 1);
    isTouched.set(
      partition,
      spans.some(({ first, last }) => first <= day && day <= last),
    );
  }
  return tableRowsSql(
    reader,
    table,
    files.filter(({ partition }) => isTouched.get(partition)),
  );
}
