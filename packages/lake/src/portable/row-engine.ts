import { join } from 'node:path';
import { type DataFile, dayOf, idHash, type Row, type RowBatch, type TableSpec, type WindowProof } from '@edrlake/core';
import { writeRowFile } from '@edrlake/writers/parquetjs';
import type { FileSchema } from '../commit/build-log-entry.ts';
import type { CommitEngine, Rewrite } from '../commit/engine.ts';
import type { WriteEntries } from '../commit/id-index.ts';
import { parentsOf, rowsIn } from '../commit/lost-rows.ts';
import type { CommitNames } from '../commit/optimistic-retry.ts';
import type { CommitTools } from '../log/commit-context.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { isEventTable, partitionDay, tableNamed } from '../log/table-rows.ts';
import { placedBatch } from '../promoted/place-values.ts';
import { holdsAtom } from '../proofs/window-filters.ts';
import { refuseDamaged } from '../storage/checksum.ts';
import { EVENTS, REJECTS } from '../storage/layout.ts';
import {
  classify,
  filesOfDays,
  findKnown,
  having,
  markGone,
  metVersions,
  type RowWork,
  VERSION_COLUMNS,
  watched,
} from './classify-rows.ts';
import { claimsIn, dayNamed, entriesIn, entryWriter, type IndexEntry } from './index-entries.ts';
import { rowCountOf, rowsOfFiles } from './parquet-rows.ts';

/**
 * Computes in this process, without native code: reads Parquet with hyparquet and writes it with parquetjs-lite.
 * Memory: the batch, one row group of the index, and the stored rows of the events that are compared. The whole index
 * is read for each batch.
 * @param signal ends the comparison and the writing with its reason
 */
export function rowEngine(tools: CommitTools, batch: RowBatch | null, signal?: AbortSignal): CommitEngine {
  const work: RowWork = { tools, batch, signal, known: [], screen: [], gone: new Map() };
  return {
    findKnown: (index) => {
      work.batch = batch === null ? null : placedBatch(batch, tools.tables);
      return findKnown(work, index);
    },
    classify: (state) => classify(work, state),
    markUndelivered: (state, proofs) => markUndelivered(work, state, proofs),
    metVersions: async () => metVersions(work),
    customers: async (column) =>
      distinctTexts(
        (batch?.rows[EVENTS] ?? []).map(({ row }) => row),
        columnAt(tools, column),
      ),
    storedCustomers: (state, column) => storedCustomers(tools, state, column),
    newIds: async () => having(work, 'new').flatMap(({ identity }) => identity.eventId ?? []),
    writeRows: (directory, fileStem, fieldIds) => writeNews(work, directory, fileStem, fieldIds),
    rewriteWithoutGone: (state, names, fileSchema) => rewriteWithoutGone(work, state, names, fileSchema),
    ownEntries: (version) => ownEntries(work, version),
    writeClaims: (state, file) => entryWriter(claimsIn(tools, state))([], file),
    countRows: async (files) => {
      const counts = new Map<string, number>();
      await tools.store.remote?.bring(files);
      for (const { path } of files) {
        const count = await rowCountOf(tools.store.locate(path)).catch(() => null);
        if (count !== null) counts.set(path, count);
      }
      return counts;
    },
    markIncomplete: (present, lost) => markIncomplete(work, present, lost),
    voidedEntries: (present, lost, index, version) => entryWriter(voided(work, { present, lost, index, version })),
    release: async () => {
      Object.assign(work, { known: [], screen: [], gone: new Map() });
    },
  };
}

function columnAt({ tables }: CommitTools, column: string): number {
  return tableNamed(tables, EVENTS).columns.findIndex(({ name }) => name === column);
}

/** Not more than two. */
function distinctTexts(rows: Iterable<Row>, at: number, found = new Set<string>()): string[] {
  for (const row of rows) {
    if (found.size === 2) break;
    const value = row[at] ?? null;
    if (value !== null) found.add(String(value));
  }
  return [...found];
}

/** See `CommitEngine.storedCustomers`. */
async function storedCustomers(tools: CommitTools, state: LakeState, column: string): Promise<readonly string[]> {
  const { store, tables } = tools;
  const files = [...state.files.values()].filter((file) => file.table === EVENTS);
  const found = new Set<string>();
  const reader = { store, schemas: state.schemas };
  for await (const row of rowsOfFiles(reader, tableNamed(tables, EVENTS), files, [column])) {
    if (distinctTexts([row], 0, found).length === 2) break;
  }
  return [...found];
}

/** See `CommitEngine.markUndelivered`. */
async function markUndelivered(work: RowWork, state: LakeState, proofs: readonly WindowProof[]): Promise<number> {
  const { tools, batch, gone } = work;
  const { store, tables } = tools;
  const rejectIdAt = tableNamed(tables, REJECTS).columns.findIndex(({ name }) => name === 'event_id');
  // The API still returns a rejected record, so its stored event stays.
  const present = new Set([
    ...(batch?.identities ?? []).map(({ eventId }) => eventId),
    ...(batch?.rows[REJECTS] ?? []).map(({ row }) => row[rejectIdAt]),
  ]);
  const windows = proofs
    .filter(({ window: { axis, scope }, verdict }) => {
      return verdict === 'proven' && axis === 'event' && scope.filter === null && scope.state === null;
    })
    .map(({ window }) => window);
  const isTouched = (file: LoggedFile) => {
    const day = partitionDay(file);
    return windows.some(({ range }) => dayOf(range.startMs) <= day && day <= dayOf(range.endMs - 1));
  };
  const files = [...state.files.values()].filter((file) => file.table === EVENTS && isTouched(file));
  let added = 0;
  const rows = rowsOfFiles({ store, schemas: state.schemas }, tableNamed(tables, EVENTS), files, VERSION_COLUMNS);
  for await (const [eventId, day, eventMs, , eventType, agentId] of rows) {
    const at = Number(eventMs);
    const atom = { type: eventType as string | null, agent: agentId as string | null };
    const isInWindow = windows.some(
      ({ range, cuts }) => range.startMs <= at && at < range.endMs && holdsAtom(cuts, atom),
    );
    if (!isInWindow || present.has(String(eventId)) || gone.has(String(eventId))) continue;
    markGone(work, String(eventId), Number(day));
    added += 1;
  }
  return added;
}

/** See `CommitEngine.writeRows`. */
async function writeNews(
  work: RowWork,
  directory: string,
  fileStem: string,
  fieldIds: FileSchema['fieldIds'],
): Promise<readonly DataFile[]> {
  const { tools, batch } = work;
  const written = new Set(having(work, 'new', 'changed').map(({ identity }) => identity.idHash));
  const files: DataFile[] = [];
  for (const table of tools.tables) {
    const rows = (batch?.rows[table.name] ?? []).filter(({ idHash: hash }) => written.has(hash));
    for (const [day, ofDay] of byDay(
      table,
      rows.map(({ row }) => row),
    )) {
      const partition = `${table.partitionBy}=${dayNamed(day)}`;
      const path = `${table.name}/${partition}/${fileStem}-0.parquet`;
      const file = await writeRowFile(table, watched(work, ofDay), join(directory, path), {
        layout: 'arrival',
        fieldIds: fieldIds[table.name] ?? {},
      });
      files.push({ table: table.name, partition, path, ...file });
    }
  }
  return files;
}

/** See `CommitEngine.rewriteWithoutGone`. */
async function rewriteWithoutGone(
  work: RowWork,
  state: LakeState,
  { stage, fileStem }: CommitNames,
  { schemaVersion, fieldIds }: FileSchema,
): Promise<Rewrite> {
  const { tools, gone } = work;
  const { store, tables } = tools;
  const days = new Set([...gone.values()].flatMap((ofEvent) => [...ofEvent].map(dayNamed)));
  const added: LoggedFile[] = [];
  const removed: string[] = [];
  if (days.size === 0) return { added, removed };
  const reader = { store, schemas: state.schemas };
  for (const table of tables.filter(isEventTable)) {
    let number = 0;
    for (const file of filesOfDays(state, table.name, days)) {
      let hits = 0;
      for await (const [eventId] of rowsOfFiles(reader, table, [file], ['event_id'])) {
        if (gone.has(String(eventId))) hits += 1;
      }
      if (hits === 0) continue;
      removed.push(file.path);
      if (hits === file.rowCount) continue;
      await refuseDamaged(store, [file]);
      const path = `${table.name}/${file.partition}/${fileStem}-r${number++}.parquet`;
      const kept = watched(work, rowsWithout(reader, table, file, gone));
      const shape = { layout: file.layout, fieldIds: fieldIds[table.name] ?? {} };
      const written = await writeRowFile(table, kept, store.locate(`${stage}/${path}`), shape);
      added.push({ table: table.name, partition: file.partition, path, ...written, schemaVersion });
    }
  }
  return { added, removed };
}

/** See `CommitEngine.ownEntries`. */
function ownEntries(work: RowWork, version: number): WriteEntries {
  const { screen, gone } = work;
  const kept = screen.filter(({ verdict, stored }) => {
    return verdict === 'new' || verdict === 'changed' || (verdict === 'unchanged' && stored !== null);
  });
  const own = kept.map(({ identity, verdict, stored }) => ({
    idHash: identity.idHash,
    contentHash: identity.contentHash,
    day: verdict === 'unchanged' ? (stored?.day ?? identity.day) : identity.day,
    version,
  }));
  const replaced = new Set(having(work, 'changed').map(({ identity }) => identity.eventId));
  const deleted = [...gone].filter(([eventId]) => !replaced.has(eventId));
  const voided = deleted.flatMap(([eventId, days]) =>
    [...days].map((day) => ({ idHash: idHash(eventId), contentHash: null, day, version })),
  );
  return entryWriter([...own, ...voided]);
}

/** See `CommitEngine.markIncomplete`. */
async function markIncomplete(work: RowWork, present: LakeState, lost: readonly LoggedFile[]): Promise<number> {
  const { store, tables } = work.tools;
  const eventsTable = tableNamed(tables, EVENTS);
  work.gone = new Map();
  const reader = { store, schemas: present.schemas };
  const files = [...present.files.values()];
  const eventTables = tables.filter(isEventTable);
  const ofDay = (table: string, partition: string) =>
    files.filter((file) => file.table === table && file.partition === partition);
  const lostHere = lost.filter(({ table }) => eventTables.some(({ name }) => name === table));
  const parents = new Map(
    lostHere
      .filter(({ table }) => table !== EVENTS)
      .flatMap((child) => parentsOf(child, ofDay(EVENTS, child.partition)))
      .map((file) => [file.path, file]),
  );
  const keys = ['event_id', 'event_date'];
  for await (const [eventId, day] of rowsOfFiles(reader, eventsTable, [...parents.values()], keys)) {
    markGone(work, String(eventId), Number(day));
  }
  for (const partition of new Set(lostHere.filter(({ table }) => table === EVENTS).map((file) => file.partition))) {
    const stored = new Set<string>();
    for await (const [eventId] of rowsOfFiles(reader, eventsTable, ofDay(EVENTS, partition), ['event_id'])) {
      stored.add(String(eventId));
    }
    for (const table of eventTables.filter(({ name }) => name !== EVENTS)) {
      for await (const [eventId, day] of rowsOfFiles(reader, table, ofDay(table.name, partition), keys)) {
        if (!stored.has(String(eventId))) markGone(work, String(eventId), Number(day));
      }
    }
  }
  return rowsIn([...parents.values()]);
}

/** Oldest first. */
function byDay(table: TableSpec, rows: readonly Row[]): [number, Row[]][] {
  const dayAt = table.columns.findIndex(({ name }) => name === table.partitionBy);
  const days = new Map<number, Row[]>();
  for (const row of rows) {
    const day = Number(row[dayAt]);
    const ofDay = days.get(day);
    if (ofDay === undefined) days.set(day, [row]);
    else ofDay.push(row);
  }
  return [...days].sort(([a], [b]) => a - b);
}

async function* rowsWithout(
  reader: Parameters<typeof rowsOfFiles>[0],
  table: TableSpec,
  file: LoggedFile,
  gone: ReadonlyMap<string, unknown>,
): AsyncGenerator<Row> {
  const columns = table.columns.map(({ name }) => name);
  const idAt = columns.indexOf('event_id');
  for await (const row of rowsOfFiles(reader, table, [file], columns)) if (!gone.has(String(row[idAt]))) yield row;
}

async function* voided(
  { tools, gone }: RowWork,
  about: {
    readonly present: LakeState;
    readonly lost: readonly LoggedFile[];
    readonly index: readonly string[];
    readonly version: number;
  },
): AsyncGenerator<IndexEntry> {
  const { present, lost, index, version } = about;
  const files = [...present.files.values()];
  const isReject = ({ table }: LoggedFile) => table === REJECTS;
  const days = new Set([...lost, ...(lost.some(isReject) ? files.filter(isReject) : [])].map(partitionDay));
  const held = files.filter((file) => isReject(file) || days.has(partitionDay(file)));
  const stored = new Set<bigint>();
  const heldState = { ...present, files: new Map(held.map((file) => [file.path, file])) };
  for await (const claim of claimsIn(tools, heldState)) stored.add(claim.idHash);
  const goneHashes = new Set([...gone.keys()].map(idHash));
  const voidedOnce = new Set<string>();
  for await (const { idHash: hash, day } of entriesIn(index)) {
    if (!days.has(dayNamed(day)) || (stored.has(hash) && !goneHashes.has(hash))) continue;
    if (voidedOnce.has(`${hash}:${day}`)) continue;
    voidedOnce.add(`${hash}:${day}`);
    yield { idHash: hash, contentHash: null, day, version };
  }
}
