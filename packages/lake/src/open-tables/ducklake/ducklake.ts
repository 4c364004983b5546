import type { DuckDBConnection } from '@duckdb/node-api';
import { EdrlakeError, type TableSpec } from '@edrlake/core';
import type { LoggedFile } from '../../log/lake-state.ts';
import { messageOf } from '../../storage/file-errors.ts';
import { PUBLISHED } from '../../storage/layout.ts';
import type { Store } from '../../storage/store.ts';
import { footerOfFile } from '../publication/column-stats.ts';
import { startingAt } from '../publication/history.ts';
import { type Plan, planPublication } from '../publication/plan.ts';
import { completePublication, type Published, type PublishTools, requireFiles } from '../publication/publication.ts';
import type { TableHome } from '../publication/table-home.ts';
import { type Catalog, withCatalog } from './ducklake-catalog.ts';
import { type CatalogState, newState, readState } from './ducklake-state.ts';
import { addVersion, beginCatalog, type PendingChanges, pendingChanges } from './ducklake-versions.ts';

/** How often commits or publishers may come between; the next publication goes on. */
const MAX_ROUNDS = 10;

/**
 * Publishes all tables in one catalogue of DuckLake: snapshot n is version n of the lake, in all tables at once. The
 * catalogue is a DuckDB database that is replaced as a whole file: a reader has the one from before or the one after,
 * and one that has it open goes on with what it has.
 *
 * What is in it follows from the lake's log alone, so that it is no harm where two publishers write the same. One that
 * is slow may put an older catalogue over a newer one: so each looks for later versions once more after it has written.
 * @throws {EdrlakeError} `PUBLISH_REFUSED`, `LAKE_UNWRITABLE`, `LAKE_CORRUPT`, `DUCKDB_MISSING`
 */
export async function publishDuckLake(tools: PublishTools): Promise<Published> {
  let written = 0;
  for (let round = 1; ; round += 1) {
    const published = await publishOnce(tools);
    written += published.written;
    const isNewest = (await tools.log.refresh()).version <= published.version;
    if (isNewest || round === MAX_ROUNDS) return { ...published, written };
  }
}

/** `_tables/lake.ducklake` */
export function catalogPath({ root }: TableHome): string {
  return `${root === '' ? PUBLISHED : root}/lake.ducklake`;
}

async function publishOnce(tools: PublishTools): Promise<Published> {
  const { store, home, tables } = tools;
  if (tools.connect === null) {
    throw new EdrlakeError('PUBLISH_REFUSED', 'DuckDB writes catalogues of DuckLake, and --writer leaves it out', {
      hint: 'Leave --writer parquetjs away.',
    });
  }
  const connection = await tools.connect();
  const path = catalogPath(home);
  const before = await store.readBytes(path);
  await refuseWriteAheadLog(store, path);
  const shown = before === null ? null : await readCatalog(connection, before, path);
  const dataPath = `${home.locate(home.root)}/`;
  // Paths in it are absolute: a lake that was moved is published anew.
  const isMoved = shown !== null && shown.dataPath !== dataPath;
  const isWhole = shown !== null && tables.every(({ name }) => shown.tables.has(name));
  const plan = await planPublication(
    tools,
    'ducklake',
    {
      versions: new Map(shown === null || !isWhole ? [] : tables.map(({ name }) => [name, shown.version])),
      commitOf: async () => shown?.commitId ?? null,
    },
    isMoved,
  );
  // What is between is not in the lake's log any more, or there is nothing yet, or a table is new.
  const isFirst = shown === null || !isWhole || isMoved || shown.version < plan.history.first.version;
  const state = isFirst ? newState(dataPath) : shown;
  const { value, bytes } = await withCatalog(connection, isFirst ? null : before, async (catalog) => {
    const written = await addVersions(tools, plan, catalog, state);
    const isExpired = await expireSnapshots(tools, catalog);
    const [oldest] = await catalog.rows(
      `SELECT min(snapshot_id)::INTEGER AS id FROM ${catalog.table('ducklake_snapshot')}`,
    );
    return { written, isChanged: written > 0 || isExpired, firstVersion: Number(oldest?.id ?? 0) };
  });
  const { written, isChanged, firstVersion } = value;
  if (isChanged) await store.put(path, bytes);
  const { claim, newest, commitId } = plan;
  await completePublication(home, 'ducklake', { ...claim, firstVersion, version: newest, commitId });
  return { version: plan.newest, firstVersion, written };
}

/** @returns how many */
async function addVersions(tools: PublishTools, plan: Plan, catalog: Catalog, state: CatalogState): Promise<number> {
  const { store, home, tables } = tools;
  const { history, claim, live, removedBy } = plan;
  const isFirst = state.version < 0;
  const { first } = history;
  const versions = isFirst ? [first, ...history.versions] : startingAt(history, state.version).versions;
  const changes = pendingChanges(catalog);
  if (isFirst) beginCatalog(changes, state, tables, { version: first.version, claim });
  for (const version of versions) {
    tools.signal.throwIfAborted();
    const isStart = isFirst && version === first;
    const added = isStart ? [...history.firstFiles.values()] : version.added;
    requireFiles(await home.provide(added, removedBy), live);
    const { removed } = version;
    const footerOf = (file: LoggedFile, table: TableSpec) => footerOfFile(store, home.pathOf(file), table);
    await addVersion(changes, state, { version, added, removed, tables, footerOf });
  }
  if (versions.length > 0) await writeStats(changes, catalog, state);
  return versions.length;
}

/** Of whole tables, without bounds: readers would take those of the newest snapshot for older ones as well. */
async function writeStats(changes: PendingChanges, catalog: Catalog, { tables }: CatalogState): Promise<void> {
  await catalog.run(`DELETE FROM ${catalog.table('ducklake_table_stats')}`);
  for (const { id, rows, bytes, nextRowId } of tables.values()) {
    const row = { table_id: id, record_count: rows, next_row_id: nextRowId, file_size_bytes: bytes };
    changes.insert('ducklake_table_stats', row);
  }
  await changes.flush();
}

/**
 * Takes away the snapshots of which vacuum has deleted files.
 * @returns whether there were any
 */
async function expireSnapshots({ store, home }: PublishTools, catalog: Catalog): Promise<boolean> {
  const { table, rows, run } = catalog;
  const ended = await rows(`
    SELECT span.end_snapshot::INTEGER AS id, min_by(table_name, data_file_id) AS name, arg_min(span.path, data_file_id) AS path
    FROM ${table('ducklake_data_file')} AS span JOIN ${table('ducklake_table')} USING (table_id)
    WHERE span.end_snapshot IS NOT NULL GROUP BY ALL`);
  // A vacuum deletes what one version removed together, so that one file of it shows it.
  const paths = ended.map(({ id, name, path }) => ({ id: Number(id), path: `${home.folderOf(String(name))}/${path}` }));
  const absent = await store.absent(paths.map(({ path }) => path));
  const gone = paths.filter(({ path }) => absent.has(path)).map(({ id }) => id);
  if (gone.length === 0) return false;
  const oldest = Math.max(...gone);
  const lost = `SELECT data_file_id FROM ${table('ducklake_data_file')} WHERE end_snapshot <= ${oldest}`;
  for (const name of ['ducklake_file_column_stats', 'ducklake_file_partition_value'] as const) {
    await run(`DELETE FROM ${table(name)} WHERE data_file_id IN (${lost})`);
  }
  for (const name of ['ducklake_data_file', 'ducklake_column', 'ducklake_column_tag'] as const) {
    await run(`DELETE FROM ${table(name)} WHERE end_snapshot <= ${oldest}`);
  }
  for (const name of ['ducklake_snapshot', 'ducklake_snapshot_changes'] as const) {
    await run(`DELETE FROM ${table(name)} WHERE snapshot_id < ${oldest}`);
  }
  return true;
}

/** @throws {EdrlakeError} `PUBLISH_REFUSED` where it is not one of edrlake */
async function readCatalog(connection: DuckDBConnection, bytes: Uint8Array, path: string): Promise<CatalogState> {
  const { value } = await withCatalog(connection, bytes, readState).catch((thrown: unknown) => {
    throw notACatalog(path, messageOf(thrown), thrown);
  });
  if (value === null) throw notACatalog(path, 'it has no snapshot');
  return value;
}

/**
 * DuckDB keeps what a program has written in a second file until it closes the catalogue. Beside the next catalogue no
 * reader could open it.
 */
async function refuseWriteAheadLog(store: Store, path: string): Promise<void> {
  // DuckDB writes into no catalogue in an object store.
  if (store.remote !== null || (await store.look([`${path}.wal`]))[0] === null) return;
  throw new EdrlakeError('PUBLISH_REFUSED', `${path}.wal is there: another program writes into the catalogue`, {
    context: { path },
    hint: `End that program, remove both files, which hold no data of their own, and publish again. Readers attach it with READ_ONLY.`,
  });
}

function notACatalog(path: string, why: string, cause?: unknown): EdrlakeError {
  return new EdrlakeError('PUBLISH_REFUSED', `${path} is not a catalogue of edrlake: ${why}`, {
    cause,
    context: { path },
    hint: 'Remove it, which holds no data of its own, and publish again.',
  });
}
