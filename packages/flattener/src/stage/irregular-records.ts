import {
  idHashSql,
  quoteName,
  quoteText,
  rowsOf,
  SPOOL_BROKEN,
  type SqlConnection,
  type TableSpec,
} from '@edrlake/core';
import { CHILD_TABLES, LAKE_TABLES } from '../spec/lake-tables.ts';
import { childRowsSql } from '../sql/children.ts';
import type { Irregularities } from '../sql/extra.ts';
import { irregularColumnsSql, irregularElementsSql, irregularitiesOf, irregularRecordsSql } from '../sql/irregular.ts';
import { eventsSql } from '../sql/irregular-events.ts';

/** The records of a batch that do not fit the shape. */
export interface IrregularRecords {
  /** A relation: those that are no events, with `record`, `reject_reason`, `reject_path`, `filename` and what could be read of them. */
  readonly rejects: string;
  /** Queries for the rows of a child table; none where no odd record is an event. */
  childRows(table: TableSpec): Promise<readonly string[]>;
}

/**
 * Flattens the odd records among the staged rows by rules that allow for anything, and puts the events among them in the place
 * of the rows that only held their text: with `place`, the row id that those had.
 * @param events table of what `conformingEventsSql` read, with `id_hash` and `place`
 */
export async function openIrregular(
  connection: SqlConnection,
  events: string,
  tableName: (name: 'odd_events' | 'odd_records') => string,
): Promise<IrregularRecords> {
  const [row] = await rowsOf(connection, `SELECT count(odd)::INTEGER AS odd FROM ${events}`);
  if (row?.odd === 0) return { rejects: NO_REJECTS, childRows: async () => [] };
  const oddEvents = quoteName(tableName('odd_events'));
  const records = recordsSql(events);
  const oddities = await odditiesIn(connection, records, quoteName(tableName('odd_records')));
  const marked = ['*', ...irregularColumnsSql(quoteName(tableName('odd_records')), oddities)].join(', ');
  const flat = eventsSql(`(SELECT ${marked} FROM (${records}))`, [...CARRIED], oddities);
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${oddEvents} AS SELECT * EXCLUDE (broken_reason, broken_record) REPLACE (${BROKEN_REJECTS}), ${idHashSql('event_id')} AS id_hash FROM (${flat})`,
  );
  await connection.run(`DELETE FROM ${events} WHERE odd IS NOT NULL`);
  const [eventsSpec] = LAKE_TABLES as readonly [TableSpec, ...TableSpec[]];
  const names = [
    ...eventsSpec.columns.map(({ name }) => quoteName(name)),
    'content_hash',
    'filename',
    'place',
    'id_hash',
  ];
  await connection.run(
    `INSERT INTO ${events} BY NAME SELECT ${names.join(', ')} FROM ${oddEvents} WHERE reject_reason IS NULL`,
  );
  const kept = `(SELECT * FROM ${oddEvents} WHERE place IN (SELECT place FROM ${events}))`;
  let oddArrays: Promise<readonly string[]> | null = null;
  return {
    rejects: `(SELECT * FROM ${oddEvents} WHERE reject_reason IS NOT NULL)`,
    childRows: async (table) => {
      oddArrays ??= oddArraysOf(connection, kept);
      return [childRowsSql(table, kept, await oddArrays)];
    },
  };
}

/** What a record that could not be read carries past flattening, which only sees those of its members that could. */
const CARRIED = ['filename', 'place', 'broken_reason', 'broken_record'] as const;

const BROKEN_REJECTS =
  'coalesce(broken_reason, reject_reason) AS reject_reason, CASE WHEN broken_reason IS NULL THEN reject_path END AS reject_path, coalesce(broken_record, record) AS record';

/** The odd lines of a batch as `eventsSql` wants them. */
function recordsSql(events: string): string {
  const broken = `CASE WHEN starts_with(odd, ${quoteText(SPOOL_BROKEN)}) THEN odd[${SPOOL_BROKEN.length + 1}:]::JSON END AS broken`;
  const lines = `SELECT odd, filename, rowid AS place, ${broken} FROM ${events} WHERE odd IS NOT NULL`;
  const record = "CASE WHEN broken IS NULL THEN odd ELSE json_extract_string(broken, '$.fields') END AS record";
  const rest =
    "json_extract_string(broken, '$.reason') AS broken_reason, json_extract(broken, '$.record')::VARCHAR AS broken_record";
  return `SELECT ${record}, hash(odd) AS content_hash, filename, place, ${rest} FROM (${lines})`;
}

const NO_REJECTS =
  '(SELECT NULL::VARCHAR AS record, NULL::VARCHAR AS reject_reason, NULL::VARCHAR AS reject_path, NULL::VARCHAR AS filename, NULL::UBIGINT AS content_hash, NULL::UBIGINT AS id_hash, NULL::VARCHAR AS event_id, NULL::DATE AS event_date, NULL::TIMESTAMP AS event_time, NULL::TIMESTAMP AS processed_time WHERE false)';

async function odditiesIn(connection: SqlConnection, records: string, oddRecords: string): Promise<Irregularities> {
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${oddRecords} AS ${irregularRecordsSql(`(${records})`)}`);
  const [union] = await rowsOf(connection, `SELECT coalesce(bit_or(odd), 0)::VARCHAR AS odd FROM ${oddRecords}`);
  return irregularitiesOf(BigInt(String(union?.odd)));
}

/** Dotted paths of the child arrays in which some element holds what the spec does not name. */
async function oddArraysOf(connection: SqlConnection, events: string): Promise<readonly string[]> {
  const queries = CHILD_TABLES.flatMap((table) =>
    (table.arrays ?? []).map((path) => irregularElementsSql(table, path, events)),
  );
  const found = await rowsOf(connection, queries.join(' UNION ALL '));
  return found.filter((row) => row.is_odd === true).map((row) => String(row.path));
}
