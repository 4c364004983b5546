import { HEX_DIGIT, isScalar, SCALAR_BYTE, SIMPLE_ESCAPE } from './json-bytes.ts';
import { MAX_DEPTH, type ScanState, stop } from './scan-state.ts';

// JSON values by RFC 8259, of any content. Bytes are literals: names from another module would be looked up each time.

/** The position after white space. Raw line breaks become spaces, so that a record is one line. */
export function afterGap({ bytes }: ScanState, from: number): number {
  let at = from;
  for (;;) {
    const byte = bytes[at] as number;
    if (byte > 0x20) return at;
    if (byte === 0x0a || byte === 0x0d || byte === 0x09) bytes[at] = 0x20;
    else if (byte !== 0x20) return at;
    at++;
  }
}

/**
 * The end of a string, from the byte after its opening quote. Four bytes at a time, because most bytes of a page are in
 * strings. A byte of `word ^ pattern` is zero where it equals the pattern's byte, and subtracting 1 (or 0x20) from each
 * byte lets only those (or the control characters) borrow into their top bit. The lowest bit that is set is exact.
 * Zeros stop it as well.
 */
export function stringEnd(state: ScanState, from: number): number {
  const { bytes, words } = state;
  let at = from;
  for (;;) {
    for (;;) {
      const word = words.getInt32(at, true);
      const quote = word ^ 0x22222222;
      const backslash = word ^ 0x5c5c5c5c;
      const stops =
        (((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash) | ((word - 0x20202020) & ~word)) &
        0x80808080;
      if (stops !== 0) {
        at += (31 - Math.clz32(stops & -stops)) >> 3;
        break;
      }
      at += 4;
    }
    const byte = bytes[at] as number;
    if (byte === 0x22) return at + 1;
    if (byte !== 0x5c) return stop(state, at, 'no control character inside a string');
    state.escaped = true;
    const kind = bytes[at + 1] as number;
    if (SIMPLE_ESCAPE[kind] === 1) at += 2;
    else {
      at = unicodeEscapeEnd(state, at);
      if (state.starved) return at;
    }
  }
}

/**
 * The position after an escape of four hex digits, or a pair of them. An unpaired surrogate is valid JSON but not text:
 * DuckDB refuses the whole file that has one, and Windows allows them in file names. So it becomes `\ufffd`, as every
 * UTF-8 encoder would write it; the length stays the same.
 */
function unicodeEscapeEnd(state: ScanState, at: number): number {
  const { bytes } = state;
  if (at + 1 >= state.end || bytes[at + 1] !== 0x75) return stop(state, at + 1, 'a valid escape');
  for (let digit = at + 2; digit < at + 6; digit++) {
    if (HEX_DIGIT[bytes[digit] as number] === 0) return stop(state, digit, 'a valid escape');
  }
  const half = surrogateAt(bytes, at);
  if (half === 'none') return at + 6;
  if (half === 'high') {
    const second = secondHalf(state, at + 6);
    if (second === 'unknown') return stop(state, state.end, 'the rest of a surrogate pair');
    if (second === 'low') return at + 12;
  }
  bytes.write('fffd', at + 2, 'latin1');
  state.replacedSurrogates++;
  return at + 6;
}

function secondHalf({ bytes, end }: ScanState, at: number): 'low' | 'other' | 'unknown' {
  for (let place = at; place < at + 6; place++) {
    if (place >= end) return 'unknown';
    const wanted = place === at ? 0x5c : place === at + 1 ? 0x75 : null;
    if (wanted === null ? HEX_DIGIT[bytes[place] as number] === 0 : bytes[place] !== wanted) return 'other';
  }
  return surrogateAt(bytes, at) === 'low' ? 'low' : 'other';
}

/** D800–DBFF are high, DC00–DFFF low surrogates: the first hex digit is d, the second at least 8. */
function surrogateAt(bytes: Buffer, escapeAt: number): 'none' | 'high' | 'low' {
  if (((bytes[escapeAt + 2] as number) | 0x20) !== 0x64) return 'none';
  const second = (bytes[escapeAt + 3] as number) | 0x20;
  if (second < 0x38) return 'none';
  return second === 0x38 || second === 0x39 || second === 0x61 || second === 0x62 ? 'high' : 'low';
}

/** The position after a number, true, false or null. */
export function scalarEnd(state: ScanState, from: number): number {
  const { bytes } = state;
  let at = from;
  while (SCALAR_BYTE[bytes[at] as number] === 1) at++;
  if (at >= state.end || at === from) return stop(state, at, 'a value');
  return isScalar(bytes, from, at) ? at : stop(state, from, 'a number, true, false or null');
}

/** The position after any value. */
export function valueEnd(state: ScanState, at: number, depth: number): number {
  switch (state.bytes[at]) {
    case 0x22:
      return stringEnd(state, at + 1);
    case 0x7b:
      return objectEnd(state, at, depth);
    case 0x5b:
      return arrayEnd(state, at, depth);
    default:
      return scalarEnd(state, at);
  }
}

function objectEnd(state: ScanState, from: number, depth: number): number {
  const { bytes } = state;
  if (depth >= MAX_DEPTH) return stop(state, from, `at most ${MAX_DEPTH} nested brackets`);
  let at = afterGap(state, from + 1);
  if (bytes[at] === 0x7d) return at + 1;
  for (;;) {
    at = afterName(state, at);
    at = afterGap(state, valueEnd(state, at, depth + 1));
    if (bytes[at] === 0x7d) return at + 1;
    if (bytes[at] !== 0x2c) return stop(state, at, '"," or "}"');
    at = afterGap(state, at + 1);
  }
}

/** The position after a member's name, its colon and the white space after it. */
function afterName(state: ScanState, at: number): number {
  if (state.bytes[at] !== 0x22) return stop(state, at, 'a field name');
  return afterColon(state, stringEnd(state, at + 1));
}

/** The position after the colon and its white space, from the end of a name. */
export function afterColon(state: ScanState, nameEnd: number): number {
  const at = afterGap(state, nameEnd);
  return state.bytes[at] === 0x3a ? afterGap(state, at + 1) : stop(state, at, '":"');
}

function arrayEnd(state: ScanState, from: number, depth: number): number {
  const { bytes } = state;
  if (depth >= MAX_DEPTH) return stop(state, from, `at most ${MAX_DEPTH} nested brackets`);
  let at = afterGap(state, from + 1);
  if (bytes[at] === 0x5d) return at + 1;
  for (;;) {
    at = afterGap(state, valueEnd(state, at, depth + 1));
    if (bytes[at] === 0x5d) return at + 1;
    if (bytes[at] !== 0x2c) return stop(state, at, '"," or "]"');
    at = afterGap(state, at + 1);
  }
}
