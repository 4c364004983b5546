import {
  type DuckDBDecimalType,
  type DuckDBListType,
  type DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId,
  DuckDBVector,
} from '@duckdb/node-api';
import duckdb, { type Vector } from '@duckdb/node-bindings';
import { EdrlakeError, sum } from '@edrlake/core';
import {
  Binary,
  Bool,
  BufferType,
  Data,
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
  Struct,
  TimeMicrosecond,
  TimestampMicrosecond,
  TimestampMillisecond,
  TimestampNanosecond,
  TimestampSecond,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
} from 'apache-arrow';
import { BitBuffer, ByteBuffer, isSet, OffsetBuffer, validityOf } from './arrow-buffers.ts';
import { TextBuffer } from './arrow-text.ts';
import { plainValue } from './values.ts';

/**
 * Collects the values of one column in the layout of Arrow, from the vectors of DuckDB's chunks: bytes are copied, and
 * no value becomes an object.
 */
export interface ArrowColumn {
  readonly type: DataType;
  /**
   * Takes some values of a vector, which is valid only while its chunk is.
   * @throws {EdrlakeError} `QUERY_FAILED` for a value that the type cannot hold
   */
  append(vector: Vector, from: number, count: number): void;
  /** About how many bytes it holds. */
  byteCount(): number;
  /** What was appended since the last call. */
  take(): Data;
}

/**
 * The column for a DuckDB type. Integers, floating point numbers, decimals, booleans, dates, times, timestamps, text,
 * blobs, lists and structs keep their types. HUGEINT becomes a decimal of 38 digits; all other types become text.
 * @param name for errors
 */
export function arrowColumn(type: DuckDBType, name: string): ArrowColumn {
  const [same, width = 0] = SAME_BYTES[type.typeId] ?? [];
  if (same !== undefined) return fixedColumn(same, width, (to, bytes) => to.set(bytes), width);
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return booleanColumn();
    case DuckDBTypeId.VARCHAR:
      return textColumn(new Utf8(), new TextBuffer(name));
    case DuckDBTypeId.BLOB:
      return textColumn(new Binary(), new TextBuffer(name));
    case DuckDBTypeId.DECIMAL:
      return decimalColumn(type as DuckDBDecimalType);
    case DuckDBTypeId.HUGEINT:
      return fixedColumn(new Decimal(0, MAX_DIGITS, 128), 16, (to, bytes, isValid) => {
        refuseLongIntegers(bytes, isValid, name);
        to.set(bytes);
      });
    case DuckDBTypeId.LIST:
      return listColumn(arrowColumn((type as DuckDBListType).valueType, name));
    case DuckDBTypeId.STRUCT:
      return structColumn(type as DuckDBStructType, name);
    default:
      return convertedColumn(type, new TextBuffer(name));
  }
}

/** DuckDB types that Arrow has with the same bytes, and how many there are in one value. */
const SAME_BYTES: Readonly<Partial<Record<DuckDBTypeId, readonly [DataType, number]>>> = {
  [DuckDBTypeId.TINYINT]: [new Int8(), 1],
  [DuckDBTypeId.SMALLINT]: [new Int16(), 2],
  [DuckDBTypeId.INTEGER]: [new Int32(), 4],
  [DuckDBTypeId.BIGINT]: [new Int64(), 8],
  [DuckDBTypeId.UTINYINT]: [new Uint8(), 1],
  [DuckDBTypeId.USMALLINT]: [new Uint16(), 2],
  [DuckDBTypeId.UINTEGER]: [new Uint32(), 4],
  [DuckDBTypeId.UBIGINT]: [new Uint64(), 8],
  [DuckDBTypeId.FLOAT]: [new Float32(), 4],
  [DuckDBTypeId.DOUBLE]: [new Float64(), 8],
  [DuckDBTypeId.DATE]: [new DateDay(), 4],
  [DuckDBTypeId.TIME]: [new TimeMicrosecond(), 8],
  [DuckDBTypeId.TIMESTAMP]: [new TimestampMicrosecond(), 8],
  [DuckDBTypeId.TIMESTAMP_TZ]: [new TimestampMicrosecond('UTC'), 8],
  [DuckDBTypeId.TIMESTAMP_S]: [new TimestampSecond(), 8],
  [DuckDBTypeId.TIMESTAMP_MS]: [new TimestampMillisecond(), 8],
  [DuckDBTypeId.TIMESTAMP_NS]: [new TimestampNanosecond(), 8],
};

/** Puts values of one width into place. What is behind a null is any bytes that memory held. */
type CopyValues = (to: Uint8Array, bytes: Uint8Array, isValid: (index: number) => boolean) => void;

/**
 * @param width bytes of a value in Arrow
 * @param stored bytes of a value in DuckDB
 */
function fixedColumn(type: DataType, width: number, copy: CopyValues, stored = width): ArrowColumn {
  let [values, valid] = [new ByteBuffer(), new BitBuffer()];
  return {
    type,
    append: (vector, from, count) => {
      const bits = validityOf(vector, from + count);
      const bytes = duckdb.vector_get_data(vector, (from + count) * stored).subarray(from * stored);
      const room = values.extend(count * width);
      copy(room, bytes, (index) => bits === null || isSet(bits, from + index));
      for (let index = 0; bits !== null && index < count; index += 1) {
        if (!isSet(bits, from + index)) room.fill(0, index * width, (index + 1) * width);
      }
      valid.append(bits, from, count);
    },
    byteCount: () => values.length,
    take: () => {
      const data = dataOf(type, valid, { values: values.bytes() });
      [values, valid] = [new ByteBuffer(), new BitBuffer()];
      return data;
    },
  };
}

/** Arrow has 128 bits for each decimal, DuckDB as few as its digits need. */
function decimalColumn({ scale, width: digits }: DuckDBDecimalType): ArrowColumn {
  const type = new Decimal(scale, digits, 128);
  if (digits > 18) return fixedColumn(type, 16, (to, bytes) => to.set(bytes));
  const stored = digits <= 4 ? 2 : digits <= 9 ? 4 : 8;
  const widen: CopyValues = (to, bytes) => {
    for (let index = 0; index * stored < bytes.length; index += 1) {
      const isNegative = (bytes[(index + 1) * stored - 1] ?? 0) > 127;
      to.fill(isNegative ? 0xff : 0, index * 16, (index + 1) * 16);
      to.set(bytes.subarray(index * stored, (index + 1) * stored), index * 16);
    }
  };
  return fixedColumn(type, 16, widen, stored);
}

/** Digits of the largest decimal that Arrow has in 128 bits. */
const MAX_DIGITS = 38;
const MAX_HUGEINT = 10n ** BigInt(MAX_DIGITS) - 1n;

function refuseLongIntegers(bytes: Uint8Array, isValid: (index: number) => boolean, name: string): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let index = 0; index * 16 < bytes.length; index += 1) {
    if (!isValid(index)) continue;
    const value = (view.getBigInt64(index * 16 + 8, true) << 64n) + view.getBigUint64(index * 16, true);
    if (value > MAX_HUGEINT || value < -MAX_HUGEINT) {
      throw new EdrlakeError('QUERY_FAILED', `${name}: Arrow's integers have ${MAX_DIGITS} digits, found ${value}`, {
        hint: `Cast it to text: ${name}::VARCHAR.`,
      });
    }
  }
}

function booleanColumn(): ArrowColumn {
  let [values, valid] = [new BitBuffer(), new BitBuffer()];
  const type = new Bool();
  return {
    type,
    append: (vector, from, count) => {
      const bits = validityOf(vector, from + count);
      const bytes = duckdb.vector_get_data(vector, from + count);
      const packed = new Uint8Array((count + 7) >> 3);
      for (let index = 0; index < count; index += 1) {
        const isTrue = bytes[from + index] === 1 && (bits === null || isSet(bits, from + index));
        if (isTrue) packed[index >> 3] = (packed[index >> 3] ?? 0) | (1 << (index & 7));
      }
      values.append(packed, 0, count);
      valid.append(bits, from, count);
    },
    byteCount: () => values.length / 8,
    take: () => {
      const data = dataOf(type, valid, { values: values.bytes() });
      [values, valid] = [new BitBuffer(), new BitBuffer()];
      return data;
    },
  };
}

function textColumn(type: DataType, texts: TextBuffer): ArrowColumn {
  return {
    type,
    append: (vector, from, count) => texts.append(vector, from, count),
    byteCount: () => texts.byteCount,
    take: () => {
      const { valid, ...parts } = texts.take();
      return dataOf(type, valid, parts);
    },
  };
}

/** Types that Arrow lacks, or that few readers know: as the text that a query prints. */
function convertedColumn(stored: DuckDBType, texts: TextBuffer): ArrowColumn {
  return {
    ...textColumn(new Utf8(), texts),
    append: (vector, from, count) => {
      const values = DuckDBVector.create(vector, from + count, stored);
      for (let index = from; index < from + count; index += 1) {
        const plain = plainValue(values.getItem(index));
        const isNested = typeof plain === 'object';
        texts.add(plain === null ? null : Buffer.from(isNested ? JSON.stringify(plain, exactly) : String(plain)));
      }
    },
  };
}

function exactly(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

/** Of an entry: where its items begin in the vector of all items, and how many there are. */
const ENTRY_BYTES = 16;

function listColumn(items: ArrowColumn): ArrowColumn {
  const type = new List(new Field('item', items.type, true));
  let valid = new BitBuffer();
  const offsets = new OffsetBuffer();
  return {
    type,
    append: (vector, from, count) => {
      const bits = validityOf(vector, from + count);
      const entries = duckdb.vector_get_data(vector, (from + count) * ENTRY_BYTES);
      const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
      const child = duckdb.list_vector_get_child(vector);
      let [begin, end, last] = [0, 0, offsets.last];
      const ends = offsets.extend(count);
      const takeItems = () => {
        if (end > begin) items.append(child, begin, end - begin);
      };
      for (let index = from; index < from + count; index += 1) {
        if (bits === null || isSet(bits, index)) {
          const start = Number(view.getBigUint64(index * ENTRY_BYTES, true));
          const length = Number(view.getBigUint64(index * ENTRY_BYTES + 8, true));
          // Items of one list are usually behind those of the one before.
          if (length > 0 && start !== end) {
            takeItems();
            begin = start;
            end = start;
          }
          end += length;
          last += length;
        }
        ends[index - from] = last;
      }
      takeItems();
      valid.append(bits, from, count);
    },
    byteCount: () => offsets.byteCount + items.byteCount(),
    take: () => {
      const data = dataOf(type, valid, { offsets: offsets.take(), children: [items.take()] });
      valid = new BitBuffer();
      return data;
    },
  };
}

function structColumn({ entryNames, entryTypes }: DuckDBStructType, name: string): ArrowColumn {
  const members = entryTypes.map((type, index) => arrowColumn(type, `${name}.${entryNames[index]}`));
  const fields = members.map((member, index) => new Field(entryNames[index] ?? '', member.type, true));
  const type = new Struct(fields);
  let valid = new BitBuffer();
  return {
    type,
    append: (vector, from, count) => {
      for (const [index, member] of members.entries()) {
        member.append(duckdb.struct_vector_get_child(vector, index), from, count);
      }
      valid.append(validityOf(vector, from + count), from, count);
    },
    byteCount: () => sum(members, (member) => member.byteCount()),
    take: () => {
      const data = dataOf(type, valid, { children: members.map((member) => member.take()) });
      valid = new BitBuffer();
      return data;
    },
  };
}

interface Parts {
  readonly values?: Uint8Array;
  readonly offsets?: Int32Array;
  readonly children?: readonly Data[];
}

function dataOf(type: DataType, valid: BitBuffer, { values, offsets, children = [] }: Parts): Data {
  const { ArrayType } = type;
  const typed = values && new ArrayType(values.buffer, 0, values.byteLength / ArrayType.BYTES_PER_ELEMENT);
  const buffers = {
    ...(offsets && { [BufferType.OFFSET]: offsets }),
    ...(typed && { [BufferType.DATA]: typed }),
    ...(valid.zeros > 0 && { [BufferType.VALIDITY]: valid.bytes() }),
  };
  return new Data(type, 0, valid.length, valid.zeros, buffers, [...children]);
}
