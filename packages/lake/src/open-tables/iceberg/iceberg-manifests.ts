import { createHash } from 'node:crypto';
import { type ColumnType, EdrlakeError, MS_PER_DAY, sum, type TableSpec } from '@edrlake/core';
import type { LoggedFile, SchemaColumn } from '../../log/lake-state.ts';
import { partitionDay } from '../../log/table-rows.ts';
import type { Store } from '../../storage/store.ts';
import type { FileStats, StatsValue } from '../publication/column-stats.ts';
import { type AvroField, type AvroRecord, type AvroType, avroFile, avroRecords } from './avro.ts';

/** A data file in a manifest, as Iceberg names its fields. */
export interface ManifestEntry {
  /** 0: it was there before; 1: added; 2: deleted by this snapshot. */
  readonly status: 0 | 1 | 2;
  /** The snapshot that added it, or deleted it. */
  readonly snapshotId: number;
  /** Of the snapshot that added it. */
  readonly sequence: number;
  readonly file: AvroRecord;
}

/** One line of a manifest list. */
export interface ManifestLine {
  /** Relative to the lake. */
  readonly path: string;
  readonly record: AvroRecord;
}

const field = (id: number, name: string, type: AvroType): AvroField => ({ name, type, 'field-id': id });
const optional = (id: number, name: string, type: AvroType): AvroField => ({
  name,
  type: ['null', type],
  default: null,
  'field-id': id,
});
const map = (key: number, value: number, type: AvroType): AvroType => ({
  type: 'array',
  logicalType: 'map',
  items: { type: 'record', name: `k${key}_v${value}`, fields: [field(key, 'key', 'int'), field(value, 'value', type)] },
});

/** The field id of the one partition field. */
export const PARTITION_ID = 1000;

function entryType({ partitionBy }: TableSpec): AvroType {
  const partition: AvroType = {
    type: 'record',
    name: 'r102',
    fields: [optional(PARTITION_ID, partitionBy, { type: 'int', logicalType: 'date' })],
  };
  const file: AvroType = {
    type: 'record',
    name: 'r2',
    fields: [
      field(134, 'content', 'int'),
      field(100, 'file_path', 'string'),
      field(101, 'file_format', 'string'),
      field(102, 'partition', partition),
      field(103, 'record_count', 'long'),
      field(104, 'file_size_in_bytes', 'long'),
      optional(109, 'value_counts', map(119, 120, 'long')),
      optional(110, 'null_value_counts', map(121, 122, 'long')),
      optional(125, 'lower_bounds', map(126, 127, 'bytes')),
      optional(128, 'upper_bounds', map(129, 130, 'bytes')),
    ],
  };
  return {
    type: 'record',
    name: 'manifest_entry',
    fields: [
      field(0, 'status', 'int'),
      optional(1, 'snapshot_id', 'long'),
      optional(3, 'sequence_number', 'long'),
      optional(4, 'file_sequence_number', 'long'),
      field(2, 'data_file', file),
    ],
  };
}

const SUMMARY: AvroType = {
  type: 'record',
  name: 'r508',
  fields: [
    field(509, 'contains_null', 'boolean'),
    optional(518, 'contains_nan', 'boolean'),
    optional(510, 'lower_bound', 'bytes'),
    optional(511, 'upper_bound', 'bytes'),
  ],
};

const LIST_TYPE: AvroType = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    field(500, 'manifest_path', 'string'),
    field(501, 'manifest_length', 'long'),
    field(502, 'partition_spec_id', 'int'),
    field(517, 'content', 'int'),
    field(515, 'sequence_number', 'long'),
    field(516, 'min_sequence_number', 'long'),
    field(503, 'added_snapshot_id', 'long'),
    field(504, 'added_files_count', 'int'),
    field(505, 'existing_files_count', 'int'),
    field(506, 'deleted_files_count', 'int'),
    field(512, 'added_rows_count', 'long'),
    field(513, 'existing_rows_count', 'long'),
    field(514, 'deleted_rows_count', 'long'),
    optional(507, 'partitions', { type: 'array', items: SUMMARY, 'element-id': 508 }),
  ],
};

/** A data file as manifests have it. Bounds are left out for columns without field ids. */
export function dataFileRecord(
  { rowCount, fileBytes, ...file }: LoggedFile,
  location: string,
  about: { readonly table: TableSpec; readonly columns: readonly SchemaColumn[]; readonly stats: FileStats },
): AvroRecord {
  const { table, columns, stats } = about;
  const known = columns.flatMap(({ name, id, type }) => {
    const found = stats.get(name);
    return id === undefined || found === undefined ? [] : [{ id, type, ...found }];
  });
  const bounds = (side: 'min' | 'max') =>
    known.flatMap(({ id, type, [side]: value }) =>
      value === null ? [] : [{ key: id, value: boundBytes(value, type) }],
    );
  return {
    content: 0,
    file_path: location,
    file_format: 'PARQUET',
    partition: { [table.partitionBy]: dayNumber(partitionDay(file)) },
    record_count: rowCount,
    file_size_in_bytes: fileBytes,
    value_counts: known.map(({ id }) => ({ key: id, value: rowCount })),
    null_value_counts: known.map(({ id, nulls }) => ({ key: id, value: nulls })),
    lower_bounds: bounds('min'),
    upper_bounds: bounds('max'),
  };
}

function dayNumber(day: string): number {
  return Date.parse(`${day}T00:00:00Z`) / MS_PER_DAY;
}

/** A value in Iceberg's binary form: little-endian numbers, UTF-8 text. */
function boundBytes(value: StatsValue, type: ColumnType): Buffer {
  if (type === 'text' || type === 'json') return Buffer.from(String(value));
  if (type === 'boolean') return Buffer.from([value === true ? 1 : 0]);
  if (type === 'integer' || type === 'date') return int32(Number(value));
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

/** Where the metadata of one table is written. */
export interface MetadataFolder {
  readonly store: Store;
  /** `_tables/events/metadata` */
  readonly folder: string;
  readonly table: TableSpec;
  /** Of a path relative to the lake. */
  readonly locate: (path: string) => string;
}

/** What manifests and lists say in their headers about the table. */
export interface TableHeader {
  /** JSON of the schema and of the partition fields. */
  readonly schema: string;
  readonly schemaId: number;
  readonly partitionFields: string;
}

/** Writes a manifest under a name that follows from its content. @returns its line for the list of a snapshot */
export async function writeManifest(
  at: MetadataFolder,
  entries: readonly ManifestEntry[],
  snapshotId: number,
  { schema, schemaId, partitionFields }: TableHeader,
): Promise<ManifestLine> {
  const records = entries.map(({ status, snapshotId: id, sequence, file }) => ({
    status,
    snapshot_id: id,
    // A file that this snapshot adds inherits the number of the snapshot.
    sequence_number: status === 1 ? null : sequence,
    file_sequence_number: status === 1 ? null : sequence,
    data_file: file,
  }));
  const bytes = avroFile(entryType(at.table), records, {
    schema,
    'schema-id': String(schemaId),
    'partition-spec': partitionFields,
    'partition-spec-id': '0',
    'format-version': '2',
    content: 'data',
  });
  const path = `${at.folder}/${nameOf('manifest', snapshotId, bytes)}`;
  await at.store.putIfAbsent(path, bytes);
  const count = (status: number) => entries.filter((entry) => entry.status === status).length;
  const rows = (status: number) =>
    sum(entries, (entry) => (entry.status === status ? Number(entry.file.record_count) : 0));
  const days = entries.map(({ file }) => Number((file.partition as AvroRecord)[at.table.partitionBy]));
  const live = entries.filter(({ status }) => status !== 2);
  return {
    path,
    record: {
      manifest_path: at.locate(path),
      manifest_length: bytes.length,
      partition_spec_id: 0,
      content: 0,
      sequence_number: snapshotId,
      min_sequence_number: Math.min(snapshotId, ...live.map(({ sequence }) => sequence)),
      added_snapshot_id: snapshotId,
      added_files_count: count(1),
      existing_files_count: count(0),
      deleted_files_count: count(2),
      added_rows_count: rows(1),
      existing_rows_count: rows(0),
      deleted_rows_count: rows(2),
      partitions: [
        {
          contains_null: false,
          contains_nan: false,
          lower_bound: int32(Math.min(...days)),
          upper_bound: int32(Math.max(...days)),
        },
      ],
    },
  };
}

/**
 * The live files of a manifest, as a later snapshot has them.
 * @param deleted those that its snapshot deleted instead
 */
export async function readManifest(
  at: MetadataFolder,
  { path, record }: ManifestLine,
  deleted = false,
): Promise<ManifestEntry[]> {
  const bytes = await at.store.readBytes(path);
  if (bytes === null) throw metadataGone(path);
  return avroRecords(entryType(at.table), bytes).flatMap((entry) =>
    (entry.status === 2) !== deleted
      ? []
      : [
          {
            status: 0 as const,
            snapshotId: Number(entry.snapshot_id),
            sequence: Number(entry.sequence_number ?? record.sequence_number),
            file: entry.data_file as AvroRecord,
          },
        ],
  );
}

/** Writes the manifest list of a snapshot. @returns its path relative to the lake */
export async function writeManifestList(
  at: MetadataFolder,
  lines: readonly ManifestLine[],
  snapshotId: number,
  parentId: number | null,
): Promise<string> {
  const bytes = avroFile(
    LIST_TYPE,
    lines.map(({ record }) => record),
    {
      'format-version': '2',
      'snapshot-id': String(snapshotId),
      'sequence-number': String(snapshotId),
      ...(parentId === null ? {} : { 'parent-snapshot-id': String(parentId) }),
    },
  );
  const path = `${at.folder}/${nameOf('snap', snapshotId, bytes)}`;
  await at.store.putIfAbsent(path, bytes);
  return path;
}

/** The manifests of a snapshot; null where its list is gone. */
export async function readManifestList(at: MetadataFolder, path: string): Promise<ManifestLine[] | null> {
  const bytes = await at.store.readBytes(path);
  if (bytes === null) return null;
  return avroRecords(LIST_TYPE, bytes).map((record) => ({
    path: `${at.folder}/${String(record.manifest_path).split('/').at(-1)}`,
    record,
  }));
}

/** What is thrown where metadata that a table names is not there. */
export function metadataGone(path: string): EdrlakeError {
  return new EdrlakeError('PUBLISH_REFUSED', `${path} is gone: another engine has expired snapshots`, {
    context: { path },
    hint: 'Remove the folder of the published table, which holds no data of its own, and publish again.',
  });
}

/** Publishers with the same history write the same file, and others another one. */
function nameOf(kind: 'manifest' | 'snap', snapshotId: number, bytes: Uint8Array): string {
  return `${kind}-${snapshotId}-${createHash('md5').update(bytes).digest('hex')}.avro`;
}
