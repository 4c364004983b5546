import {
  DuckDBDateValue,
  type DuckDBDecimalType,
  DuckDBDecimalValue,
  type DuckDBListType,
  DuckDBListValue,
  type DuckDBStructType,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
} from '@duckdb/node-api';
import { MS_PER_DAY } from '@edrlake/core';
import {
  Bool,
  type Data,
  type DataType,
  DateDay,
  Decimal,
  Field,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  List,
  makeBuilder,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimestampMicrosecond,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
} from 'apache-arrow';
import { type QueryOptions, type QueryTarget, startQuery } from './query.ts';
import { plainValue } from './values.ts';

/** The conversion of one DuckDB type to Arrow. */
interface Conversion {
  readonly type: DataType;
  /** The type in which values are collected: of the same layout, with a builder that does not round. */
  readonly storage: DataType;
  readonly convert: (value: DuckDBValue) => unknown;
}

/**
 * The end of an Arrow stream: the continuation mark and a length of 0. Arrow columnar format, "IPC streaming format".
 */
const END_OF_STREAM_BYTES = 8;

/** DuckDB chunks in one record batch: batches of 2,048 rows would be mostly headers. */
const CHUNKS_PER_BATCH = 16;

/**
 * Runs one statement and returns its result as an Arrow IPC stream. Integers, floating point numbers, decimals,
 * booleans, dates, timestamps (microseconds, UTC where they have a zone), lists and structs keep their types; HUGEINT
 * becomes DECIMAL(38, 0), and all other types become text. At most one record batch is held in memory.
 * @throws {EdrlakeError} as `Lake.query`, also while the stream is read.
 */
export async function runArrowQuery(
  target: QueryTarget,
  sql: string,
  options: QueryOptions = {},
): Promise<AsyncIterable<Uint8Array>> {
  const { columns, chunks } = await startQuery(target, sql, options);
  const conversions = columns.map(({ type }) => conversionOf(type));
  const schema = new Schema(columns.map(({ name }, position) => new Field(name, typeAt(conversions, position), true)));
  async function* stream(): AsyncGenerator<Uint8Array> {
    const header = serialize(schema, []);
    const headerBytes = header.byteLength - END_OF_STREAM_BYTES;
    yield header.subarray(0, headerBytes);
    // Each batch is serialized as a separate stream, of which only the middle is used.
    const toBytes = (values: readonly (readonly DuckDBValue[])[]) => {
      const whole = serialize(schema, [batchOf(schema, conversions, values)]);
      return whole.subarray(headerBytes, whole.byteLength - END_OF_STREAM_BYTES);
    };
    let pending: DuckDBValue[][] = [];
    let chunkCount = 0;
    for await (const chunk of chunks) {
      pending = pending.concat(chunk.getRows());
      chunkCount += 1;
      if (chunkCount < CHUNKS_PER_BATCH) continue;
      yield toBytes(pending);
      pending = [];
      chunkCount = 0;
    }
    if (pending.length > 0) yield toBytes(pending);
    yield header.subarray(headerBytes);
  }
  return stream();
}

function typeAt(conversions: readonly Conversion[], position: number): DataType {
  return conversions[position]?.type ?? new Utf8();
}

function serialize(schema: Schema, batches: readonly RecordBatch[]): Uint8Array {
  const writer = new RecordBatchStreamWriter();
  writer.reset(undefined, schema);
  for (const batch of batches) writer.write(batch);
  writer.finish();
  return writer.toUint8Array(true);
}

function batchOf(
  schema: Schema,
  conversions: readonly Conversion[],
  rows: readonly (readonly DuckDBValue[])[],
): RecordBatch {
  const children = conversions.map(({ type, storage, convert }, position) => {
    const builder = makeBuilder({ type: storage, nullValues: [null] });
    for (const row of rows) {
      const value = row[position] ?? null;
      builder.append(value === null ? null : convert(value));
    }
    return retyped(builder.finish().flush(), type);
  });
  const data = makeData({ type: new Struct(schema.fields), length: rows.length, nullCount: 0, children });
  return new RecordBatch(schema, data);
}

const as = (value: DuckDBValue): unknown => value;
const asText = (value: DuckDBValue): string => {
  const plain = plainValue(value);
  return typeof plain === 'string' ? plain : typeof plain === 'object' ? JSON.stringify(plain) : String(plain);
};

const SIMPLE: Readonly<Partial<Record<DuckDBTypeId, () => DataType>>> = {
  [DuckDBTypeId.BOOLEAN]: () => new Bool(),
  [DuckDBTypeId.TINYINT]: () => new Int8(),
  [DuckDBTypeId.SMALLINT]: () => new Int16(),
  [DuckDBTypeId.INTEGER]: () => new Int32(),
  [DuckDBTypeId.BIGINT]: () => new Int64(),
  [DuckDBTypeId.UTINYINT]: () => new Uint8(),
  [DuckDBTypeId.USMALLINT]: () => new Uint16(),
  [DuckDBTypeId.UINTEGER]: () => new Uint32(),
  [DuckDBTypeId.UBIGINT]: () => new Uint64(),
  [DuckDBTypeId.FLOAT]: () => new Float32(),
  [DuckDBTypeId.DOUBLE]: () => new Float64(),
};

function conversionOf(type: DuckDBType): Conversion {
  const simple = SIMPLE[type.typeId];
  if (simple !== undefined) return conversion(simple(), as);
  switch (type.typeId) {
    case DuckDBTypeId.DATE:
      return conversion(new DateDay(), (value) => (value instanceof DuckDBDateValue ? value.days * MS_PER_DAY : null));
    case DuckDBTypeId.TIMESTAMP:
      return conversion(new TimestampMicrosecond(), microsOf, new Int64());
    case DuckDBTypeId.TIMESTAMP_TZ:
      return conversion(new TimestampMicrosecond('UTC'), microsOf, new Int64());
    case DuckDBTypeId.DECIMAL: {
      const { scale, width } = type as DuckDBDecimalType;
      const convert = (value: DuckDBValue) => (value instanceof DuckDBDecimalValue ? decimalWords(value.value) : null);
      return conversion(new Decimal(scale, width, 128), convert);
    }
    case DuckDBTypeId.HUGEINT:
      return conversion(new Decimal(0, 38, 128), (value) => decimalWords(value as bigint));
    case DuckDBTypeId.LIST:
      return listConversion(type as DuckDBListType);
    case DuckDBTypeId.STRUCT:
      return structConversion(type as DuckDBStructType);
    default:
      return conversion(new Utf8(), asText);
  }
}

function conversion(type: DataType, convert: Conversion['convert'], storage: DataType = type): Conversion {
  return { type, storage, convert };
}

function microsOf(value: DuckDBValue): bigint | null {
  return value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue ? value.micros : null;
}

function listConversion({ valueType }: DuckDBListType): Conversion {
  const item = conversionOf(valueType);
  const listOf = (type: DataType) => new List(new Field('item', type, true));
  const convert = (value: DuckDBValue) =>
    value instanceof DuckDBListValue ? value.items.map((each) => nullOr(item, each)) : null;
  return conversion(listOf(item.type), convert, listOf(item.storage));
}

function structConversion({ entryNames, entryTypes }: DuckDBStructType): Conversion {
  const members = entryTypes.map(conversionOf);
  const structOf = (part: 'type' | 'storage') =>
    new Struct(entryNames.map((name, position) => new Field(name, members[position]?.[part] ?? new Utf8(), true)));
  const convert = (value: DuckDBValue) => {
    if (!(value instanceof DuckDBStructValue)) return null;
    const { entries } = value;
    return Object.fromEntries(
      entryNames.map((name, position) => [name, nullOr(members[position], entries[name] ?? null)]),
    );
  };
  return conversion(structOf('type'), convert, structOf('storage'));
}

/** The same buffers under another type of the same layout. */
function retyped(data: Data, type: DataType): Data {
  const children = data.children.map((child, position) =>
    retyped(child, type.children?.[position]?.type ?? child.type),
  );
  return data.clone(type, data.offset, data.length, data.nullCount, data.buffers, children);
}

function nullOr(conversion: Conversion | undefined, value: DuckDBValue): unknown {
  return value === null || conversion === undefined ? null : conversion.convert(value);
}

/** The 128-bit two's complement of a number as four 32-bit words, lowest first. */
function decimalWords(value: bigint): Uint32Array {
  const bits = BigInt.asUintN(128, value);
  return Uint32Array.from([0n, 32n, 64n, 96n], (shift) => Number((bits >> shift) & 0xffff_ffffn));
}
