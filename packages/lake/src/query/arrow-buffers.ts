import duckdb, { type Vector } from '@duckdb/node-bindings';

/** Bytes that grow at their end. */
export class ByteBuffer {
  #bytes = new Uint8Array(1_024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Room for more bytes at the end, all 0: valid until the next call. */
  extend(count: number): Uint8Array {
    const end = this.#length + count;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    const room = this.#bytes.subarray(this.#length, end);
    this.#length = end;
    return room;
  }

  /** What it holds, from the beginning of its memory. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** Bits that grow at their end, the lowest of each byte first: how both DuckDB and Arrow say what is not null. */
export class BitBuffer {
  readonly #bytes = new ByteBuffer();
  #length = 0;
  #zeros = 0;

  get length(): number {
    return this.#length;
  }

  /** How many of its bits are 0. */
  get zeros(): number {
    return this.#zeros;
  }

  /** @param source bits; null: all of them are 1 */
  append(source: Uint8Array | null, from: number, count: number): void {
    const start = this.#length;
    this.#length = start + count;
    this.#bytes.extend(((this.#length + 7) >> 3) - this.#bytes.length);
    const target = this.#bytes.bytes();
    // Whole bytes where both sides begin with one.
    const isWhole = (start & 7) === 0 && (from & 7) === 0;
    const whole = isWhole ? count >> 3 : 0;
    for (let index = 0; index < whole; index += 1) {
      const byte = source === null ? 0xff : (source[(from >> 3) + index] ?? 0);
      target[(start >> 3) + index] = byte;
      if (byte !== 0xff) this.#zeros += 8 - onesIn(byte);
    }
    for (let index = whole << 3; index < count; index += 1) {
      const at = start + index;
      if (source === null || isSet(source, from + index)) target[at >> 3] = (target[at >> 3] ?? 0) | (1 << (at & 7));
      else this.#zeros += 1;
    }
  }

  bytes(): Uint8Array {
    return this.#bytes.bytes();
  }
}

function onesIn(byte: number): number {
  let ones = 0;
  for (let rest = byte; rest > 0; rest &= rest - 1) ones += 1;
  return ones;
}

/** Whether a bit is 1. */
export function isSet(bits: Uint8Array, index: number): boolean {
  return (((bits[index >> 3] ?? 0) >> (index & 7)) & 1) === 1;
}

/** Bits of what is not null; null: everything. */
export function validityOf(vector: Vector, count: number): Uint8Array | null {
  const words = Math.ceil(count / 64);
  return (duckdb.vector_get_validity(vector, words * 8) as Uint8Array | null) ?? null;
}

/** Where each value of a column ends, after a 0: what Arrow calls offsets. */
export class OffsetBuffer {
  #ends = new Int32Array(1_024);
  #length = 1;

  /** The end of the last value. */
  get last(): number {
    return this.#ends[this.#length - 1] ?? 0;
  }

  get byteCount(): number {
    return this.#length * 4;
  }

  push(end: number): void {
    this.extend(1)[0] = end;
  }

  /** Room for the ends of more values, valid until the next call. */
  extend(count: number): Int32Array {
    const from = this.#length;
    this.#length = from + count;
    if (this.#length > this.#ends.length) {
      const grown = new Int32Array(Math.max(this.#length, this.#ends.length * 2));
      grown.set(this.#ends.subarray(0, from));
      this.#ends = grown;
    }
    return this.#ends.subarray(from, this.#length);
  }

  /** What was added since the last call. */
  take(): Int32Array {
    const taken = this.#ends.subarray(0, this.#length);
    this.#ends = new Int32Array(taken.length);
    this.#length = 1;
    return taken;
  }
}
