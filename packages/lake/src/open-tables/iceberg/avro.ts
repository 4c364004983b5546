import { createHash } from 'node:crypto';
import { EdrlakeError } from '@edrlake/core';

/** A type of Avro, as far as Iceberg's manifests need them. A union is `['null', type]`. */
export type AvroType =
  | 'boolean'
  | 'int'
  | 'long'
  | 'string'
  | 'bytes'
  | readonly ['null', AvroType]
  | { readonly type: 'int'; readonly logicalType: string }
  | { readonly type: 'record'; readonly name: string; readonly fields: readonly AvroField[] }
  | { readonly type: 'array'; readonly items: AvroType; readonly logicalType?: string; readonly 'element-id'?: number };

/** A field of a record, with the id that Iceberg gives it. */
export interface AvroField {
  readonly name: string;
  readonly type: AvroType;
  readonly default?: null;
  readonly 'field-id': number;
}

/** Records are objects, arrays are arrays, 64-bit integers are numbers up to 2^53. */
export type AvroValue = boolean | number | string | Uint8Array | null | readonly AvroValue[] | AvroRecord;
/** A record by field name. */
export interface AvroRecord {
  readonly [field: string]: AvroValue;
}

const MAGIC = Buffer.from('Obj\u0001', 'latin1');
const SYNC_BYTES = 16;

/**
 * An Avro file of one block without compression.
 * @param metadata further entries of the header
 */
export function avroFile(
  type: AvroType,
  records: readonly AvroRecord[],
  metadata: Readonly<Record<string, string>>,
): Buffer {
  const entries = Object.entries({ 'avro.schema': JSON.stringify(type), 'avro.codec': 'null', ...metadata });
  const header = Buffer.concat([
    MAGIC,
    longBytes(entries.length),
    ...entries.flatMap(([key, value]) => [lengthFirst(Buffer.from(key)), lengthFirst(Buffer.from(value))]),
    longBytes(0),
  ]);
  const data = Buffer.concat(records.map((record) => encoded(type, record)));
  // The same content gives the same bytes.
  const sync = createHash('md5').update(header).update(data).digest();
  const block = records.length === 0 ? [] : [longBytes(records.length), longBytes(data.length), data, sync];
  return Buffer.concat([header, sync, ...block]);
}

/**
 * The records of a file that `avroFile` wrote with the same type.
 * @throws {EdrlakeError} `PUBLISH_REFUSED` for one that is cut short
 */
export function avroRecords(type: AvroType, bytes: Uint8Array): AvroRecord[] {
  const input = new AvroInput(Buffer.from(bytes));
  input.take(MAGIC.length);
  for (let entries = input.long(); entries !== 0; entries = input.long()) {
    for (let entry = 0; entry < entries; entry += 1) {
      input.bytes();
      input.bytes();
    }
  }
  input.take(SYNC_BYTES);
  const records: AvroRecord[] = [];
  while (!input.isAtEnd()) {
    const count = input.long();
    input.long();
    for (let record = 0; record < count; record += 1) records.push(decoded(type, input) as AvroRecord);
    input.take(SYNC_BYTES);
  }
  return records;
}

function encoded(type: AvroType, value: AvroValue | undefined): Buffer {
  if (isUnion(type)) {
    return value === null || value === undefined
      ? longBytes(0)
      : Buffer.concat([longBytes(1), encoded(type[1], value)]);
  }
  const kind = typeof type === 'string' ? type : type.type;
  if (kind === 'boolean') return Buffer.from([value === true ? 1 : 0]);
  if (kind === 'int' || kind === 'long') return longBytes(Number(value));
  if (kind === 'string') return lengthFirst(Buffer.from(String(value)));
  if (kind === 'bytes') return lengthFirst(Buffer.from(value as Uint8Array));
  if (kind === 'record') {
    const { fields } = type as Extract<AvroType, { type: 'record' }>;
    return Buffer.concat(fields.map((field) => encoded(field.type, (value as AvroRecord)[field.name])));
  }
  const items = value as readonly AvroValue[];
  const { items: itemType } = type as Extract<AvroType, { type: 'array' }>;
  if (items.length === 0) return longBytes(0);
  return Buffer.concat([longBytes(items.length), ...items.map((item) => encoded(itemType, item)), longBytes(0)]);
}

function decoded(type: AvroType, input: AvroInput): AvroValue {
  if (isUnion(type)) return input.long() === 0 ? null : decoded(type[1], input);
  const kind = typeof type === 'string' ? type : type.type;
  if (kind === 'boolean') return input.take(1)[0] === 1;
  if (kind === 'int' || kind === 'long') return input.long();
  if (kind === 'string') return input.bytes().toString('utf8');
  if (kind === 'bytes') return input.bytes();
  if (kind === 'record') {
    const { fields } = type as Extract<AvroType, { type: 'record' }>;
    return Object.fromEntries(fields.map((field) => [field.name, decoded(field.type, input)]));
  }
  const { items } = type as Extract<AvroType, { type: 'array' }>;
  const found: AvroValue[] = [];
  for (let count = input.long(); count !== 0; count = input.long()) {
    for (let item = 0; item < count; item += 1) found.push(decoded(items, input));
  }
  return found;
}

function isUnion(type: AvroType): type is readonly ['null', AvroType] {
  return Array.isArray(type);
}

/** Zigzag, seven bits a byte, the lowest first. */
function longBytes(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

function lengthFirst(bytes: Uint8Array): Buffer {
  return Buffer.concat([longBytes(bytes.length), bytes]);
}

class AvroInput {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  take(length: number): Buffer {
    if (length < 0 || this.#at + length > this.#bytes.length) {
      throw new EdrlakeError('PUBLISH_REFUSED', 'an Avro file of a published table is cut short', {
        hint: 'Remove the folder of the published table, which holds no data of its own, and publish again.',
      });
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  bytes(): Buffer {
    return this.take(this.long());
  }

  long(): number {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.take(1)[0] ?? 0;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) break;
    }
    return Number((value >> 1n) ^ -(value & 1n));
  }
}
