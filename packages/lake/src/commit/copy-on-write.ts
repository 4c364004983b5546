import { dayOf, quoteName, type StagedBatch, type TimeRange, type WindowProof } from '@edrlake/core';
import { copyToParquet } from '@edrlake/writers';
import type { CommitContext } from '../log/commit-context.ts';
import { contentOf } from '../log/content-digest.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { filesInPartitions, snapshotOf } from '../log/snapshot.ts';
import { isEventTable, rowsOf, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import { windowFiltersSql } from '../proofs/window-filters.ts';
import { refuseDamaged } from '../storage/checksum.ts';
import { EVENTS } from '../storage/layout.ts';
import type { FileSchema } from './build-log-entry.ts';
import { TEMP_TABLES } from './classify-batch.ts';
import type { Rewrite } from './engine.ts';
import type { CommitNames } from './optimistic-retry.ts';

/**
 * Copies every file, in all tables, that holds rows of the deleted events, without those rows; a file that would be
 * empty is only removed. Nothing in the table folders is touched.
 */
export async function rewriteWithoutDeleted(
  context: CommitContext,
  state: LakeState,
  { stage, fileStem }: CommitNames,
  { schemaVersion, fieldIds }: FileSchema,
): Promise<Rewrite> {
  const days = await rowsOf(context.connection, `SELECT DISTINCT event_date::VARCHAR AS day FROM ${TEMP_TABLES.gone}`);
  if (days.length === 0) return { added: [], removed: [] };
  const reader = { store: context.store, schemas: state.schemas };
  const isGone = `event_id IN (SELECT event_id FROM ${TEMP_TABLES.gone})`;
  const added: LoggedFile[] = [];
  const removed: string[] = [];
  const { files } = snapshotOf(state, []);
  for (const table of context.tables.filter(isEventTable)) {
    const candidates = filesInPartitions(files[table.name], new Set(days.map(({ day }) => `event_date=${day}`)));
    const rows = tableRowsSql(reader, table, candidates, { withFile: true });
    const hits = await rowsOf(
      context.connection,
      `SELECT lake_file, count(*)::INTEGER AS gone FROM (${rows}) WHERE ${isGone} GROUP BY ALL ORDER BY ALL`,
    );
    const byLocation = new Map(candidates.map((file) => [context.store.locate(file.path), file]));
    for (const [number, { lake_file, gone }] of hits.entries()) {
      const file = byLocation.get(String(lake_file));
      if (file === undefined) continue;
      removed.push(file.path);
      if (file.rowCount === Number(gone)) continue;
      await refuseDamaged(context.store, [file]);
      const path = `${table.name}/${file.partition}/${fileStem}-r${number}.parquet`;
      const location = context.store.locate(`${stage}/${path}`);
      const kept = `SELECT * FROM (${tableRowsSql(reader, table, [file])}) WHERE NOT coalesce(${isGone}, false)`;
      const written = await copyToParquet(context.connection, kept, table, location, {
        layout: file.layout,
        fieldIds: fieldIds[table.name] ?? {},
        maxRows: file.rowCount,
      });
      const rest =
        file.digest === undefined ? {} : { digest: (await contentOf(context.connection, table, kept)).digest };
      added.push({ table: table.name, partition: file.partition, path, ...written, schemaVersion, ...rest });
    }
  }
  return { added, removed };
}

/**
 * Adds to `TEMP.gone` the stored events of a proven window that were not delivered. Only windows that ask for
 * everything on the event axis prove that an event is absent; other windows, and mismatches, delete nothing.
 * @returns the number of events added
 */
export async function markUndelivered(
  context: CommitContext,
  state: LakeState,
  batch: StagedBatch | null,
  proofs: readonly WindowProof[],
): Promise<number> {
  const events = tableNamed(context.tables, EVENTS);
  const delivered = batch === null ? [] : deliveredSql(batch);
  const { files } = snapshotOf(state, []);
  const before = await goneCount(context);
  for (const [cuts, ranges] of rangesByCuts(proofs)) {
    const days = new Set(daysHeld(files[EVENTS], ranges));
    const rows = tableRowsSql(
      { store: context.store, schemas: state.schemas },
      events,
      filesInPartitions(files[EVENTS], days),
    );
    const values = ranges
      .map(({ startMs, endMs }) => `(make_timestamptz(${startMs * 1000}), make_timestamptz(${endMs * 1000}))`)
      .join(', ');
    const inWindow = `EXISTS (SELECT 1 FROM (VALUES ${values}) AS r(starts, ends) WHERE event_time >= r.starts AND event_time < r.ends)`;
    const absent = delivered.map((ids) => `AND event_id NOT IN (${ids})`).join(' ');
    await context.connection.run(
      `INSERT INTO ${TEMP_TABLES.gone} SELECT event_id, event_date FROM (${rows}) WHERE ${inWindow} AND ${cuts} ${absent} AND event_id NOT IN (SELECT event_id FROM ${TEMP_TABLES.gone})`,
    );
  }
  return (await goneCount(context)) - before;
}

/**
 * Ids that were delivered, as events or as rejects. The API still returns a rejected record, so its stored event stays.
 */
function deliveredSql(batch: StagedBatch): string[] {
  const rejects = batch.rowTables.rejects;
  const tables = rejects === undefined ? [batch.identityTable] : [batch.identityTable, rejects];
  return tables.map((table) => `SELECT event_id FROM ${quoteName(table)} WHERE event_id IS NOT NULL`);
}

function rangesByCuts(proofs: readonly WindowProof[]): Map<string, TimeRange[]> {
  const groups = new Map<string, TimeRange[]>();
  for (const { window, verdict } of proofs) {
    if (verdict !== 'proven' || window.axis !== 'event') continue;
    if (window.scope.filter !== null || window.scope.state !== null) continue;
    const sql = windowFiltersSql(window.cuts);
    groups.set(sql, [...(groups.get(sql) ?? []), window.range]);
  }
  return groups;
}

/** The partitions of the lake that a range touches. A range may span years of which the lake holds one day. */
function daysHeld(files: readonly LoggedFile[] | undefined, ranges: readonly TimeRange[]): string[] {
  const held = new Set((files ?? []).map(({ partition }) => partition));
  return [...held].filter((partition) => {
    const day = partition.slice(partition.indexOf('=') + 1);
    return ranges.some((range) => dayOf(range.startMs) <= day && day <= dayOf(range.endMs - 1));
  });
}

async function goneCount(context: CommitContext): Promise<number> {
  const [row] = await rowsOf(context.connection, `SELECT count(*)::INTEGER AS gone FROM ${TEMP_TABLES.gone}`);
  return Number(row?.gone);
}
