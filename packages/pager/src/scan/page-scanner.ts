import { crc32 } from 'node:zlib';
import { EdrlakeError } from '@edrlake/core';
import { broken, PADDING_BYTES, type ScanState } from '../json/scan-state.ts';
import { afterGap } from '../json/scan-values.ts';
import { utf8Validator } from '../json/utf8-validator.ts';
import { workBuffer } from '../json/work-buffer.ts';
import type { FieldTable } from './field-table.ts';
import { type Expected, pageEnvelope, unexpected } from './page-envelope.ts';
import { type SpareBuffers, spareBuffers } from './spare-buffers.ts';
import { type RecordTaker, recordTaker } from './take-records.ts';

/** DuckDB reads JSON objects up to 16 MiB; with one byte more it refuses the whole file. */
export const MAX_RECORD_BYTES = 15 * 1_048_576;

/** Bytes that are scanned at once. Small enough to stay in a core's cache. */
const PIECE_BYTES = 131_072;

/** Lines are passed on beyond it. Each write costs a turn of the event loop and of another thread. */
const WRITE_BYTES = 4 * PIECE_BYTES;

/** The lines of a piece may come on top of that. What is scanned at once, a piece and a begun record, takes less. */
const BUFFER_BYTES = WRITE_BYTES + 2 * PIECE_BYTES + PADDING_BYTES;

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** How a page is read, and where its records go. */
export interface PageScanOptions {
  /** The declared fields of records, and the fields that may have their identity. */
  readonly known: FieldTable;
  /** The longest line. Default `MAX_RECORD_BYTES`. */
  readonly maxRecordBytes?: number;
  /**
   * Records of the pages before this one: an empty list beside a larger total is a broken answer. Absent: unknown.
   */
  readonly recordsBefore?: number;
  /** Buffers of pages before this one, for this one and later ones. See `pageBuffers`. */
  readonly spare?: SpareBuffers;
  /** Receives the lines in order. The buffer is reused as soon as the promise is fulfilled. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
}

/** The content of one page. */
export interface ScannedPage {
  readonly recordCount: number;
  /** Bytes written, line breaks included. */
  readonly writtenBytes: number;
  /** CRC-32 of the bytes written, 8 hex digits. */
  readonly crc32: string;
  /** One for each record, in order; null where a record has no identity. */
  readonly ids: readonly (string | null)[];
  /** Records that do not fit the shape but can be read. */
  readonly irregularRecords: number;
  /** Records that cannot be read, or are too large: they become rejects. */
  readonly brokenRecords: number;
  /** CRC-32 of what is kept of them, 8 hex digits. Null where all records can be read. */
  readonly brokenCrc32: string | null;
  /** Unpaired surrogates that were written as `\ufffd`. */
  readonly replacedSurrogates: number;
}

/**
 * Reads the body of one page, a JSON array of records, an object with one, or records one after the other (NDJSON), in
 * one pass over its bytes and writes one line for each record, in the delivered order.
 *
 * The line of a conforming record is the record, with these changes, none of which changes its columns. A path is
 * normalised, with spaces after it. The brackets around a single value become spaces. The name of a blank text begins
 * with `#` instead, so that no column reads it. Members that no column takes, of the record or of an element of a list,
 * are repeated in its last member, `SPOOL_MEMBERS.extra`. Any other record, also one that is not an object, is written
 * as text in the only member of its line, `SPOOL_MEMBERS.irregular`. In both, white space between tokens becomes
 * spaces, and escaped unpaired surrogates become `\ufffd` (they are not text and DuckDB refuses them). An empty body
 * has no records, as the API answers 204 when it finds nothing.
 *
 * It checks all of RFC 8259 except that the names within an object are unique. Two strings are the same identity
 * however they are escaped; a number is its text as delivered. Memory: the largest record three times, and the ids.
 * @throws {EdrlakeError} `BODY_BROKEN` (`retry`) for a body that ends early, continues after the array, is not an
 * array, not JSON or not UTF-8; `RECORD_TOO_LARGE`. Part of the output may be written by then: discard it.
 */
export async function scanPage(body: AsyncIterable<Uint8Array>, options: PageScanOptions): Promise<ScannedPage> {
  const { spare = pageBuffers() } = options;
  const page = openPage(options, spare);
  const { lines, ids, counts } = page.records;
  let writtenBytes = 0;
  let checksum = 0;
  const flush = async () => {
    const bytes = lines.take();
    if (bytes.length === 0) return;
    checksum = crc32(bytes, checksum);
    writtenBytes += bytes.length;
    await options.write(bytes);
    lines.reset();
  };
  let head: Buffer | null = Buffer.alloc(0);
  for await (const received of body) {
    let chunk = Buffer.from(received.buffer, received.byteOffset, received.length);
    if (head !== null) {
      // Chunk boundaries may divide a byte order mark; three bytes decide.
      if (head.length > 0) chunk = Buffer.concat([head, chunk]);
      head = chunk.length < BYTE_ORDER_MARK.length ? Buffer.from(chunk) : null;
      if (head !== null) continue;
      if (chunk.subarray(0, 3).equals(BYTE_ORDER_MARK)) chunk = chunk.subarray(3);
    }
    for (let from = 0; from < chunk.length; from += PIECE_BYTES) {
      page.take(chunk.subarray(from, from + PIECE_BYTES));
      if (lines.byteLength > WRITE_BYTES) await flush();
    }
  }
  if (head !== null && head.length > 0) page.take(head);
  page.end();
  await flush();
  // A page that cannot be read may still be written: then its buffers are not used again.
  spare.giveBack(page.state.bytes);
  spare.giveBack(lines.memory);
  return {
    recordCount: ids.length,
    writtenBytes,
    crc32: checksumText(checksum),
    ids: ids,
    irregularRecords: counts.irregular,
    brokenRecords: counts.broken,
    brokenCrc32: counts.broken === 0 ? null : checksumText(counts.brokenCrc32),
    replacedSurrogates: page.state.replacedSurrogates,
  };
}

/** Buffers for scans that follow each other, as many as two pages at a time need. */
export function pageBuffers(): SpareBuffers {
  return spareBuffers(BUFFER_BYTES, 4);
}

/** A CRC-32 as 8 hex digits. */
export function checksumText(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}

interface OpenPage {
  readonly state: ScanState;
  readonly records: RecordTaker;
  /** Scans all whole records. The piece may be changed afterwards. */
  take(piece: Buffer): void;
  /** @throws {EdrlakeError} when something is missing */
  end(): void;
}

/**
 * Collects pieces until they contain whole records: a record that continues after a piece is scanned again with the
 * next.
 */
function openPage(
  { known, maxRecordBytes = MAX_RECORD_BYTES, recordsBefore }: PageScanOptions,
  spare: SpareBuffers,
): OpenPage {
  const work = workBuffer(spare.take());
  const { state } = work;
  const records = recordTaker(state, known, { maxRecordBytes, lineMemory: spare.take() });
  const utf8 = utf8Validator();
  const envelope = pageEnvelope(state, known, { maxMemberBytes: maxRecordBytes, recordsBefore: recordsBefore ?? null });
  let expected: Expected = 'array';
  /** Records follow each other without an array around them. */
  let isLines = false;
  // An incomplete record is only tried again when there is twice as much of it, so that small pieces cost no more than
  // large ones; at the limit in any case, because bytes after the record do not make it larger.
  let retryAtBytes = 0;

  /** Scans one step; returns how much is done. @param isLast no bytes follow */
  const step = (isLast = false): number => {
    let at = 0;
    if (records.isOpen()) {
      at = records.goOn(isLast);
      if (records.isOpen()) return at;
      expected = 'separator';
    }
    for (;;) {
      at = afterGap(state, at);
      if (at >= state.end) return state.end;
      const byte = state.bytes[at] as number;
      if (expected === 'member') {
        const to = envelope.memberEnd(at, byte);
        if (state.starved) return at;
        expected = envelope.isInList ? 'record or end' : 'next member';
        at = to;
        continue;
      }
      if (expected === 'array' && byte === 0x7b) {
        const opened = envelope.open(at);
        if (state.starved) return at;
        isLines = opened.expected === 'record';
        ({ at, expected } = opened);
        continue;
      }
      if (isLines && expected === 'separator') {
        if (byte !== 0x7b) throw broken(state, at, 'another record');
        expected = 'record';
        continue;
      }
      if (expected === 'separator' && byte === 0x2c) expected = 'record';
      else if (expected === 'array' && byte === 0x5b) expected = 'record or end';
      else if ((expected === 'separator' || expected === 'record or end') && byte === 0x5d)
        expected = envelope.endList();
      else if (expected === 'next member' && byte === 0x2c) expected = 'member';
      else if (expected === 'next member' && byte === 0x7d && envelope.hadList) expected = envelope.close(at);
      else if (expected === 'record' || expected === 'record or end') {
        const to = records.take(at);
        if (state.starved || records.isOpen()) return to;
        expected = 'separator';
        at = to;
        continue;
      } else throw unexpected(state, at, expected);
      at++;
    }
  };

  return {
    state,
    records,
    take(piece) {
      work.append(piece);
      if (!records.isDoubtful && !utf8.accepts(piece)) records.isDoubtful = true;
      if (state.end < retryAtBytes) return;
      state.starved = false;
      work.discard(step());
      retryAtBytes = Math.min(2 * state.end, maxRecordBytes + 1);
    },
    end() {
      // A postponed record may be whole by now.
      if (state.end > 0) {
        state.starved = false;
        work.discard(step());
      }
      if (records.isOpen()) work.discard(step(true));
      if (isLines && expected === 'separator' && !records.isOpen()) return;
      if (expected === 'nothing' || (expected === 'array' && state.offset + state.end === 0)) return;
      const isInRecord = records.isOpen() || (state.starved && (expected === 'record' || expected === 'record or end'));
      throw endedEarly(state, envelope.isListless(expected), isInRecord);
    },
  };
}

function endedEarly(state: ScanState, isWithoutArray: boolean, isInRecord: boolean): EdrlakeError {
  const offsetBytes = state.offset + state.end;
  const place = isWithoutArray ? 'without one' : isInRecord ? 'inside a record' : `after ${state.recordCount} records`;
  return new EdrlakeError(
    'BODY_BROKEN',
    `expected the end of the JSON array, the body ended after ${offsetBytes} bytes ${place}`,
    { disposition: 'retry', context: { offsetBytes, records: state.recordCount } },
  );
}
