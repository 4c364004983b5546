import type { ColumnType, TableSpec } from '@edrlake/core';
import type { SchemaColumn } from '../../log/lake-state.ts';
import { type Publication, uuidOf } from '../publication/publication.ts';
import { commentsOf, fieldId } from '../publication/published-columns.ts';
import { PARTITION_ID, type TableHeader } from './iceberg-manifests.ts';

/** A snapshot in the metadata of a table. Its id is the version of the lake. */
export interface Snapshot {
  readonly 'snapshot-id': number;
  readonly 'parent-snapshot-id'?: number;
  readonly 'sequence-number': number;
  readonly 'timestamp-ms': number;
  readonly 'manifest-list': string;
  readonly summary: Readonly<Record<string, string>>;
  readonly 'schema-id': number;
}

/** `vN.metadata.json`, as far as it is read here. */
export interface TableMetadata {
  readonly location: string;
  readonly 'table-uuid': string;
  readonly schemas: readonly IcebergSchema[];
  readonly properties: Readonly<Record<string, string>>;
  readonly snapshots: readonly Snapshot[];
  readonly 'snapshot-log': readonly { readonly 'timestamp-ms': number; readonly 'snapshot-id': number }[];
  readonly 'metadata-log': readonly { readonly 'timestamp-ms': number; readonly 'metadata-file': string }[];
  readonly 'last-updated-ms': number;
}

/** Names of properties by which a table says what it shows. */
export const SHOWN_VERSION = 'edrlake.version';
/** The commit of that version. */
export const SHOWN_COMMIT = 'edrlake.commit';

const TYPES: Readonly<Record<ColumnType, string>> = {
  text: 'string',
  integer: 'int',
  bigint: 'long',
  boolean: 'boolean',
  timestamp: 'timestamptz',
  date: 'date',
  json: 'string',
};

/** A schema of Iceberg. */
interface IcebergSchema {
  readonly type: 'struct';
  readonly 'schema-id': number;
  readonly fields: readonly { readonly id: number; readonly name: string }[];
}

/** The columns of a table with the field ids that its files have. */
export function schemaOf(table: TableSpec, columns: readonly SchemaColumn[], schemaId: number): IcebergSchema {
  const comments = commentsOf(table, columns);
  const fields = columns.map((column, position) => ({
    id: fieldId(column, position),
    name: column.name,
    required: false,
    type: TYPES[column.type],
    doc: comments.get(column.name),
  }));
  return { type: 'struct', 'schema-id': schemaId, fields };
}

/** The partition by day, with its value as it is. */
function partitionFieldsOf({ partitionBy }: TableSpec, schema: IcebergSchema) {
  const source = schema.fields.find(({ name }) => name === partitionBy);
  return [{ name: partitionBy, transform: 'identity', 'source-id': source?.id ?? 1, 'field-id': PARTITION_ID }];
}

/** What the manifests of a schema say about the table. */
export function headerOf(table: TableSpec, schema: IcebergSchema): TableHeader {
  return {
    schema: JSON.stringify(schema),
    schemaId: schema['schema-id'],
    partitionFields: JSON.stringify(partitionFieldsOf(table, schema)),
  };
}

/** What changes from one metadata file to the next. */
export interface NextMetadata {
  readonly table: TableSpec;
  readonly claim: Publication;
  readonly location: string;
  /** Oldest first; the last is the current one. */
  readonly schemas: readonly IcebergSchema[];
  /** Oldest first; empty before the first commit. */
  readonly snapshots: readonly Snapshot[];
  /** The version of the lake, its commit and time. */
  readonly version: number;
  readonly commitId: string | null;
  readonly committedAtMs: number;
  /** The metadata file before this one, and where it is. */
  readonly before: { readonly metadata: TableMetadata; readonly location: string } | null;
}

/** Earlier metadata files that a table names, and that are kept. */
export const METADATA_KEPT = 20;

/** The text of a metadata file of format version 2. */
export function metadataText(next: NextMetadata): string {
  const { table, claim, schemas, snapshots, before } = next;
  const [schema] = schemas.slice(-1);
  const newest = snapshots.at(-1);
  const ids = schemas.flatMap(({ fields }) => fields.map(({ id }) => id));
  const kept = new Set(snapshots.map((snapshot) => snapshot['snapshot-id']));
  const earlier =
    before === null
      ? []
      : [
          ...before.metadata['metadata-log'],
          { 'timestamp-ms': before.metadata['last-updated-ms'], 'metadata-file': before.location },
        ];
  return `${JSON.stringify({
    'format-version': 2,
    'table-uuid': uuidOf(`${table.name} ${claim.origin}`),
    location: next.location,
    'last-sequence-number': newest?.['sequence-number'] ?? 0,
    'last-updated-ms': Math.max(next.committedAtMs, newest?.['timestamp-ms'] ?? 0),
    'last-column-id': Math.max(0, ...ids),
    'current-schema-id': schema?.['schema-id'] ?? 0,
    schemas,
    'default-spec-id': 0,
    'partition-specs': [{ 'spec-id': 0, fields: schema === undefined ? [] : partitionFieldsOf(table, schema) }],
    'last-partition-id': PARTITION_ID,
    'default-sort-order-id': 0,
    'sort-orders': [{ 'order-id': 0, fields: [] }],
    properties: {
      comment: 'Published by edrlake; snapshot n is version n of the lake. Do not write or expire it.',
      [SHOWN_VERSION]: String(next.version),
      ...(next.commitId !== null && { [SHOWN_COMMIT]: next.commitId }),
      // Iceberg's reader of whole columns in Spark refuses texts as DuckDB encodes them before a compaction.
      'read.parquet.vectorization.enabled': 'false',
      'schema.name-mapping.default': JSON.stringify(
        schema?.fields.map(({ id, name }) => ({ 'field-id': id, names: [name] })) ?? [],
      ),
    },
    'current-snapshot-id': newest?.['snapshot-id'] ?? -1,
    refs: newest === undefined ? {} : { main: { 'snapshot-id': newest['snapshot-id'], type: 'branch' } },
    snapshots,
    'snapshot-log': snapshots
      .filter((snapshot) => kept.has(snapshot['snapshot-id']))
      .map((snapshot) => ({ 'timestamp-ms': snapshot['timestamp-ms'], 'snapshot-id': snapshot['snapshot-id'] })),
    'metadata-log': earlier.slice(-METADATA_KEPT),
  })}\n`;
}
