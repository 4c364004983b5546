import { EdrlakeError } from '@edrlake/core';
import { isScalar, SCALAR_BYTE, STRING_STOP } from './json-bytes.ts';
import { type RecordIds, recordIds } from './record-ids.ts';
import { type HeldEscape, noHeldEscape, plainEscapeLength, stepEscape } from './string-escapes.ts';

// What may come next, as bits.
const START = 1;
const RECORD = 2;
const VALUE = 4;
const KEY = 8;
const END = 16;
const AFTER_KEY = 32;
const SEPARATOR = 64;
const NOTHING = 128;

/** For every byte outside strings: where it may stand, as the bits above. 0 for bytes that may stand nowhere. */
const PLACES = new Uint8Array(256);
for (const byte of Buffer.from(' \t\n\r')) PLACES[byte] = 0xff;
for (const byte of Buffer.from('-0123456789tfn')) PLACES[byte] = VALUE;
PLACES[0x22] = KEY | VALUE;
PLACES[0x3a] = AFTER_KEY;
PLACES[0x2c] = SEPARATOR;
PLACES[0x7b] = VALUE | RECORD;
PLACES[0x5b] = VALUE | START;
PLACES[0x7d] = END;
PLACES[0x5d] = END;

// What a string token is good for. Most are only skipped.
const PLAIN = 0;
const FIELD_NAME = 1;
const FIELD_VALUE = 2;

/** Deeper than any event; keeps the bracket stack bounded. */
const MAX_DEPTH = 1_000;

/** Takes bytes of records in order; must have room for what one chunk yields, see `OUTPUT_SLACK_BYTES`. */
export interface RecordOutput {
  append(bytes: Uint8Array, from: number, to: number): void;
  /** A record ends here. */
  endLine(): void;
}

/** A chunk of n bytes yields at most n plus this many: one closing line break and a held-back escape. */
export const OUTPUT_SLACK_BYTES = 32;

/** Where a scan stands between two chunks. */
export interface RecordScan {
  readonly ids: RecordIds;
  readonly maxRecordBytes: number;
  /** Bytes scanned before the current chunk. */
  offset: number;
  expect: number;
  depth: number;
  /** 1 where the bracket of that depth is an object. */
  readonly objectAt: Uint8Array;
  inString: boolean;
  inScalar: boolean;
  /** The current scalar may be the record's identity. */
  scalarWanted: boolean;
  token: number;
  /** The last field name of the record is one of the id fields. */
  wanted: boolean;
  tokenEscaped: boolean;
  /** Parts of the current token from earlier chunks. */
  readonly tokenParts: Buffer[];
  readonly held: HeldEscape;
  recordBytes: number;
}

export function startScan(idFields: readonly string[], maxRecordBytes: number): RecordScan {
  return {
    ids: recordIds(idFields),
    maxRecordBytes,
    offset: 0,
    expect: START,
    depth: 0,
    objectAt: new Uint8Array(MAX_DEPTH + 1),
    inString: false,
    inScalar: false,
    scalarWanted: false,
    token: PLAIN,
    wanted: false,
    tokenEscaped: false,
    tokenParts: [],
    held: noHeldEscape(),
    recordBytes: 0,
  };
}

/**
 * Scans the next chunk, blanks the raw line breaks in it and appends the bytes of its records to the output. The one loop every byte goes through: state
 * lives in local variables, plain string content is skipped by table, and records are copied in runs.
 * @throws {EdrlakeError} `BODY_BROKEN` at the first byte that cannot stand where it stands, `RECORD_TOO_LARGE`.
 */
export function scanChunk(scan: RecordScan, chunk: Buffer, output: RecordOutput): void {
  const size = chunk.length;
  const { objectAt, held } = scan;
  const places = PLACES;
  const words = new DataView(chunk.buffer, chunk.byteOffset, size);
  let { expect, depth, inString, token, wanted } = scan;
  let at = scan.inScalar ? resumeScalar(scan, chunk) : 0;
  let tokenStart = 0;
  // Everything of a record up to here is in the output.
  let copied = 0;
  while (at < size) {
    if (inString) {
      if (held.length > 0) {
        at = stepHeldEscape(scan, chunk, at, output);
        copied = at;
        continue;
      }
      at = plainRunEnd(chunk, words, at);
      if (at === size) break;
      const byte = chunk[at] as number;
      if (byte === 0x5c) {
        scan.tokenEscaped = true;
        const length = plainEscapeLength(chunk, at);
        at += length;
        if (length > 0) continue;
        appendPart(scan, chunk, copied, at, output);
        at = stepHeldEscape(scan, chunk, at, output);
        copied = at;
      } else if (byte === 0x22) {
        if (token === FIELD_NAME) wanted = isIdField(scan, chunk, tokenStart, at);
        else if (token === FIELD_VALUE) endFieldValue(scan, chunk, tokenStart, at);
        token = PLAIN;
        inString = false;
        at++;
        // Most strings are followed by `:"` or `,"`: the next one is opened here, without a round through the switch.
        if (at + 1 >= size || chunk[at + 1] !== 0x22) continue;
        const between = chunk[at] as number;
        if (between === 0x3a && expect === AFTER_KEY) {
          expect = SEPARATOR | END;
          if (wanted && depth === 2) token = FIELD_VALUE;
        } else if (between === 0x2c && expect === (SEPARATOR | END) && objectAt[depth] === 1) {
          expect = AFTER_KEY;
          if (depth === 2) token = FIELD_NAME;
        } else continue;
        inString = true;
        at += 2;
        tokenStart = at;
        scan.tokenEscaped = false;
      } else throw broken(scan, at, 'no control character inside a string', byte);
      continue;
    }
    const byte = chunk[at] as number;
    if ((expect & (places[byte] as number)) === 0) throw unexpected(scan, at, expect, depth, byte);
    // Literal bytes: names from another module would be looked up for each byte.
    switch (byte) {
      case 0x22: // "
        inString = true;
        if (depth === 2) {
          token = expect & KEY ? FIELD_NAME : wanted ? FIELD_VALUE : PLAIN;
          scan.tokenEscaped = false;
          tokenStart = at + 1;
        }
        expect = expect & KEY ? AFTER_KEY : SEPARATOR | END;
        break;
      case 0x3a: // :
        expect = VALUE;
        break;
      case 0x2c: // ,
        expect = depth === 1 ? RECORD : objectAt[depth] === 1 ? KEY : VALUE;
        break;
      case 0x0a: // line feed
      case 0x0d: // carriage return
        if (depth > 1) chunk[at] = 0x20;
        break;
      case 0x20: // space
      case 0x09: // tab
        while (at + 1 < size && chunk[at + 1] === 0x20) at++;
        break;
      case 0x7b: // {
      case 0x5b: // [
        if (depth === MAX_DEPTH) throw unexpected(scan, at, expect, depth, byte);
        if (depth === 1) copied = at;
        objectAt[++depth] = byte === 0x7b ? 1 : 0;
        expect = END | (byte === 0x7b ? KEY : depth === 1 ? RECORD : VALUE);
        break;
      case 0x7d: // }
      case 0x5d: // ]
        if (objectAt[depth] !== (byte === 0x7d ? 1 : 0)) throw unexpected(scan, at, expect, depth, byte);
        expect = --depth === 0 ? NOTHING : SEPARATOR | END;
        if (depth === 1) endRecord(scan, chunk, copied, at + 1, output);
        break;
      default:
        expect = SEPARATOR | END;
        at = scanScalar(scan, wanted && depth === 2, chunk, at);
        continue;
    }
    at++;
  }
  if (token !== PLAIN) scan.tokenParts.push(Buffer.from(chunk.subarray(tokenStart, size)));
  if (depth > 1 && held.length === 0) appendPart(scan, chunk, copied, size, output);
  scan.offset += size;
  Object.assign(scan, { expect, depth, inString, token, wanted });
}

/** @throws {EdrlakeError} `BODY_BROKEN` when the array was begun and not ended. */
export function finishScan(scan: RecordScan): void {
  if (scan.expect === NOTHING || (scan.expect === START && scan.offset === 0)) return;
  const place = scan.inString
    ? 'inside a string'
    : scan.depth > 1
      ? 'inside a record'
      : `after ${scan.ids.ids.length} records`;
  throw new EdrlakeError(
    'BODY_BROKEN',
    `expected the end of the JSON array, the body ended after ${scan.offset} bytes ${scan.expect === START ? 'without one' : place}`,
    { disposition: 'retry', context: { offsetBytes: scan.offset, records: scan.ids.ids.length } },
  );
}

function endRecord(scan: RecordScan, chunk: Buffer, from: number, to: number, output: RecordOutput): void {
  appendPart(scan, chunk, from, to, output);
  scan.recordBytes = 0;
  output.endLine();
  scan.ids.recordEnd();
}

function appendPart(scan: RecordScan, bytes: Uint8Array, from: number, to: number, output: RecordOutput): void {
  output.append(bytes, from, to);
  scan.recordBytes += to - from;
  if (scan.recordBytes <= scan.maxRecordBytes) return;
  const number = scan.ids.ids.length + 1;
  throw new EdrlakeError(
    'RECORD_TOO_LARGE',
    `expected records of at most ${scan.maxRecordBytes} bytes, record ${number} of the page is larger`,
    { context: { record: number, maxRecordBytes: scan.maxRecordBytes } },
  );
}

/**
 * Where the run of plain string content that starts at `at` ends: at a quote, a backslash, a control character or the
 * end of the chunk. Four bytes at a time, because most bytes of a page are string content: a byte of `word ^ pattern`
 * is zero where the pattern's byte stands, and subtracting 1 (or 0x20) from each byte lets only those (or the control
 * characters) borrow into their top bit. The lowest bit that is set is exact.
 */
function plainRunEnd(chunk: Buffer, words: DataView, from: number): number {
  let at = from;
  for (const safe = chunk.length - 4; at <= safe; at += 4) {
    const word = words.getInt32(at, true);
    const quote = word ^ 0x22222222;
    const backslash = word ^ 0x5c5c5c5c;
    const stops =
      (((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash) | ((word - 0x20202020) & ~word)) &
      0x80808080;
    if (stops !== 0) return at + lowestByteSet(stops >>> 7);
  }
  while (at < chunk.length && STRING_STOP[chunk[at] as number] === 0) at++;
  return at;
}

/** 0 to 3: the lowest byte of the word that is 1, where every byte is 0 or 1. */
function lowestByteSet(flags: number): number {
  return (31 - Math.clz32(flags & -flags)) >> 3;
}

/** Lets the held escape have the byte at `at`; returns the next byte to look at. */
function stepHeldEscape(scan: RecordScan, chunk: Buffer, at: number, output: RecordOutput): number {
  const byte = chunk[at] as number;
  const step = stepEscape(scan.held, byte, (bytes) => appendPart(scan, bytes, 0, bytes.length, output));
  if (step === 'invalid') throw broken(scan, at, 'a valid escape', byte);
  return step === 'not-mine' ? at : at + 1;
}

/** A number or literal from `at` on; returns where it ends. One that reaches the chunk's end is finished by the next. */
function scanScalar(scan: RecordScan, wanted: boolean, chunk: Buffer, at: number): number {
  let end = at + 1;
  while (end < chunk.length && SCALAR_BYTE[chunk[end] as number] === 1) end++;
  scan.scalarWanted = wanted;
  if (end < chunk.length) {
    endScalar(scan, chunk, at, end, at);
  } else {
    scan.inScalar = true;
    scan.tokenParts.push(Buffer.from(chunk.subarray(at)));
  }
  return end;
}

function resumeScalar(scan: RecordScan, chunk: Buffer): number {
  let end = 0;
  while (end < chunk.length && SCALAR_BYTE[chunk[end] as number] === 1) end++;
  scan.tokenParts.push(Buffer.from(chunk.subarray(0, end)));
  if (end === chunk.length) return end;
  const whole = Buffer.concat(scan.tokenParts);
  scan.tokenParts.length = 0;
  scan.inScalar = false;
  endScalar(scan, whole, 0, whole.length, end - whole.length);
  return end;
}

function endScalar(scan: RecordScan, bytes: Buffer, from: number, to: number, at: number): void {
  if (!isScalar(bytes, from, to)) {
    throw broken(scan, at, 'a number, true, false or null', bytes[from] as number);
  }
  if (scan.scalarWanted) scan.ids.value(bytes, from, to, 'scalar');
}

/** Whether the field name that ends at `to` is an id field. Most are not, and their length alone tells. */
function isIdField(scan: RecordScan, chunk: Buffer, from: number, to: number): boolean {
  if (scan.tokenParts.length === 0 && !scan.tokenEscaped && !scan.ids.mayBeField(to - from)) return false;
  return endToken(scan, chunk, from, to, (bytes, start, end) => scan.ids.key(bytes, start, end, scan.tokenEscaped));
}

function endFieldValue(scan: RecordScan, chunk: Buffer, from: number, to: number): void {
  const kind = scan.tokenEscaped ? 'escaped-string' : 'string';
  endToken(scan, chunk, from, to, (bytes, start, end) => scan.ids.value(bytes, start, end, kind));
}

/** Gives `use` the whole token, also when it began in an earlier chunk. */
function endToken<T>(
  scan: RecordScan,
  chunk: Buffer,
  from: number,
  to: number,
  use: (bytes: Buffer, from: number, to: number) => T,
): T {
  if (scan.tokenParts.length === 0) return use(chunk, from, to);
  const whole = Buffer.concat([...scan.tokenParts, chunk.subarray(0, to)]);
  scan.tokenParts.length = 0;
  return use(whole, 0, whole.length);
}

function unexpected(scan: RecordScan, at: number, expect: number, depth: number, byte: number): EdrlakeError {
  const wanted: string[] = [];
  if (depth === MAX_DEPTH) wanted.push(`at most ${MAX_DEPTH} nested brackets`);
  if (expect & START) wanted.push('a JSON array');
  if (expect & RECORD) wanted.push('a record (a JSON object)');
  if (expect & VALUE) wanted.push('a value');
  if (expect & KEY) wanted.push('a field name');
  if (expect & AFTER_KEY) wanted.push('":"');
  if (expect & SEPARATOR) wanted.push('","');
  if (expect & END) wanted.push(scan.objectAt[depth] === 1 ? '"}"' : '"]"');
  if (expect === NOTHING) wanted.push('nothing after the array');
  return broken(scan, at, wanted.join(' or '), byte);
}

/** Names one byte and its place, never more of the body: it may hold what no log should. */
function broken(scan: RecordScan, at: number, wanted: string, byte: number): EdrlakeError {
  const offsetBytes = scan.offset + at;
  const found =
    byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16).padStart(2, '0')}`;
  const whole = scan.expect & START && scan.depth === 0 && byte === 0x3c ? ' (this looks like HTML)' : '';
  return new EdrlakeError(
    'BODY_BROKEN',
    `expected ${wanted} at byte ${offsetBytes} of the body, found ${found}${whole}`,
    {
      disposition: 'retry',
      context: { offsetBytes, records: scan.ids.ids.length },
    },
  );
}
