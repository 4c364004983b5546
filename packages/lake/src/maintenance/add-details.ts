import {
  type Cell,
  type ColumnSpec,
  type Day,
  idHash,
  isoInstant,
  quoteName,
  quoteText,
  stagedType,
  type TableSpec,
} from '@edrlake/core';
import { writeStagedRows } from '@edrlake/writers';
import { buildLogEntry, NO_COUNTS, schemaOnTop } from '../commit/build-log-entry.ts';
import { TEMP_TABLES } from '../commit/classify-batch.ts';
import { rewriteWithoutDeleted } from '../commit/copy-on-write.ts';
import { claimsWriter, entriesSql, entriesWriter, openIdIndex, stageIndexChange } from '../commit/id-index.ts';
import { type CommitNames, commitWithRetry, type DraftedCommit } from '../commit/optimistic-retry.ts';
import type { CommitContext } from '../log/commit-context.ts';
import type { LakeState } from '../log/lake-state.ts';
import { isEventTable, partitionDay, rowsOf, tableRowsSql } from '../log/table-rows.ts';
import { placedRow, returnedRow, withoutPromotedColumns } from '../promoted/place-values.ts';
import { placeTaken } from '../promoted/promoted-sql.ts';
import { type CellRow, type EventRows, mergedRows } from './merge-details.ts';

/** What an API says about one stored event when it is asked for it alone. */
export interface EventDetails {
  readonly eventId: string;
  /** The UTC day on which it is stored. */
  readonly day: Day;
  /** Its flattened rows by table, with the columns of the dataset. */
  readonly rows: EventRows;
}

/** What was added. */
export interface DetailsReport {
  /** null: nothing was committed. */
  readonly version: number | null;
  /** Events that have details now. */
  readonly events: number;
  /** Events that are no longer stored on that day, had details already, or leave no place to note them in `extra`. */
  readonly skipped: number;
}

/** The rows of the events with their details, by lake table. */
const MERGED = 'lake_details';

/**
 * Adds details to stored events, in one commit, without changing a stored value; see `mergedRows`. The events stay
 * where they are, and the id index keeps the hash of the record that was listed: listed again, it is unchanged.
 * @throws {EdrlakeError} as `commitWithRetry`
 */
export async function addDetails(
  context: CommitContext,
  details: readonly EventDetails[],
  { runId, atMs }: { readonly runId: string; readonly atMs: number },
): Promise<DetailsReport> {
  const { connection } = context;
  try {
    const { entry, outcome } = await commitWithRetry(context, (state, names) =>
      draft(context, state, names, { details, runId, at: isoInstant(atMs) }),
    );
    return { version: entry?.version ?? null, events: outcome, skipped: details.length - outcome };
  } finally {
    await connection.run(`DROP TABLE IF EXISTS temp.${TEMP_TABLES.gone}`);
    for (const { name } of context.tables.filter(isEventTable)) {
      await connection.run(`DROP TABLE IF EXISTS temp.${quoteName(`${MERGED}_${name}`)}`);
    }
  }
}

async function draft(
  context: CommitContext,
  state: LakeState,
  names: CommitNames,
  work: { readonly details: readonly EventDetails[]; readonly runId: string; readonly at: string },
): Promise<DraftedCommit<number>> {
  const { connection, store } = context;
  const tables = context.tables.filter(isEventTable);
  const stored = await storedRows(context, state, tables, work.details);
  const merged = work.details.flatMap(({ eventId, day, rows }) => {
    const found = withDetails(tables, stored.get(eventId) ?? {}, rows, work.at);
    return found === null ? [] : [{ eventId, day, rows: found }];
  });
  if (merged.length === 0) return { entry: null, moves: [], outcome: 0 };
  const gone = merged.map(({ eventId, day }) => `(${quoteText(eventId)}, DATE ${quoteText(day)})`);
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${TEMP_TABLES.gone} (event_id VARCHAR, event_date DATE)`);
  await connection.run(`INSERT INTO ${TEMP_TABLES.gone} VALUES ${gone.join(', ')}`);
  const fileSchema = schemaOnTop(state, context.tables);
  const index = await openIdIndex(context, state, names, claimsWriter(context));
  const entries = sameHashesSql(
    index.files.map(({ location }) => location),
    merged,
    state.version + 1,
  );
  const rewrite = await rewriteWithoutDeleted(context, state, names, fileSchema);
  const rowTables: Record<string, string> = {};
  for (const table of tables) {
    const rows = merged.flatMap((event) => event.rows[table.name] ?? []);
    rowTables[table.name] = `${MERGED}_${table.name}`;
    await stageRows(context, table, rows, `${MERGED}_${table.name}`);
  }
  const { fileStem, stage } = names;
  const { schemaVersion, fieldIds } = fileSchema;
  const target = { directory: store.locate(stage), fileStem, exceptTable: null, fieldIds };
  const files = await writeStagedRows(connection, tables, { rowTables }, target);
  const ids = await stageIndexChange(context, state, index, names, entriesWriter(context, entries));
  context.onStep('staged');
  const drafted = buildLogEntry(context, state, names, {
    runId: work.runId,
    counts: { ...NO_COUNTS, changedEvents: merged.length },
    added: [...files.map((file) => ({ ...file, schemaVersion })), ...rewrite.added],
    removed: rewrite.removed,
    ids,
    proofs: [],
    losses: [],
  });
  return { ...drafted, outcome: merged.length };
}

/** The newest index entries of the events under a new version: the commit wrote them, and the hash stays. */
function sameHashesSql(
  index: readonly string[],
  events: readonly { readonly eventId: string }[],
  version: number,
): string {
  const hashes = events.map(({ eventId }) => `${idHash(eventId)}::UBIGINT`).join(', ');
  const newest = `SELECT * FROM (${entriesSql(index)}) WHERE id_hash IN (${hashes}) QUALIFY row_number() OVER (PARTITION BY id_hash ORDER BY version DESC) = 1`;
  return `SELECT id_hash, content_hash, event_date, ${version}::BIGINT AS version FROM (${newest}) WHERE content_hash IS NOT NULL`;
}

/**
 * The rows of an event with its details, as the lake stores them. They are merged as delivered, without promoted
 * columns: where list and details have values of different types at one path, only one of them fits the column, and
 * the row would have the other one in `extra`.
 */
function withDetails(
  tables: readonly TableSpec[],
  stored: EventRows,
  details: EventRows,
  at: string,
): EventRows | null {
  const delivered = Object.fromEntries(
    tables.map((table) => [table.name, (stored[table.name] ?? []).map((row) => returnedRow(table, row, placeTaken))]),
  );
  const merged = mergedRows(tables.map(withoutPromotedColumns), delivered, details, at);
  if (merged === null) return null;
  return Object.fromEntries(
    tables.map((table) => [table.name, (merged[table.name] ?? []).map((row) => placedRow(table, row))]),
  );
}

/** The stored rows of the events, by id and table. */
async function storedRows(
  { connection, store }: CommitContext,
  state: LakeState,
  tables: readonly TableSpec[],
  details: readonly EventDetails[],
): Promise<Map<string, Record<string, CellRow[]>>> {
  const days = new Set(details.map(({ day }) => day));
  const wanted = new Map(details.map(({ eventId, day }) => [eventId, day]));
  const ids = details.map(({ eventId }) => quoteText(eventId)).join(', ');
  const found = new Map<string, Record<string, CellRow[]>>();
  for (const table of tables) {
    const files = [...state.files.values()].filter((file) => file.table === table.name && days.has(partitionDay(file)));
    const rows = tableRowsSql({ store, schemas: state.schemas }, table, files);
    const columns = table.columns.map((column) => `${plainSql(column)} AS ${quoteName(column.name)}`);
    const order = table.columns.some(({ name }) => name === 'position') ? ' ORDER BY position' : '';
    const sql = `SELECT ${columns.join(', ')}, event_date::VARCHAR AS lake_day FROM (${rows}) r WHERE r.event_id IN (${ids})${order}`;
    for (const { lake_day: day, ...row } of await rowsOf(connection, sql)) {
      const id = String(row.event_id);
      if (wanted.get(id) !== day) continue;
      const ofEvent = found.get(id) ?? {};
      ofEvent[table.name] = [...(ofEvent[table.name] ?? []), row as CellRow];
      found.set(id, ofEvent);
    }
  }
  return found;
}

/** A value as a cell, except that 64-bit integers are text. */
function plainSql({ name, type }: ColumnSpec): string {
  const column = `r.${quoteName(name)}`;
  if (type === 'timestamp') return `epoch_ms(${column})::DOUBLE`;
  if (type === 'date') return `(${column} - DATE '1970-01-01')::INTEGER`;
  return type === 'integer' || type === 'boolean' ? column : `${column}::VARCHAR`;
}

async function stageRows(
  { connection }: CommitContext,
  { columns }: TableSpec,
  rows: readonly CellRow[],
  name: string,
): Promise<void> {
  const typed = columns.map((column) => `${quoteName(column.name)} ${stagedType(column.type)}`);
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${quoteName(name)} (${typed.join(', ')})`);
  for (const row of rows) {
    const values = columns.map((column) => literal(row[column.name] ?? null, column));
    await connection.run(`INSERT INTO ${quoteName(name)} VALUES (${values.join(', ')})`);
  }
}

function literal(cell: Cell, { type }: ColumnSpec): string {
  if (cell === null) return 'NULL';
  if (type === 'timestamp') return `epoch_ms(${Number(cell)})`;
  if (type === 'date') return `DATE '1970-01-01' + ${Number(cell)}`;
  if (type === 'text' || type === 'json') return quoteText(String(cell));
  return String(cell);
}
