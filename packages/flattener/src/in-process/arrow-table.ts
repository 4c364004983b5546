import { type ColumnType, MS_PER_DAY, type Row, type TableSpec } from '@edrlake/core';
import {
  Bool,
  type Builder,
  type Data,
  type DataType,
  DateDay,
  Field,
  Int32,
  Int64,
  makeBuilder,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  TimestampMicrosecond,
  Utf8,
} from 'apache-arrow';
import type { Value } from './values.ts';

/** Collects the rows of one table of a dataset. */
export interface ArrowRows {
  append(row: Row): void;
  /** Rows since the last batch was taken. */
  rowCount(): number;
  /** About how many bytes their values take. */
  byteCount(): number;
  /** All rows since the last batch was taken, as one batch; it may be empty. */
  takeBatch(): RecordBatch;
}

/**
 * Begins to collect rows. Columns have the Arrow types that a query of the lake gives them, and may all be null.
 */
export function collectRows(table: TableSpec): ArrowRows {
  const schema = arrowSchemaOf(table);
  const struct = new Struct(schema.fields);
  const types = table.columns.map(({ type }) => type);
  let builders: Builder[] = [];
  let [rows, bytes] = [0, 0];
  const begin = () => {
    builders = types.map((type) => makeBuilder({ type: storageType(type), nullValues: [null] }));
    rows = 0;
    bytes = 0;
  };
  begin();
  return {
    append: (row) => {
      for (const [index, type] of types.entries()) {
        const value = row[index] ?? null;
        builders[index]?.append(stored(type, value));
        bytes += typeof value === 'string' ? value.length + BYTES_BESIDE_TEXT : FIXED_BYTES;
      }
      rows += 1;
    },
    rowCount: () => rows,
    byteCount: () => bytes,
    takeBatch: () => {
      const children = builders.map((builder, index) => retyped(builder.finish().flush(), schema.fields[index]?.type));
      const data = makeData({ type: struct, length: rows, nullCount: 0, children });
      begin();
      return new RecordBatch(schema, data);
    },
  };
}

/** A table of one batch. */
export function tableOf(batch: RecordBatch): Table {
  return new Table(batch.schema, batch);
}

const BYTES_BESIDE_TEXT = 4;
const FIXED_BYTES = 8;

function arrowSchemaOf(table: TableSpec): Schema {
  return new Schema(table.columns.map(({ name, type }) => new Field(name, arrowType(type), true)));
}

/** The Arrow type of a column, as a query of the lake gives it. JSON is text. */
function arrowType(type: ColumnType): DataType {
  switch (type) {
    case 'integer':
      return new Int32();
    case 'bigint':
      return new Int64();
    case 'boolean':
      return new Bool();
    case 'timestamp':
      return new TimestampMicrosecond('UTC');
    case 'date':
      return new DateDay();
    default:
      return new Utf8();
  }
}

/** Builders of timestamps multiply in doubles, which rounds from the year 2255 on: they are built as integers. */
function storageType(type: ColumnType): DataType {
  return type === 'timestamp' ? new Int64() : arrowType(type);
}

/** Times are milliseconds until here; the builder of dates takes milliseconds, too. */
function stored(type: ColumnType, value: Value): Value {
  if (typeof value !== 'number') return value;
  if (type === 'timestamp') return BigInt(value) * 1_000n;
  return type === 'date' ? value * MS_PER_DAY : value;
}

/** The same buffers under another type of the same layout. */
function retyped(data: Data, type: DataType = data.type): Data {
  return data.clone(type, data.offset, data.length, data.nullCount, data.buffers, data.children);
}
