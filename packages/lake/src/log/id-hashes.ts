import { idHashSql } from '@edrlake/core';
import { EVENTS } from '../storage/layout.ts';
import type { CommitContext } from './commit-context.ts';
import type { LakeState } from './lake-state.ts';
import { narrowed, rowsOf, tableNamed, tableRowsSql } from './table-rows.ts';

/**
 * A temporary table with the `id_hash` and `event_date` of stored events. It is all that grows with the lake where ids
 * are compared; DuckDB spills what exceeds its limit of memory.
 */
export const ID_HASHES = 'lake_id_hashes';

/** Hashes that are compared at once: the others are read once more for each part. */
export const HASHES_AT_ONCE = 1_000_000;

/** Makes `ID_HASHES` of all events of a state. */
export async function hashIds(
  { store, tables, connection }: Pick<CommitContext, 'store' | 'tables' | 'connection'>,
  { files, schemas }: LakeState,
): Promise<void> {
  const ofEvents = [...files.values()].filter(({ table }) => table === EVENTS);
  const table = narrowed(tableNamed(tables, EVENTS), ['event_id', 'event_date']);
  const rows = tableRowsSql({ store, schemas }, table, ofEvents);
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${ID_HASHES} AS SELECT ${idHashSql('event_id')} AS id_hash, event_date FROM (${rows})`,
  );
}

/** Conditions that divide what has an `id_hash`, each true for about as many rows of `ID_HASHES` as are wanted. */
export async function slicesOf(connection: CommitContext['connection'], atOnce = HASHES_AT_ONCE): Promise<string[]> {
  const [row] = await rowsOf(connection, `SELECT count(*)::BIGINT::VARCHAR AS count FROM ${ID_HASHES}`);
  const slices = Math.max(1, Math.ceil(Number(row?.count) / atOnce));
  return Array.from({ length: slices }, (_, slice) => `id_hash % ${slices} = ${slice}`);
}
