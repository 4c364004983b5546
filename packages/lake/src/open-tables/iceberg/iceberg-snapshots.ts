import { sum } from '@edrlake/core';
import type { LoggedFile } from '../../log/lake-state.ts';
import { partitionDay } from '../../log/table-rows.ts';
import { statsOfFile } from '../publication/column-stats.ts';
import type { LakeVersion } from '../publication/history.ts';
import type { TableHome } from '../publication/table-home.ts';
import type { AvroRecord } from './avro.ts';
import {
  dataFileRecord,
  type ManifestEntry,
  type ManifestLine,
  type MetadataFolder,
  readManifest,
  type TableHeader,
  writeManifest,
  writeManifestList,
} from './iceberg-manifests.ts';
import { SHOWN_VERSION, type Snapshot } from './iceberg-metadata.ts';

/** A list with more manifests is slow to plan with, so they become one. */
const MAX_MANIFESTS = 48;

/** What a snapshot says about the files of its table. */
export interface TableFiles {
  /** Manifests with live files. */
  readonly lines: readonly ManifestLine[];
  /** Location of the manifest list; null before the first snapshot. */
  readonly list: string | null;
  readonly newest: Snapshot | null;
}

/** What one version of the lake did to one table. */
export interface TableChange {
  readonly version: LakeVersion;
  readonly added: readonly LoggedFile[];
  readonly removed: readonly LoggedFile[];
  readonly header: TableHeader;
  readonly columns: Parameters<typeof dataFileRecord>[2]['columns'];
}

/** Writes manifests and list of a version; a version without a change of the table has the list of the one before. */
export async function nextSnapshot(
  at: MetadataFolder,
  home: TableHome,
  before: TableFiles,
  change: TableChange,
): Promise<TableFiles & { readonly newest: Snapshot }> {
  const { version, added, removed, header } = change;
  const id = version.version;
  const isSame = added.length === 0 && removed.length === 0 && before.list !== null;
  const lines = isSame ? before.lines : await nextLines(at, home, before.lines, change);
  const parentId = before.newest?.['snapshot-id'] ?? null;
  const list =
    isSame && before.list !== null ? before.list : at.locate(await writeManifestList(at, lines, id, parentId));
  const newest: Snapshot = {
    'snapshot-id': id,
    ...(parentId !== null && { 'parent-snapshot-id': parentId }),
    'sequence-number': id,
    // A clock that goes back would be refused by readers.
    'timestamp-ms': Math.max(version.committedAtMs, (before.newest?.['timestamp-ms'] ?? 0) + 1),
    'manifest-list': list,
    summary: summaryOf(change, before.newest),
    'schema-id': header.schemaId,
  };
  return { lines: lines.filter(isAlive), list, newest };
}

async function nextLines(
  at: MetadataFolder,
  home: TableHome,
  before: readonly ManifestLine[],
  { version, added, removed, header, columns }: TableChange,
): Promise<ManifestLine[]> {
  const id = version.version;
  const gone = new Map(removed.map((file) => [at.locate(home.pathOf(file)), dayNumber(file)]));
  const lines: ManifestLine[] = [];
  for (const line of before) {
    const found = mayHold(line, [...gone.values()]) ? await readManifest(at, line) : [];
    const isTouched = found.some(({ file }) => gone.has(String(file.file_path)));
    const entries = found.map((entry) => marked(entry, gone, id));
    lines.push(isTouched ? await writeManifest(at, entries, id, header) : line);
  }
  if (added.length > 0) {
    const entries: ManifestEntry[] = [];
    for (const file of added) {
      const stats = await statsOfFile(at.store, home.pathOf(file), at.table);
      const record = dataFileRecord(file, at.locate(home.pathOf(file)), { table: at.table, columns, stats });
      entries.push({ status: 1, snapshotId: id, sequence: id, file: record });
    }
    lines.push(await writeManifest(at, entries, id, header));
  }
  return lines.length > MAX_MANIFESTS ? await merged(at, lines, id, header) : lines;
}

/** Those that this snapshot did not change become one manifest. */
async function merged(
  at: MetadataFolder,
  lines: readonly ManifestLine[],
  id: number,
  header: TableHeader,
): Promise<ManifestLine[]> {
  const older = lines.filter(({ record }) => record.added_snapshot_id !== id);
  const entries: ManifestEntry[] = [];
  for (const line of older) entries.push(...(await readManifest(at, line)));
  return [await writeManifest(at, entries, id, header), ...lines.filter((line) => !older.includes(line))];
}

function marked(entry: ManifestEntry, gone: ReadonlyMap<string, number>, id: number): ManifestEntry {
  return gone.has(String(entry.file.file_path)) ? { ...entry, status: 2, snapshotId: id } : entry;
}

function mayHold({ record }: ManifestLine, days: readonly number[]): boolean {
  const [summary] = record.partitions as readonly AvroRecord[];
  const [low, high] = [summary?.lower_bound, summary?.upper_bound].map((bound) =>
    Buffer.from(bound as Uint8Array).readInt32LE(),
  );
  return days.some((day) => day >= (low ?? day) && day <= (high ?? day));
}

function dayNumber(file: LoggedFile): number {
  return Date.parse(`${partitionDay(file)}T00:00:00Z`) / 86_400_000;
}

function isAlive({ record }: ManifestLine): boolean {
  return Number(record.added_files_count) + Number(record.existing_files_count) > 0;
}

function summaryOf({ version, added, removed }: TableChange, before: Snapshot | null): Record<string, string> {
  const rows = (files: readonly LoggedFile[]) => sum(files, ({ rowCount }) => rowCount);
  const bytes = (files: readonly LoggedFile[]) => sum(files, ({ fileBytes }) => fileBytes);
  const total = (name: string, more: number) => String(Number(before?.summary[name] ?? 0) + more);
  const operation =
    removed.length === 0 ? 'append' : version.isRearranged ? 'replace' : added.length === 0 ? 'delete' : 'overwrite';
  return {
    operation,
    'added-data-files': String(added.length),
    'added-records': String(rows(added)),
    'deleted-data-files': String(removed.length),
    'deleted-records': String(rows(removed)),
    'total-data-files': total('total-data-files', added.length - removed.length),
    'total-records': total('total-records', rows(added) - rows(removed)),
    'total-files-size': total('total-files-size', bytes(added) - bytes(removed)),
    [SHOWN_VERSION]: String(version.version),
  };
}
