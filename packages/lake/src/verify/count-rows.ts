import { rangeOfDays, type TimeAxis, type TimeRange } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import type { Snapshot } from '../log/snapshot.ts';
import { partitionDay, recordValueSql, rowsOf, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import { FILTER_COLUMNS, windowFiltersSql } from '../proofs/window-filters.ts';
import { EVENTS, REJECTS } from '../storage/layout.ts';
import { openRejects } from './open-rejects.ts';
import type { RowAnswer, RowQuestion } from './tally-days.ts';
import { readPresent } from './with-latest-snapshot.ts';

/** Boundaries in one statement; more need several statements. */
const MAX_BOUNDARIES = 20_000;

/** Counted questions with filters in one statement. */
const MAX_CONDITIONS = 200;

/**
 * The number of stored records, events and rejects (see `openRejects`), in each range on an axis, in the order of the
 * ranges: equal to the API's count while it still has them. Ranges may overlap. One scan of one column counts them all,
 * and only files that may hold some are opened: on the event axis those of days that a range touches, on the other axis
 * those with processing times in a range, which the log names.
 */
export function countRecords(context: CommitContext, ranges: readonly TimeRange[], axis: TimeAxis): Promise<number[]> {
  return countInBatches(context, ranges, axis, [EVENTS, REJECTS]);
}

/**
 * Answers the questions of coverage: one scan of a table for all plain ranges, one for each group of those with
 * filters.
 */
export async function countAnswers(context: CommitContext, questions: readonly RowQuestion[]): Promise<RowAnswer[]> {
  const ofEvents = questions.filter(({ rejectsOnly }) => rejectsOnly !== true);
  const events = await countMatches(context, EVENTS, ofEvents);
  const rejects = await countMatches(context, REJECTS, questions);
  return questions.map((question) => ({
    events: events.get(question) ?? 0,
    rejects: rejects.get(question) ?? 0,
  }));
}

async function countMatches(
  context: CommitContext,
  table: string,
  questions: readonly RowQuestion[],
): Promise<Map<RowQuestion, number>> {
  const isPlain = (question: RowQuestion) => question.cuts.length + question.without.length === 0;
  const plain = questions.filter(isPlain);
  const cut = questions.filter((question) => !isPlain(question));
  const answers = new Map<RowQuestion, number>();
  const plainRanges = plain.map(({ range }) => range);
  for (const [position, count] of (await countInBatches(context, plainRanges, 'event', [table])).entries()) {
    const question = plain[position];
    if (question !== undefined) answers.set(question, count);
  }
  for (let first = 0; first < cut.length; first += MAX_CONDITIONS) {
    const some = cut.slice(first, first + MAX_CONDITIONS);
    const counts = await countWithCuts(context, table, some);
    for (const [position, question] of some.entries()) answers.set(question, counts[position] ?? 0);
  }
  return answers;
}

async function countInBatches(
  context: CommitContext,
  ranges: readonly TimeRange[],
  axis: TimeAxis,
  tables: readonly string[],
): Promise<number[]> {
  const counts: number[] = [];
  for (let first = 0; first < ranges.length; first += MAX_BOUNDARIES / 2) {
    const some = ranges.slice(first, first + MAX_BOUNDARIES / 2);
    const choose = (snapshot: Snapshot) => tables.flatMap((table) => filesThatMayHold(snapshot, table, some, axis));
    counts.push(
      ...(await readPresent(context, choose, (files, state) => countSome(context, state, files, some, axis))),
    );
  }
  return counts;
}

async function countSome(
  context: CommitContext,
  state: LakeState,
  files: readonly LoggedFile[],
  ranges: readonly TimeRange[],
  axis: TimeAxis,
): Promise<number[]> {
  if (files.length === 0) return ranges.map(() => 0);
  const instants = [...new Set(ranges.flatMap(({ startMs, endMs }) => [startMs, endMs]))].sort((a, b) => a - b);
  const time = axis === 'event' ? 'event_time' : 'processed_time';
  const times: string[] = [];
  for (const table of new Set(files.map((file) => file.table))) {
    const ofTable = files.filter((file) => file.table === table);
    const rows =
      table === REJECTS
        ? await openRejects(context, state, { files: ofTable, time, ranges })
        : rowsSql(context, state, table, ofTable);
    times.push(`SELECT ${time} FROM (${rows})`);
  }
  // A bin includes its boundary, a range excludes its end: hence one microsecond less.
  const bins = `[${instants.map((ms) => `${ms}000 - 1`).join(', ')}]::BIGINT[]`;
  const [row] = await rowsOf(
    context.connection,
    `SELECT to_json(map_entries(histogram(epoch_us(${time}), ${bins})))::VARCHAR AS bins FROM (${times.join(' UNION ALL ')}) WHERE ${time} IS NOT NULL`,
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

function countWithCuts(context: CommitContext, table: string, questions: readonly RowQuestion[]): Promise<number[]> {
  const ranges = questions.map(({ range }) => range);
  const columns = questions.map(({ range, cuts, without }, position) => {
    const condition = [windowFiltersSql(cuts), ...without.map((other) => `NOT (${windowFiltersSql(other)})`)];
    return `count(*) FILTER (WHERE event_time >= epoch_ms(${range.startMs}) AND event_time < epoch_ms(${range.endMs}) AND ${condition.join(' AND ')})::INTEGER AS c${position}`;
  });
  return readPresent(
    context,
    (snapshot) => filesThatMayHold(snapshot, table, ranges, 'event'),
    async (files, state) => {
      const events = tableNamed(context.tables, EVENTS);
      const cutColumns = FILTER_COLUMNS.map((column) => `${recordValueSql(events, column)} AS ${column}`).join(', ');
      const rows =
        table === EVENTS
          ? rowsSql(context, state, table, files)
          : `SELECT event_time, ${cutColumns} FROM (${await openRejects(context, state, { files, time: 'event_time', ranges })})`;
      const [row] = await rowsOf(context.connection, `SELECT ${columns.join(', ')} FROM (${rows})`);
      return questions.map((_, position) => Number(row?.[`c${position}`]));
    },
  );
}

function rowsSql(context: CommitContext, state: LakeState, table: string, files: readonly LoggedFile[]): string {
  const ofTable = files.filter((file) => file.table === table);
  return tableRowsSql({ store: context.store, schemas: state.schemas }, tableNamed(context.tables, table), ofTable);
}

/** Events are partitioned by the day they happened, and the log has the processing times of each file. */
export function filesThatMayHold(
  snapshot: Snapshot,
  table: string,
  ranges: readonly TimeRange[],
  axis: TimeAxis,
): readonly LoggedFile[] {
  const files = snapshot.files[table] ?? [];
  const isTouched = touchTest(ranges);
  if (axis === 'processed')
    return files.filter(({ processedMs }) => processedMs === undefined || isTouched(...processedMs));
  if (table !== EVENTS) return files;
  return files.filter((file) => {
    const { startMs, endMs } = rangeOfDays(partitionDay(file));
    return isTouched(startMs, endMs - 1);
  });
}

/**
 * Whether a range touches an interval, including both of its ends. Ranges are joined first, so that many of them cost
 * little.
 */
function touchTest(ranges: readonly TimeRange[]): (fromMs: number, toMs: number) => boolean {
  const joined: { startMs: number; endMs: number }[] = [];
  for (const { startMs, endMs } of [...ranges].sort((a, b) => a.startMs - b.startMs)) {
    const previous = joined.at(-1);
    if (previous === undefined || previous.endMs < startMs) joined.push({ startMs, endMs });
    else previous.endMs = Math.max(previous.endMs, endMs);
  }
  return (fromMs, toMs) => {
    let [low, high] = [0, joined.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((joined[middle]?.endMs ?? 0) <= fromMs) low = middle + 1;
      else high = middle;
    }
    const range = joined[low];
    return range !== undefined && range.startMs <= toMs;
  };
}
