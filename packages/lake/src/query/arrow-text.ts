import duckdb, { type Vector } from '@duckdb/node-bindings';
import { EdrlakeError } from '@edrlake/core';
import { BitBuffer, isSet, OffsetBuffer, validityOf } from './arrow-buffers.ts';
import { PointedValues, type Window } from './native-memory.ts';

/** Of `duckdb_string_t`: the length, then either the text itself, or its beginning and a pointer to the whole. */
const STRING_BYTES = 16;
const STRING_WORDS = 4;
const INLINE_BYTES = 12;

/** Offsets of Arrow have 31 bits. */
const MAX_TEXT_BYTES = 2 ** 31 - 1;
const NONE = new Uint8Array(1);
const NOWHERE: Window = { start: 0, end: 0, bytes: new DataView(new ArrayBuffer(0)) };

/** The texts or blobs of one column: their bytes, one after the other, and where each ends. */
export class TextBuffer {
  readonly #name: string;
  readonly #pointed = new PointedValues();
  #bytes = new Uint8Array(1_024);
  #view = new DataView(this.#bytes.buffer);
  #offsets = new OffsetBuffer();
  #valid = new BitBuffer();

  /** @param name for errors */
  constructor(name: string) {
    this.#name = name;
  }

  get byteCount(): number {
    return this.#offsets.last + this.#offsets.byteCount;
  }

  /** @throws {EdrlakeError} `QUERY_FAILED` for more than 2 GiB */
  add(value: Uint8Array | null): void {
    const end = this.#offsets.last;
    if (value === null) this.#valid.append(NONE, 0, 1);
    else {
      this.#reserve(value.length);
      this.#bytes.set(value, end);
      this.#valid.append(null, 0, 1);
    }
    this.#offsets.push(end + (value?.length ?? 0));
  }

  /**
   * Takes some values of a vector, which is valid only while its chunk is.
   * @throws {EdrlakeError} `QUERY_FAILED` for more than 2 GiB
   */
  append(vector: Vector, from: number, count: number): void {
    const bits = validityOf(vector, from + count);
    const strings = duckdb.vector_get_data(vector, (from + count) * STRING_BYTES);
    const words = new Uint32Array(strings.buffer, strings.byteOffset, strings.byteLength >> 2);
    this.#valid.append(bits, from, count);
    this.#reserve(this.#announce(words, bits, from, count));
    let [end, window] = [this.#offsets.last, NOWHERE];
    const [view, ends] = [this.#view, this.#offsets.extend(count)];
    for (let row = 0; row < count; row += 1) {
      const index = from + row;
      if (bits === null || isSet(bits, index)) {
        const at = index * STRING_WORDS;
        const length = words[at] as number;
        if (length <= INLINE_BYTES) {
          // All twelve bytes: the next value is written over those that are too many.
          view.setUint32(end, words[at + 1] as number, true);
          view.setUint32(end + 4, words[at + 2] as number, true);
          view.setUint32(end + 8, words[at + 3] as number, true);
        } else {
          const address = addressAt(words, at);
          if (address < window.start || address + length > window.end) {
            window = this.#pointed.windowOf(address, length);
          }
          copyBytes(window.bytes, address - window.start, view, end, length);
        }
        end += length;
      }
      ends[row] = end;
    }
    this.#pointed.clear();
  }

  /** What was added since the last call. */
  take(): { readonly values: Uint8Array; readonly offsets: Int32Array; readonly valid: BitBuffer } {
    const taken = {
      values: this.#bytes.subarray(0, this.#offsets.last),
      offsets: this.#offsets.take(),
      valid: this.#valid,
    };
    this.#valid = new BitBuffer();
    // The next batch is about as large.
    this.#allot(taken.values.length + INLINE_BYTES);
    return taken;
  }

  /** Prepares reading values; returns how many bytes they have. */
  #announce(words: Uint32Array, bits: Uint8Array | null, from: number, count: number): number {
    const pointed = this.#pointed;
    let sum = 0;
    for (let index = from; index < from + count; index += 1) {
      if (bits !== null && !isSet(bits, index)) continue;
      const at = index * STRING_WORDS;
      const length = words[at] as number;
      if (length > INLINE_BYTES) pointed.announce(addressAt(words, at), length);
      sum += length;
    }
    return sum;
  }

  /** Room for more bytes, and for what is written beyond them. */
  #reserve(more: number): void {
    const used = this.#offsets.last;
    const needed = used + more + INLINE_BYTES;
    if (needed <= this.#bytes.length) return;
    if (used + more > MAX_TEXT_BYTES) {
      throw new EdrlakeError('QUERY_FAILED', `${this.#name}: 2,048 rows of it are larger than 2 GiB`, {
        hint: 'Select less of it, for example its first characters.',
      });
    }
    const before = this.#bytes.subarray(0, used);
    this.#allot(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.set(before);
  }

  #allot(byteCount: number): void {
    this.#bytes = new Uint8Array(byteCount);
    this.#view = new DataView(this.#bytes.buffer);
  }
}

function addressAt(words: Uint32Array, at: number): number {
  return (words[at + 3] as number) * 2 ** 32 + (words[at + 2] as number);
}

/** Above it, the function of the platform is faster than a loop, although it needs an object for its source. */
const LOOP_BYTES = 256;

/** Copies more than four bytes. */
function copyBytes(from: DataView, at: number, to: DataView, end: number, length: number): void {
  if (length > LOOP_BYTES) {
    new Uint8Array(to.buffer, end, length).set(new Uint8Array(from.buffer, from.byteOffset + at, length));
    return;
  }
  const last = length - 4;
  for (let index = 0; index < last; index += 4) to.setUint32(end + index, from.getUint32(at + index, true), true);
  to.setUint32(end + last, from.getUint32(at + last, true), true);
}
