import { EdrlakeError, type TableSpec } from '@edrlake/core';
import type { LoggedFile } from '../../log/lake-state.ts';
import { EVENTS, FOLDERS, trashFolder } from '../../storage/layout.ts';
import { startingAt } from '../publication/history.ts';
import { type Plan, planPublication } from '../publication/plan.ts';
import { completePublication, type Published, type PublishTools, requireFiles } from '../publication/publication.ts';
import { columnsAt } from '../publication/published-columns.ts';
import { type MetadataFolder, metadataGone, readManifest, readManifestList } from './iceberg-manifests.ts';
import {
  headerOf,
  METADATA_KEPT,
  metadataText,
  SHOWN_COMMIT,
  SHOWN_VERSION,
  type Snapshot,
  schemaOf,
  type TableMetadata,
} from './iceberg-metadata.ts';
import { nextSnapshot, type TableFiles } from './iceberg-snapshots.ts';

/** Attempts to name the next metadata file; each further one means that another publisher has named it. */
const MAX_ATTEMPTS = 10;

/** Older snapshots are forgotten, also where their files are still there: each is a part of every metadata file. */
const MAX_SNAPSHOTS = 1_000;

const HINT = 'version-hint.text';

/** What a table shows now. */
interface CurrentTable {
  /** Of `vN.metadata.json`; 0 before the first. */
  readonly number: number;
  readonly metadata: TableMetadata | null;
}

/**
 * Publishes each table as an Iceberg table of format version 2 in the layout of Hadoop tables: snapshot n of each is
 * version n of the lake. Without a catalogue there is no commit over several tables: those of child rows are first, as
 * an event that is seen must have its rows.
 *
 * Manifests have names that follow from their content; `vN.metadata.json` is put if absent, and makes all new snapshots
 * of a table visible at once.
 * @throws {EdrlakeError} `PUBLISH_REFUSED`, `LAKE_CONTENDED`, `LAKE_UNWRITABLE`, `LAKE_CORRUPT`
 */
export async function publishIceberg(tools: PublishTools): Promise<Published> {
  const { home, tables, signal } = tools;
  const current = new Map<string, CurrentTable>();
  for (const table of tables) current.set(table.name, await readTable(folderOf(tools, table)));
  const known = [...current].flatMap(([name, { metadata }]) => (metadata === null ? [] : [{ name, metadata }]));
  // Paths in the metadata are absolute: a lake that was moved is published anew.
  const isMoved = known.some(({ name, metadata }) => metadata.location !== home.addressOf(home.folderOf(name)));
  const plan = await planPublication(
    tools,
    'iceberg',
    {
      versions: new Map(known.map(({ name, metadata }) => [name, shownIn(metadata)])),
      commitOf: async (table) => current.get(table)?.metadata?.properties[SHOWN_COMMIT] ?? null,
    },
    isMoved,
  );
  const before = Math.max(plan.history.first.version - 1, ...known.map(({ metadata }) => shownIn(metadata)));
  let isWritten = false;
  let { firstVersion } = plan.claim;
  const ordered = [...tables.filter(({ name }) => name !== EVENTS), ...tables.filter(({ name }) => name === EVENTS)];
  for (const table of ordered) {
    signal.throwIfAborted();
    const done = await publishTable(tools, plan, table, isMoved);
    isWritten ||= done.isWritten;
    if (table.name === EVENTS) firstVersion = done.firstVersion ?? plan.newest;
  }
  const { claim, newest, commitId } = plan;
  await completePublication(home, 'iceberg', { ...claim, firstVersion, version: newest, commitId });
  return {
    version: plan.newest,
    firstVersion,
    written: isWritten ? Math.max(1, plan.newest - (isMoved ? firstVersion - 1 : before)) : 0,
  };
}

async function publishTable(
  tools: PublishTools,
  plan: Plan,
  table: TableSpec,
  isMoved: boolean,
): Promise<{ readonly isWritten: boolean; readonly firstVersion: number | null }> {
  const at = folderOf(tools, table);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const current = await readTable(at);
    const isHere = current.metadata?.location === at.locate(tools.home.folderOf(table.name));
    const metadata = isHere ? current.metadata : null;
    if (metadata !== null && shownIn(metadata) >= plan.newest) {
      await repairHint(at, current.number);
      return { isWritten: attempt > 0 && isMoved, firstVersion: metadata.snapshots[0]?.['snapshot-id'] ?? null };
    }
    const { text, snapshots } = await nextMetadata(tools, plan, at, { ...current, metadata });
    const number = current.number + 1;
    if (!(await at.store.putIfAbsent(`${at.folder}/${metadataName(number)}`, text))) continue;
    await at.store.put(`${at.folder}/${HINT}`, String(number));
    await tidy(at, number, snapshots);
    return { isWritten: true, firstVersion: snapshots[0]?.['snapshot-id'] ?? null };
  }
  throw new EdrlakeError('LAKE_CONTENDED', `other publishers named each next metadata file of ${table.name}`, {
    disposition: 'retry',
    hint: 'Let fewer processes publish this lake at once, and run the command again.',
  });
}

/** The text of the next metadata file: with a snapshot for each version that the table lacks. */
async function nextMetadata(
  tools: PublishTools,
  plan: Plan,
  at: MetadataFolder,
  { number, metadata }: CurrentTable,
): Promise<{ readonly text: string; readonly snapshots: readonly Snapshot[] }> {
  const { home } = tools;
  const { table } = at;
  const shown = metadata === null ? -1 : shownIn(metadata);
  const { history, live, removedBy, claim } = plan;
  // What is between is not in the lake's log any more, or there is nothing yet.
  const isFirst = shown < history.first.version;
  const rest = startingAt(history, Math.max(shown, history.first.version));
  const known = isFirst ? [] : await wholeSnapshots(tools, at, metadata?.snapshots ?? []);
  const snapshots = [...known];
  let files: TableFiles = await filesOf(at, known.at(-1) ?? null);
  const schemas = new Map((isFirst ? [] : (metadata?.schemas ?? [])).map((schema) => [schema['schema-id'], schema]));
  const versions = isFirst ? [history.first, ...history.versions] : rest.versions;
  for (const version of versions) {
    tools.signal.throwIfAborted();
    const columns = columnsAt(version, table);
    const schema = schemaOf(table, columns, version.schemaVersion);
    schemas.set(version.schemaVersion, schema);
    if (version.version === 0) continue;
    const own = (list: readonly LoggedFile[]) => list.filter((file) => file.table === table.name);
    const isStart = isFirst && version === history.first;
    const added = own(isStart ? [...history.firstFiles.values()] : version.added);
    const removed = own(isStart ? [] : version.removed);
    requireFiles(await home.provide(added, removedBy), live);
    const change = { version, added, removed, header: headerOf(table, schema), columns };
    files = await nextSnapshot(at, home, files, change);
    if (files.newest !== null) snapshots.push(files.newest);
  }
  const newest = versions.at(-1) ?? history.first;
  const text = metadataText({
    table,
    claim,
    location: at.locate(home.folderOf(table.name)),
    schemas: [...schemas.values()],
    snapshots: snapshots.slice(-MAX_SNAPSHOTS),
    version: newest.version,
    commitId: newest.commitId,
    committedAtMs: newest.committedAtMs,
    before: metadata === null ? null : { metadata, location: at.locate(`${at.folder}/${metadataName(number)}`) },
  });
  return { text, snapshots: snapshots.slice(-MAX_SNAPSHOTS) };
}

async function filesOf(at: MetadataFolder, newest: Snapshot | null): Promise<TableFiles> {
  if (newest === null) return { lines: [], list: null, newest: null };
  const list = newest['manifest-list'];
  const lines = await readManifestList(at, `${at.folder}/${list.split('/').at(-1)}`);
  if (lines === null) throw metadataGone(list);
  const isAlive = (name: string) => (record: Readonly<Record<string, unknown>>) => Number(record[name]) > 0;
  const [adds, keeps] = [isAlive('added_files_count'), isAlive('existing_files_count')];
  return { lines: lines.filter(({ record }) => adds(record) || keeps(record)), list, newest };
}

/** The snapshots of which vacuum has deleted no file. */
async function wholeSnapshots(
  { store, home }: PublishTools,
  at: MetadataFolder,
  snapshots: readonly Snapshot[],
): Promise<readonly Snapshot[]> {
  const trash = new Set(await store.list(FOLDERS.trash));
  const deleting = snapshots.filter(({ summary }) => Number(summary['deleted-data-files']) > 0);
  const suspects = deleting.filter((snapshot) => !trash.has(trashFolder(snapshot['snapshot-id'])));
  for (const suspect of suspects.reverse()) {
    const id = suspect['snapshot-id'];
    const lines = await readManifestList(at, `${at.folder}/${suspect['manifest-list'].split('/').at(-1)}`);
    const line = lines?.find(({ record }) => record.added_snapshot_id === id && Number(record.deleted_files_count) > 0);
    const [entry] = line === undefined ? [] : await readManifest(at, line, true);
    if (entry === undefined) continue;
    const name = String(entry.file.file_path).slice(at.locate(home.folderOf(at.table.name)).length + 1);
    const [thing] = await store.look([`${home.folderOf(at.table.name)}/${name}`]);
    if (thing === null) return snapshots.filter((snapshot) => snapshot['snapshot-id'] >= id);
  }
  return snapshots;
}

/** Removes metadata that no kept snapshot needs. */
async function tidy(at: MetadataFolder, number: number, snapshots: readonly Snapshot[]): Promise<void> {
  const [oldest] = snapshots;
  const first = oldest?.['snapshot-id'] ?? 0;
  const names = await at.store.list(at.folder);
  const unneeded: string[] = [];
  const held = new Set(snapshots.map((snapshot) => snapshot['manifest-list'].split('/').at(-1)));
  const older = names.filter((name) => snapshotOf(name) < first && !held.has(name));
  if (older.length > 0 && oldest !== undefined) {
    const list = String(oldest['manifest-list'].split('/').at(-1));
    for (const { path } of (await readManifestList(at, `${at.folder}/${list}`)) ?? []) held.add(path.split('/').at(-1));
    unneeded.push(...older.filter((name) => !held.has(name)));
  }
  unneeded.push(...names.filter((name) => numberOf(name) > 0 && numberOf(name) < number - METADATA_KEPT));
  for (const name of unneeded) await at.store.remove(`${at.folder}/${name}`);
}

/** The snapshot that a manifest or list was written for; infinite for other files. */
function snapshotOf(name: string): number {
  const match = /^(?:manifest|snap)-(\d+)-[0-9a-f]{32}\.avro$/.exec(name);
  return match === null ? Number.POSITIVE_INFINITY : Number(match[1]);
}

function numberOf(name: string): number {
  return Number(/^v(\d{1,15})\.metadata\.json$/.exec(name)?.[1] ?? 0);
}

function metadataName(number: number): string {
  return `v${number}.metadata.json`;
}

/** The newest metadata file there is: the hint may be behind it after a crash. */
async function readTable(at: MetadataFolder): Promise<CurrentTable> {
  const number = Math.max(0, ...(await at.store.list(at.folder)).map(numberOf));
  const text = number === 0 ? null : await at.store.read(`${at.folder}/${metadataName(number)}`);
  return { number, metadata: text === null ? null : (JSON.parse(text) as TableMetadata) };
}

async function repairHint(at: MetadataFolder, number: number): Promise<void> {
  const path = `${at.folder}/${HINT}`;
  if (Number(await at.store.read(path)) < number) await at.store.put(path, String(number));
}

function shownIn({ properties }: TableMetadata): number {
  return Number(properties[SHOWN_VERSION] ?? -1);
}

function folderOf(tools: PublishTools, table: TableSpec): MetadataFolder {
  const folder = `${tools.home.folderOf(table.name)}/metadata`;
  return { store: tools.store, folder, table, locate: tools.home.addressOf };
}
