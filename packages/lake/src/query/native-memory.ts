import duckdb from '@duckdb/node-bindings';

/** A copy of some bytes of DuckDB's memory, with their addresses. */
export interface Window {
  readonly start: number;
  /** Not included. */
  readonly end: number;
  readonly bytes: DataView;
}

/** No system maps less at once: where one byte of a page can be read, all can. */
const PAGE_BYTES = 4_096;

/**
 * Reads the values that a vector points to. DuckDB's client copies memory, and a call takes two microseconds, which is
 * too long for each value. So whole pages are copied, as many at once as are side by side, which values of a column
 * usually are. Only pages that have a byte of a value are read.
 */
export class PointedValues {
  readonly #pointer = new BigUint64Array(1);
  #pages = new Float64Array(1_024);
  #count = 0;
  /** Of runs of pages that are side by side, in order of their addresses. */
  #starts: number[] = [];
  #ends: number[] = [];
  #copied: (Window | undefined)[] = [];

  /** Forgets the values and copies of a vector. */
  clear(): void {
    this.#count = 0;
    this.#starts = [];
    this.#ends = [];
    this.#copied = [];
  }

  /** Announces a value; all of a vector come before the first is asked for. */
  announce(address: number, length: number): void {
    if (length > PAGE_BYTES) return;
    const first = Math.floor(address / PAGE_BYTES);
    this.#addPage(first);
    // A value of at most a page ends on the next one at the latest.
    if (address + length > (first + 1) * PAGE_BYTES) this.#addPage(first + 1);
  }

  /** A window that has all bytes of an announced value. */
  windowOf(address: number, length: number): Window {
    if (length > PAGE_BYTES) return this.#copy(address, address + length);
    if (this.#count > 0) this.#findRuns();
    let [low, high] = [0, this.#starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] as number) <= address) low = middle;
      else high = middle - 1;
    }
    const window = this.#copied[low] ?? this.#copy(this.#starts[low] as number, this.#ends[low] as number);
    this.#copied[low] = window;
    return window;
  }

  #addPage(page: number): void {
    if (this.#count > 0 && this.#pages[this.#count - 1] === page) return;
    if (this.#count === this.#pages.length) {
      const grown = new Float64Array(this.#count * 2);
      grown.set(this.#pages);
      this.#pages = grown;
    }
    this.#pages[this.#count] = page;
    this.#count += 1;
  }

  #findRuns(): void {
    let last = -1;
    for (const page of this.#pages.subarray(0, this.#count).sort()) {
      if (page > last + 1 || last < 0) {
        this.#starts.push(page * PAGE_BYTES);
        this.#ends.push(0);
      }
      this.#ends[this.#ends.length - 1] = (page + 1) * PAGE_BYTES;
      last = page;
    }
    this.#count = 0;
  }

  #copy(start: number, end: number): Window {
    this.#pointer[0] = BigInt(start);
    const { buffer, byteOffset, byteLength } = duckdb.get_data_from_pointer(this.#pointer.buffer, 0, end - start);
    return { start, end, bytes: new DataView(buffer, byteOffset, byteLength) };
  }
}
