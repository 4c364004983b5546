import {
  idHashSql,
  quoteName,
  quoteText,
  rowsOf,
  SPOOL_BROKEN,
  type SqlConnection,
  type TableSpec,
} from '@edrlake/core';
import type { RecordSpec } from '../spec/record-spec.ts';
import { childRowsSql } from '../sql/children.ts';
import type { Irregularities } from '../sql/extra.ts';
import { irregularColumnsSql, irregularElementsSql, irregularitiesOf, irregularRecordsSql } from '../sql/irregular.ts';
import { eventsSql } from '../sql/irregular-events.ts';

/** The records of a batch that do not fit the shape. */
export interface IrregularRecords {
  /**
   * A relation of the records that are no events: `record`, `reject_reason`, `reject_path`, `file_index` and the
   * columns that could be read.
   */
  readonly rejects: string;
  /** Whether there can be any; then they have the columns of `events` as well. */
  readonly hasRejects: boolean;
  /** Queries for the rows of a child table; none where no irregular record is an event. */
  childRows(table: TableSpec): Promise<readonly string[]>;
}

/**
 * Flattens the irregular records of the staged rows by rules that allow for anything. The events among them replace the
 * rows that only held their text; `place` is the row id of the replaced row.
 * @param events table of what `conformingEventsSql` read, with `id_hash` and `place`
 */
export async function openIrregular(
  connection: SqlConnection,
  spec: RecordSpec,
  events: string,
  tableName: (name: 'irregular_events' | 'irregular_records') => string,
): Promise<IrregularRecords> {
  const [row] = await rowsOf(connection, `SELECT count(irregular)::INTEGER AS irregular FROM ${events}`);
  if (row?.irregular === 0) return { rejects: NO_REJECTS, hasRejects: false, childRows: async () => [] };
  const irregularEvents = quoteName(tableName('irregular_events'));
  const records = recordsSql(events);
  const irregularities = await irregularitiesIn(connection, spec, records, quoteName(tableName('irregular_records')));
  const marked = ['*', ...irregularColumnsSql(quoteName(tableName('irregular_records')), irregularities)].join(', ');
  const flat = eventsSql(spec, `(SELECT ${marked} FROM (${records}))`, [...CARRIED], irregularities);
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${irregularEvents} AS SELECT * EXCLUDE (broken_reason, broken_record) REPLACE (${BROKEN_REJECTS}), ${idHashSql('event_id')} AS id_hash FROM (${flat})`,
  );
  await connection.run(`DELETE FROM ${events} WHERE irregular IS NOT NULL`);
  const names = [
    ...spec.events.columns.map(({ name }) => quoteName(name)),
    'content_hash',
    'file_index',
    'place',
    'id_hash',
  ];
  await connection.run(
    `INSERT INTO ${events} BY NAME SELECT ${names.join(', ')} FROM ${irregularEvents} WHERE reject_reason IS NULL`,
  );
  const kept = `(SELECT * FROM ${irregularEvents} WHERE place IN (SELECT place FROM ${events}))`;
  let irregularArrays: Promise<readonly string[]> | null = null;
  return {
    rejects: `(SELECT * FROM ${irregularEvents} WHERE reject_reason IS NOT NULL)`,
    hasRejects: true,
    childRows: async (table) => {
      irregularArrays ??= irregularArraysOf(connection, spec, kept);
      return [childRowsSql(table, kept, await irregularArrays)];
    },
  };
}

/** What a broken record carries past flattening, which sees only the members that could be read. */
const CARRIED = ['file_index', 'place', 'broken_reason', 'broken_record'] as const;

const BROKEN_REJECTS =
  'coalesce(broken_reason, reject_reason) AS reject_reason, CASE WHEN broken_reason IS NULL THEN reject_path END AS reject_path, coalesce(broken_record, record) AS record';

/** The irregular lines of a batch as `eventsSql` wants them. */
function recordsSql(events: string): string {
  const broken = `CASE WHEN starts_with(irregular, ${quoteText(SPOOL_BROKEN)}) THEN irregular[${SPOOL_BROKEN.length + 1}:]::JSON END AS broken`;
  const lines = `SELECT irregular, file_index, rowid AS place, ${broken} FROM ${events} WHERE irregular IS NOT NULL`;
  const record = "CASE WHEN broken IS NULL THEN irregular ELSE json_extract_string(broken, '$.fields') END AS record";
  const rest =
    "json_extract_string(broken, '$.reason') AS broken_reason, json_extract(broken, '$.record')::VARCHAR AS broken_record";
  return `SELECT ${record}, hash(irregular) AS content_hash, file_index, place, ${rest} FROM (${lines})`;
}

const NO_REJECTS =
  '(SELECT NULL::VARCHAR AS record, NULL::VARCHAR AS reject_reason, NULL::VARCHAR AS reject_path, NULL::INTEGER AS file_index, NULL::UBIGINT AS content_hash, NULL::UBIGINT AS id_hash, NULL::VARCHAR AS event_id, NULL::DATE AS event_date, NULL::TIMESTAMP AS event_time, NULL::TIMESTAMP AS processed_time WHERE false)';

async function irregularitiesIn(
  connection: SqlConnection,
  spec: RecordSpec,
  records: string,
  irregularRecords: string,
): Promise<Irregularities> {
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${irregularRecords} AS ${irregularRecordsSql(spec, `(${records})`)}`,
  );
  const [union] = await rowsOf(
    connection,
    `SELECT coalesce(bit_or(irregular), 0)::VARCHAR AS irregular FROM ${irregularRecords}`,
  );
  return irregularitiesOf(spec, BigInt(String(union?.irregular)));
}

/** Dotted paths of the child arrays with an element that has something the spec does not name. */
async function irregularArraysOf(
  connection: SqlConnection,
  { children }: RecordSpec,
  events: string,
): Promise<readonly string[]> {
  const queries = children.flatMap((table) =>
    (table.arrays ?? []).map((path) => irregularElementsSql(table, path, events)),
  );
  const found = await rowsOf(connection, queries.join(' UNION ALL '));
  return found.filter((row) => row.is_irregular === true).map((row) => String(row.path));
}
