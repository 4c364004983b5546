import { EdrlakeError } from '@edrlake/core';
import { recordIds } from './record-ids.ts';
import { appendPart, broken, type RecordOutput, type RecordScan } from './record-scan.ts';
import { endFieldValue, isIdField, plainRunEnd, resumeScalar, scanScalar, stepHeldEscape } from './scan-tokens.ts';
import { noHeldEscape, plainEscapeLength } from './string-escapes.ts';

// What may come next, as bits. Not imported: the loop would look each name up for each byte.
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

/** A scan before the first byte. */
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

function unexpected(scan: RecordScan, at: number, expect: number, depth: number, byte: number): EdrlakeError {
  const wanted: string[] = [];
  if (depth === MAX_DEPTH) wanted.push(`at most ${MAX_DEPTH} nested brackets`);
  if (expect & START) wanted.push(byte === 0x3c ? 'a JSON array, not HTML,' : 'a JSON array');
  if (expect & RECORD) wanted.push('a record (a JSON object)');
  if (expect & VALUE) wanted.push('a value');
  if (expect & KEY) wanted.push('a field name');
  if (expect & AFTER_KEY) wanted.push('":"');
  if (expect & SEPARATOR) wanted.push('","');
  if (expect & END) wanted.push(scan.objectAt[depth] === 1 ? '"}"' : '"]"');
  if (expect === NOTHING) wanted.push('nothing after the array');
  return broken(scan, at, wanted.join(' or '), byte);
}
