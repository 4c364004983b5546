import { EdrlakeError } from '@edrlake/core';

/**
 * The bytes being scanned, and the state of the scan. All scanning functions take the position of a token's first byte
 * and return the position after its last one. Where the bytes end too early they set `starved` and return `end`, where
 * zeros follow that no function accepts. So all functions up to the caller of the record return, and the record is
 * scanned again when there are more bytes.
 */
export interface ScanState {
  /**
   * Owned by the scan: line breaks and unpaired surrogates are replaced in place. At least `PADDING_BYTES` zeros follow
   * `end`.
   */
  bytes: Buffer;
  words: DataView;
  end: number;
  starved: boolean;
  /** A string with an escape was scanned. The reader of this field resets it. */
  escaped: boolean;
  /** The current record does not fit the shape. */
  irregular: boolean;
  /** The offset of `bytes[0]` in the body, for messages. */
  offset: number;
  /** Records before the current one, for messages. */
  recordCount: number;
  /** Unpaired surrogates replaced in the records before and in the current one. */
  replacedSurrogates: number;
}

/** Zeros after the bytes: as many as looking ahead may need. */
export const PADDING_BYTES = 16;

/** Deeper than any event; keeps recursion bounded. */
export const MAX_DEPTH = 1_000;

/**
 * The byte at `at` is not the wanted one: an error, unless it has not come yet. @throws {EdrlakeError} `BODY_BROKEN`
 */
export function stop(state: ScanState, at: number, wanted: string): number {
  if (at < state.end) throw broken(state, at, wanted);
  state.starved = true;
  return state.end;
}

/** Names one byte and its position, never more of the body, which may contain data that must not be in a log. */
export function broken(state: ScanState, at: number, wanted: string): EdrlakeError {
  const offsetBytes = state.offset + at;
  const byte = state.bytes[at] as number;
  const found =
    byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16).padStart(2, '0')}`;
  return new EdrlakeError('BODY_BROKEN', `expected ${wanted} at byte ${offsetBytes} of the body, found ${found}`, {
    disposition: 'retry',
    context: { offsetBytes, records: state.recordCount },
  });
}
