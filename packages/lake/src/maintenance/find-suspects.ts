import { type Day, dayOf, idHashSql, quoteName, type TableSpec, type TimeRange } from '@edrlake/core';
import { TEMP_TABLES } from '../commit/classify-batch.ts';
import type { CommitContext } from '../log/commit-context.ts';
import { ID_HASHES, slicesOf } from '../log/id-hashes.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { isEventTable, narrowed, partitionDay, rowsOf, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import { EVENTS } from '../storage/layout.ts';

/** Temporary tables of this work, in addition to `TEMP.gone` and `ID_HASHES`. */
export const SUSPECTS = 'lake_suspects';
const SHARE_IDS = 'lake_share_ids';
const COPIES = 'lake_copies';

/** Rows of a table that are looked at together: with twice as many the process takes 110 MiB more, 10 % less time. */
const ROWS_AT_ONCE = 500_000;

/** Of what suspects are looked for. */
export interface Searched {
  /** Only days that it touches; everything unless given. */
  readonly range?: TimeRange | undefined;
  /** `ROWS_AT_ONCE` unless given. */
  readonly rowsAtOnce?: number;
  /** `HASHES_AT_ONCE` unless given. */
  readonly hashesAtOnce?: number;
}

/**
 * Makes three tables. `SUSPECTS` has the ids of events that are stored more than once, whose child rows are, or that
 * have child rows on a day without the event. `TEMP.gone` has these ids with every day on which they have rows.
 * `ID_HASHES` has every event's hash and day.
 *
 * Copies of an event may be on any two days, so hashes are compared over all of them, in slices. Copies of a child row
 * are looked for among few days at a time: where they are on two, the event is as well, or one of them has no event. So
 * only the hashes grow with the lake.
 * @returns those days, oldest first
 */
export async function findSuspects(
  context: Pick<CommitContext, 'store' | 'tables' | 'connection'>,
  state: LakeState,
  { range, rowsAtOnce = ROWS_AT_ONCE, hashesAtOnce }: Searched = {},
): Promise<Day[]> {
  const { connection } = context;
  const files = [...state.files.values()].filter((file) => {
    const day = partitionDay(file);
    return range === undefined || (dayOf(range.startMs) <= day && day <= dayOf(range.endMs - 1));
  });
  const rows = rowsReader(context, state);
  const events = tableNamed(context.tables, EVENTS);
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${SUSPECTS} AS SELECT event_id FROM (${rows(events, [])}) WHERE false`,
  );
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${ID_HASHES} (id_hash UBIGINT, event_date DATE)`);
  const children = context.tables.filter((table) => isEventTable(table) && table.name !== EVENTS);
  try {
    for (const share of sharesOf(files, [events, ...children], rowsAtOnce)) {
      for (let slice = 0; slice < share.slices; slice += 1) {
        const isIn = share.slices === 1 ? 'true' : `hash(event_id) % ${share.slices} = ${slice}`;
        const rowsIn = (table: TableSpec) => `SELECT * FROM (${rows(table, share.files)}) WHERE ${isIn}`;
        await searchShare(context, { events, children }, rowsIn);
      }
    }
    await addCopies(context, rows(narrowed(events, ['event_id']), files), hashesAtOnce);
  } finally {
    for (const table of [SHARE_IDS, COPIES]) await connection.run(`DROP TABLE IF EXISTS temp.${table}`);
  }
  return daysOfSuspects(context, rows, files);
}

/** Looks at few days: notes the hashes of their events, and suspects child rows that are there twice or alone. */
async function searchShare(
  context: Pick<CommitContext, 'connection'>,
  { events, children }: { readonly events: TableSpec; readonly children: readonly TableSpec[] },
  rowsIn: (table: TableSpec) => string,
): Promise<void> {
  const { connection } = context;
  const placed = (table: TableSpec) => rowsIn(narrowed(table, ['event_id', 'event_date']));
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${SHARE_IDS} AS ${placed(events)}`);
  await connection.run(`INSERT INTO ${ID_HASHES} SELECT ${idHashSql('event_id')}, event_date FROM ${SHARE_IDS}`);
  for (const table of children) {
    await addSuspects(
      context,
      `SELECT event_id FROM (${rowsIn(table)}) GROUP BY ${sameRow(table)} HAVING count(*) > 1`,
    );
    const alone = `SELECT c.event_id FROM (${placed(table)}) c ANTI JOIN ${SHARE_IDS} e USING (event_id, event_date)`;
    await addSuspects(context, alone);
  }
}

/** The number of events that `deduplicate` would change. Leaves `ID_HASHES`. */
export async function countSuspects(
  context: Pick<CommitContext, 'store' | 'tables' | 'connection'>,
  state: LakeState,
  searched?: Searched,
): Promise<number> {
  await findSuspects(context, state, searched);
  const [row] = await rowsOf(context.connection, `SELECT count(*)::INTEGER AS events FROM ${SUSPECTS}`);
  return Number(row?.events);
}

/** Makes the SQL of the rows of a table in some of the files given, which may be of other tables, too. */
type RowsReader = (table: TableSpec, files: readonly LoggedFile[]) => string;

function rowsReader({ store }: Pick<CommitContext, 'store'>, { schemas }: LakeState): RowsReader {
  return (table, files) =>
    tableRowsSql(
      { store, schemas },
      table,
      files.filter((file) => file.table === table.name),
    );
}

async function addSuspects({ connection }: Pick<CommitContext, 'connection'>, ids: string): Promise<void> {
  await connection.run(
    `INSERT INTO ${SUSPECTS} SELECT DISTINCT event_id FROM (${ids}) WHERE event_id NOT IN (SELECT event_id FROM ${SUSPECTS})`,
  );
}

/** Events that are stored more than once: those whose hashes are, unless two events share one. @param ids SQL */
async function addCopies(
  context: Pick<CommitContext, 'connection'>,
  ids: string,
  hashesAtOnce?: number,
): Promise<void> {
  const { connection } = context;
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${COPIES} (id_hash UBIGINT)`);
  for (const isIn of await slicesOf(connection, hashesAtOnce)) {
    await connection.run(
      `INSERT INTO ${COPIES} SELECT id_hash FROM ${ID_HASHES} WHERE ${isIn} GROUP BY id_hash HAVING count(*) > 1`,
    );
  }
  const [row] = await rowsOf(connection, `SELECT count(*)::INTEGER AS copies FROM ${COPIES}`);
  if (Number(row?.copies) === 0) return;
  const alike = `SELECT event_id FROM (${ids}) WHERE ${idHashSql('event_id')} IN (SELECT id_hash FROM ${COPIES})`;
  await addSuspects(context, `${alike} GROUP BY event_id HAVING count(*) > 1`);
}

/** Makes `TEMP.gone`. */
async function daysOfSuspects(
  { connection, tables }: Pick<CommitContext, 'tables' | 'connection'>,
  rows: RowsReader,
  files: readonly LoggedFile[],
): Promise<Day[]> {
  const placed = (table: TableSpec) => `SELECT * FROM (${rows(narrowed(table, ['event_id', 'event_date']), files)})`;
  const places = tables.filter(isEventTable).map(placed).join(' UNION ALL ');
  // Reading all ids to find none takes as long as to find some.
  const [row] = await rowsOf(connection, `SELECT count(*)::INTEGER AS events FROM ${SUSPECTS}`);
  const isWanted = Number(row?.events) === 0 ? 'false' : `event_id IN (SELECT event_id FROM ${SUSPECTS})`;
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${TEMP_TABLES.gone} AS SELECT DISTINCT event_id, event_date FROM (${places}) WHERE ${isWanted}`,
  );
  const days = await rowsOf(
    connection,
    `SELECT DISTINCT event_date::VARCHAR AS day FROM ${TEMP_TABLES.gone} ORDER BY 1`,
  );
  return days.map(({ day }) => String(day));
}

/** Days that are looked at together. */
interface Share {
  readonly files: readonly LoggedFile[];
  /** Into how many parts their events are divided, because one day has too many. */
  readonly slices: number;
}

/** The days in order, as many together as have no more rows of any table than are looked at at once. */
function sharesOf(files: readonly LoggedFile[], tables: readonly TableSpec[], rowsAtOnce: number): Share[] {
  const names = new Set(tables.map(({ name }) => name));
  const days = new Map<Day, LoggedFile[]>();
  for (const file of files.filter(({ table }) => names.has(table))) {
    const ofDay = days.get(partitionDay(file)) ?? [];
    ofDay.push(file);
    days.set(partitionDay(file), ofDay);
  }
  const shares: { files: LoggedFile[]; rows: number }[] = [];
  for (const [, ofDay] of [...days].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const rows = mostRows(ofDay);
    const last = shares.at(-1);
    if (last === undefined || last.rows + rows > rowsAtOnce) {
      shares.push({ files: ofDay, rows });
    } else {
      last.files.push(...ofDay);
      last.rows += rows;
    }
  }
  return shares.map((share) => ({ files: share.files, slices: Math.max(1, Math.ceil(share.rows / rowsAtOnce)) }));
}

/** The rows of the table that has the most. */
function mostRows(files: readonly LoggedFile[]): number {
  const rows = new Map<string, number>();
  for (const { table, rowCount } of files) rows.set(table, (rows.get(table) ?? 0) + rowCount);
  return Math.max(...rows.values());
}

/**
 * The columns that are equal when one row is a copy of another: the event, its array where a table has several, and the
 * position in it. The order of sorted files ends with these columns.
 */
export function sameRow({ columns, sortBy }: TableSpec): string {
  const key = sortBy.slice(sortBy.indexOf('event_id'));
  if (key.includes('event_id') && key.includes('position')) return key.map(quoteName).join(', ');
  const names = columns.map(({ name }) => name);
  return names.includes('position') ? 'event_id, position' : names.map(quoteName).join(', ');
}
