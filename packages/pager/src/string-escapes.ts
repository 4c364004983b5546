import { BACKSLASH, HEX_DIGIT, LETTER_U, SIMPLE_ESCAPE } from './json-bytes.ts';

const REPLACEMENT = Buffer.from('\\ufffd');

/** Escape bytes that are held back until it is clear whether they may be written as they are. */
export interface HeldEscape {
  /** At most a surrogate pair: two escapes of six bytes. */
  readonly bytes: Uint8Array;
  length: number;
  /** Half surrogate pairs replaced so far. */
  replaced: number;
}

/** Nothing held back, nothing replaced. */
export function noHeldEscape(): HeldEscape {
  return { bytes: new Uint8Array(12), length: 0, replaced: 0 };
}

/** The length of the escape at `at` when it lies whole in the chunk and needs no second look, otherwise 0. */
export function plainEscapeLength(chunk: Uint8Array, at: number): number {
  const kind = chunk[at + 1];
  if (kind === undefined) return 0;
  if (SIMPLE_ESCAPE[kind] === 1) return 2;
  if (kind !== LETTER_U || at + 5 >= chunk.length) return 0;
  for (let i = at + 2; i < at + 6; i++) if (HEX_DIGIT[chunk[i] as number] === 0) return 0;
  return isSurrogate(chunk, at) ? 0 : 6;
}

/** Whether the byte may continue the held escape, ends it (the byte is not part of it), or is an error. */
export type EscapeStep = 'held' | 'released' | 'not-mine' | 'invalid';

/**
 * Takes one more byte into the held escape and writes what is settled by it. Half of a surrogate pair is valid JSON
 * but no text: DuckDB refuses the whole file that holds one, and Windows allows them in file names. So such a half
 * becomes `\ufffd`, as every UTF-8 encoder would write it; the length stays the same.
 */
export function stepEscape(held: HeldEscape, byte: number, write: (bytes: Uint8Array) => void): EscapeStep {
  if (held.length === 6 && byte !== BACKSLASH) {
    release(held, 0, write);
    return 'not-mine';
  }
  const place = held.length % 6;
  if (place === 1 && byte !== LETTER_U) {
    if (SIMPLE_ESCAPE[byte] === 0) return 'invalid';
    if (held.length === 7) release(held, 1, write);
    write(Uint8Array.of(BACKSLASH, byte));
    held.length = 0;
    return 'released';
  }
  if (place > 1 && HEX_DIGIT[byte] === 0) return 'invalid';
  held.bytes[held.length++] = byte;
  if (held.length === 6) return settleFirst(held, write);
  if (held.length === 12) return settleSecond(held, write);
  return 'held';
}

function settleFirst(held: HeldEscape, write: (bytes: Uint8Array) => void): EscapeStep {
  if (isHigh(held.bytes, 0)) return 'held';
  if (isSurrogate(held.bytes, 0)) release(held, 0, write);
  else write(held.bytes.slice(0, 6));
  held.length = 0;
  return 'released';
}

function settleSecond(held: HeldEscape, write: (bytes: Uint8Array) => void): EscapeStep {
  if (isSurrogate(held.bytes, 6) && !isHigh(held.bytes, 6)) {
    write(held.bytes.slice(0, 12));
    held.length = 0;
    return 'released';
  }
  release(held, 6, write);
  return settleFirst(held, write);
}

/** Writes the replacement for the first half held and keeps the `rest` bytes after it. */
function release(held: HeldEscape, rest: number, write: (bytes: Uint8Array) => void): void {
  write(REPLACEMENT);
  held.replaced++;
  held.bytes.copyWithin(0, 6, 6 + rest);
  held.length = rest;
}

/** D800–DFFF: the first hex digit is d, the second at least 8. */
function isSurrogate(bytes: Uint8Array, escapeAt: number): boolean {
  const second = bytes[escapeAt + 3] as number;
  return ((bytes[escapeAt + 2] as number) | 0x20) === 0x64 && second >= 0x38;
}

/** D800–DBFF. */
function isHigh(bytes: Uint8Array, escapeAt: number): boolean {
  const second = (bytes[escapeAt + 3] as number) | 0x20;
  return isSurrogate(bytes, escapeAt) && (second === 0x38 || second === 0x39 || second === 0x61 || second === 0x62);
}
