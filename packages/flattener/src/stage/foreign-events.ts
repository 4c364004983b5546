import { FOREIGN_CUSTOMER, quoteName, quoteText, rowsOf, type SqlConnection } from '@edrlake/core';
import type { IrregularRecords } from './irregular-records.ts';

/** Whose events a batch may hold, and which column of `events` says whose one is. */
export interface OwnCustomer {
  readonly column: string;
  readonly id: string;
}

/**
 * Takes the events of other customers out of the staged ones. Their records are not kept: a lake must not hold, in its
 * rejects either, what is not its customer's. An event that does not say whose it is stays.
 * @param events table of the staged events
 * @param foreignEvents name of a temporary table to make
 * @returns `rejects` as in `IrregularRecords`, with these
 */
export async function takeForeign(
  connection: SqlConnection,
  events: string,
  irregular: IrregularRecords,
  { column, id }: OwnCustomer,
  foreignEvents: string,
): Promise<string> {
  const customer = quoteName(column);
  const isForeign = `lower(${customer}) <> lower(${quoteText(id)})`;
  const ids = `to_json({id: event_id, customerId: ${customer}})::VARCHAR`;
  const places = 'file_index, content_hash, id_hash, event_id, event_date, event_time, processed_time';
  const asReject = `${ids} AS record, ${quoteText(FOREIGN_CUSTOMER)} AS reject_reason, NULL::VARCHAR AS reject_path, ${places}`;
  const others = irregular.hasRejects
    ? `SELECT CASE WHEN ${isForeign} THEN ${ids} ELSE record END AS record, CASE WHEN ${isForeign} THEN ${quoteText(FOREIGN_CUSTOMER)} ELSE reject_reason END AS reject_reason, CASE WHEN ${isForeign} THEN NULL ELSE reject_path END AS reject_path, ${places} FROM ${irregular.rejects}`
    : `SELECT record, reject_reason, reject_path, ${places} FROM ${irregular.rejects}`;
  const [found] = await rowsOf(connection, `SELECT count(*)::INTEGER AS events FROM ${events} WHERE ${isForeign}`);
  if (Number(found?.events) === 0) return `(${others})`;
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${foreignEvents} AS SELECT ${asReject} FROM ${events} WHERE ${isForeign}`,
  );
  await connection.run(`DELETE FROM ${events} WHERE ${isForeign}`);
  return `(${others} UNION ALL BY NAME SELECT * FROM ${foreignEvents})`;
}
