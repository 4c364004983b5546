import { isUtf8 } from 'node:buffer';
import { crc32 } from 'node:zlib';
import type { EdrlakeError } from '@edrlake/core';
import { firstNameOf } from '../json/next-record.ts';
import { broken, PADDING_BYTES, type ScanState } from '../json/scan-state.ts';
import { workBuffer } from '../json/work-buffer.ts';
import { type BrokenRecord, brokenRecord } from './broken-record.ts';
import type { FieldTable } from './field-table.ts';
import { type LineBuffer, lineBuffer } from './ndjson-lines.ts';
import { takeBackEdits } from './record-edits.ts';
import { type RecordScan, recordEnd } from './record-scanner.ts';
import { unwrapRecord } from './unwrap-record.ts';

/** Reads the records of a page, one after the other, and turns each into a line. */
export interface RecordTaker {
  readonly lines: LineBuffer;
  /** One for each record; null where it has no identity. */
  readonly ids: readonly (string | null)[];
  /** `brokenCrc32`: of the lines of the broken records. */
  readonly counts: { irregular: number; broken: number; brokenCrc32: number };
  /** The page has bytes that are not UTF-8: each record is checked. */
  isDoubtful: boolean;
  /**
   * Reads the record at `from` and returns the position after it; sets `starved` and returns `from` where it is not
   * whole yet. An unreadable record may be read in pieces: then `isOpen`, and all available bytes are used.
   * @throws {EdrlakeError} `BODY_BROKEN` where the end of the record cannot be found
   */
  take(from: number): number;
  isOpen(): boolean;
  /**
   * Continues an open record at the beginning of the bytes.
   * @param isLast the page ends with the bytes
   * @throws {EdrlakeError} as `take`
   */
  goOn(isLast: boolean): number;
}

/** A taker before the first record. Memory: the largest record three times, and the ids. */
export function recordTaker(
  state: ScanState,
  known: FieldTable,
  { maxRecordBytes, lineMemory }: { readonly maxRecordBytes: number; readonly lineMemory: Buffer },
): RecordTaker {
  const lines = lineBuffer(lineMemory);
  const ids: (string | null)[] = [];
  const counts = { irregular: 0, broken: 0, brokenCrc32: 0 };
  const scan = openScan(state, known);
  let open: { readonly record: BrokenRecord; readonly reason: unknown } | null = null;
  let firstName: string | null = null;

  const take = (from: number): number => {
    // Before it is scanned: a name may be written over.
    if (ids.length === 0) firstName = firstNameOf(state.bytes, from, state.end);
    let to: number;
    try {
      to = scanWithin(scan, from, maxRecordBytes);
    } catch (thrown) {
      return takeBroken(from, thrown);
    }
    if (state.starved) return state.end - from <= maxRecordBytes ? from : takeBroken(from, null);
    if (taker.isDoubtful && !isUtf8(state.bytes.subarray(from, to))) return takeBroken(from, null);
    if (scan.filled === 0 && isObject(from) && unwrapRecord(state, known, from, to)) to = recordEnd(scan, from);
    if (!writeLine(from, to)) return takeBroken(from, null);
    if (state.irregular && !known.isOpen) counts.irregular++;
    ids.push(identityOf(scan));
    state.recordCount = ids.length;
    return to;
  };

  const isObject = (at: number) => !known.isOpen && state.bytes[at] === 0x7b;

  /** False where the line would be too long. */
  const writeLine = (from: number, to: number): boolean => {
    const before = lines.byteLength;
    // The line break is not part of the record.
    const fits = () => lines.byteLength - before - 1 <= maxRecordBytes;
    if (known.isOpen) lines.plain(state.bytes, from, to);
    else if (state.irregular) lines.irregular(state.bytes, from, to);
    else if (known.root.hasExtra || scan.elements.length > 0) {
      lines.withExtra(state.bytes, from, to, { root: known.root, elements: scan.elements });
      if (fits()) return true;
      // An irregular line contains nothing twice.
      lines.shorten(before);
      takeBackEdits(scan);
      state.irregular = true;
      lines.irregular(state.bytes, from, to);
    } else lines.plain(state.bytes, from, to);
    if (fits()) return true;
    lines.shorten(before);
    return false;
  };

  /** @param reason what the scan threw; null where the record is too large, or not UTF-8 */
  const takeBroken = (from: number, reason: unknown): number => {
    takeBackEdits(scan);
    state.starved = false;
    const first = state.bytes[from] as number;
    if (first !== 0x7b && first !== 0x5b && first !== 0x22) throw reason ?? endless(state, from);
    open = { record: brokenRecord(known, maxRecordBytes, firstName), reason };
    return advance(open, from, false);
  };

  const advance = ({ record, reason }: NonNullable<typeof open>, from: number, isLast: boolean): number => {
    const to = record.take(state.bytes, from, state.end, isLast);
    if (to === 'lost') throw reason ?? endless(state, from);
    if (to === 'more') return state.end - record.held;
    open = null;
    const line = record.line();
    lines.made(line);
    counts.broken++;
    counts.brokenCrc32 = crc32(line, counts.brokenCrc32);
    ids.push(idOfBroken(record, known));
    state.recordCount = ids.length;
    return to;
  };

  const taker: RecordTaker = {
    lines,
    ids,
    counts,
    isDoubtful: false,
    take,
    isOpen: () => open !== null,
    goOn: (isLast) => (open === null ? 0 : advance(open, 0, isLast)),
  };
  return taker;
}

function endless(state: ScanState, from: number): EdrlakeError {
  return broken(state, from, 'a record whose end can be found');
}

function openScan(state: ScanState, known: FieldTable): RecordScan {
  const ids = Array.from({ length: known.idFieldCount }, () => ({ from: -1, to: 0, escaped: false }));
  return { state, known, ids, record: 0, filled: 0, elements: [], edits: [] };
}

/**
 * Scans the record at `from`, but only as many bytes as a record may have: so the result for a record that is too large
 * does not depend on the chunks of the body.
 */
function scanWithin(scan: RecordScan, from: number, maxRecordBytes: number): number {
  const { state } = scan;
  const { end } = state;
  if (end - from <= maxRecordBytes) return recordEnd(scan, from);
  const limit = from + maxRecordBytes;
  const behind = Buffer.from(state.bytes.subarray(limit, limit + PADDING_BYTES));
  state.bytes.fill(0, limit, limit + PADDING_BYTES);
  state.end = limit;
  try {
    return recordEnd(scan, from);
  } finally {
    behind.copy(state.bytes, limit);
    state.end = end;
  }
}

/** The identity of an unreadable record, where the id itself could be read. */
function idOfBroken(record: BrokenRecord, known: FieldTable): string | null {
  const work = workBuffer(Buffer.allocUnsafe(record.fields.length + PADDING_BYTES));
  work.append(record.fields);
  const scan = openScan(work.state, known);
  recordEnd(scan, 0);
  return identityOf(scan);
}

/** White space as the tables define it: other characters, such as a no-break space, are text. */
const NOT_BLANK = /[^ \t\n\v\f\r]/;

/** The first id field that holds a single value that is not blank. */
function identityOf({ ids, state: { bytes } }: RecordScan): string | null {
  for (const { from, to, escaped } of ids) {
    if (from < 0) continue;
    const isString = bytes[from] === 0x22;
    const text = !isString
      ? numberText(bytes.toString('latin1', from, to))
      : escaped
        ? (JSON.parse(bytes.toString('utf8', from, to)) as string)
        : bytes.toString('utf8', from + 1, to - 1);
    // The first character nearly always decides; the pattern alone took a tenth of the time of a page.
    if (text.charCodeAt(0) > 0x20 || NOT_BLANK.test(text)) return text;
  }
  return null;
}

/**
 * The text of a JSON number in a text column, as DuckDB casts it: integers digit by digit, others as the shortest text
 * of their double. So `1e2` and `100.0` are one identity, as in the tables.
 */
export function numberText(json: string): string {
  if (/^-?\d+$/.test(json)) return json === '-0' ? '0' : json;
  const value = Number(json);
  if (!Number.isFinite(value)) return json;
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (value === 0 || (power >= -4 && power < 16)) {
    const text = Object.is(value, -0) ? '-0' : String(value);
    return text.includes('.') || power < 0 ? text : `${text}.0`;
  }
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}
