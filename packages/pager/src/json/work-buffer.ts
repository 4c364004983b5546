import { PADDING_BYTES, type ScanState } from './scan-state.ts';

/** Bytes to scan, in one piece, followed by zeros. */
export interface WorkBuffer {
  readonly state: ScanState;
  /** Adds a copy of the piece. */
  append(piece: Buffer): void;
  /** Removes scanned bytes from the beginning. */
  discard(byteCount: number): void;
}

/**
 * An empty buffer. It grows as needed. @param bytes to begin with, more than `PADDING_BYTES`; what they hold is lost
 */
export function workBuffer(bytes: Buffer): WorkBuffer {
  const state: ScanState = {
    bytes,
    words: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    end: 0,
    starved: false,
    escaped: false,
    irregular: false,
    offset: 0,
    recordCount: 0,
    replacedSurrogates: 0,
  };
  return {
    state,
    append(piece) {
      const needed = state.end + piece.length + PADDING_BYTES;
      if (needed > state.bytes.length) {
        const larger = Buffer.allocUnsafe(2 * needed);
        state.bytes.copy(larger, 0, 0, state.end);
        state.bytes = larger;
        state.words = new DataView(larger.buffer, larger.byteOffset, larger.length);
      }
      piece.copy(state.bytes, state.end);
      state.end += piece.length;
      state.bytes.fill(0, state.end, state.end + PADDING_BYTES);
    },
    discard(byteCount) {
      state.bytes.copyWithin(0, byteCount, state.end + PADDING_BYTES);
      state.end -= byteCount;
      state.offset += byteCount;
    },
  };
}
