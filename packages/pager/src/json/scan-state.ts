import { EdrlakeError } from '@edrlake/core';

/**
 * The bytes being scanned and how it goes. All scanning functions take the place of a token's first byte and return the place
 * after its last one. Where the bytes end too early they set `starved` and return `end`, where zeros follow that nothing
 * accepts: so everything up to the caller of the record comes back by itself, and the record is scanned again when there are more bytes.
 */
export interface ScanState {
  /** Owned by the scan: line breaks and half surrogates are replaced in place. At least `PADDING_BYTES` zeros follow `end`. */
  bytes: Buffer;
  words: DataView;
  end: number;
  starved: boolean;
  /** A string with an escape went by. Reset by who wants to know. */
  escaped: boolean;
  /** The current record does not fit the shape. */
  odd: boolean;
  /** Where `bytes[0]` stands in the body, for messages. */
  offset: number;
  /** Records before the current one, for messages. */
  recordCount: number;
  /** Halves of surrogate pairs replaced in the records before and in the current one. */
  replacedSurrogates: number;
}

/** Zeros behind the bytes: as many as a look ahead may need. */
export const PADDING_BYTES = 16;

/** Deeper than any event; keeps recursion bounded. */
export const MAX_DEPTH = 1_000;

/** What stands at `at` is not what was wanted: an error, unless it only has not come yet. @throws {EdrlakeError} `BODY_BROKEN` */
export function stop(state: ScanState, at: number, wanted: string): number {
  if (at < state.end) throw broken(state, at, wanted);
  state.starved = true;
  return state.end;
}

/** Names one byte and its place, never more of the body: it may hold what no log should. */
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
