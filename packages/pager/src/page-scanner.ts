import { crc32 } from 'node:zlib';
import { EdrlakeError } from '@edrlake/core';
import { OUTPUT_SLACK_BYTES, type RecordOutput, type RecordScan } from './record-scan.ts';
import { finishScan, scanChunk, startScan } from './record-scanner.ts';
import { type Utf8Check, utf8Check } from './utf8-check.ts';

/** DuckDB reads JSON objects up to 16 MiB; one byte more and it refuses the whole file. */
export const MAX_RECORD_BYTES = 15 * 1_048_576;

/** So much is scanned at once, and output is handed on when less room is left. Small enough to stay in a core's cache. */
const PIECE_BYTES = 131_072;

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** How a page is read and where its records go. */
export interface PageScanOptions {
  /** Top-level fields that may hold a record's identity; the first that is a number or a string that is not blank counts. */
  readonly idFields: readonly string[];
  /** Default `MAX_RECORD_BYTES`. */
  readonly maxRecordBytes?: number;
  /** Takes the NDJSON bytes in order. The buffer is used again as soon as the promise is fulfilled. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
}

/** What one page held. */
export interface ScannedPage {
  readonly recordCount: number;
  /** Bytes written, line breaks included. */
  readonly writtenBytes: number;
  /** CRC-32 of the bytes written, 8 hex digits. */
  readonly crc32: string;
  /** One per record, in order; null where a record has no identity. */
  readonly ids: readonly (string | null)[];
  /** Halves of surrogate pairs that were written as `\ufffd`. */
  readonly replacedSurrogates: number;
}

/**
 * Reads the body of one page, a JSON array of objects, in one pass over its bytes and writes its records as
 * newline-delimited JSON in the order delivered. Bytes of a record stay as they are, but for raw line breaks between
 * its tokens, which become spaces, and escaped halves of surrogate pairs, which become `\ufffd` (they are no text and
 * DuckDB refuses them). An empty body holds no records, as the API answers 204 when it finds nothing.
 *
 * It checks all of RFC 8259 except that the names within an object are unique; two strings are the same identity
 * however they are escaped, a number is its text as delivered. Memory: one chunk and half a mebibyte, and the ids.
 * @throws {EdrlakeError} `BODY_BROKEN` (`retry`) for a body that ends early, goes on after the array, is not an array of
 *   objects, not JSON or not UTF-8; `RECORD_TOO_LARGE`. Part of the output may be written by then: throw it away.
 */
export async function scanPage(body: AsyncIterable<Uint8Array>, options: PageScanOptions): Promise<ScannedPage> {
  const scan = startScan(options.idFields, options.maxRecordBytes ?? MAX_RECORD_BYTES);
  const utf8 = utf8Check();
  const output = outputBuffer();
  const work = Buffer.allocUnsafe(PIECE_BYTES);
  // The scan blanks line breaks in place, and the body's chunks are not ours to change.
  const workCopy = (part: Buffer) => work.subarray(0, part.copy(work));
  let writtenBytes = 0;
  let checksum = 0;
  const flush = async () => {
    const bytes = output.take();
    if (bytes.length === 0) return;
    checksum = crc32(bytes, checksum);
    writtenBytes += bytes.length;
    await options.write(bytes);
    output.reset();
  };
  let head: Buffer | null = Buffer.alloc(0);
  for await (const received of body) {
    let chunk = Buffer.from(received.buffer, received.byteOffset, received.length);
    if (head !== null) {
      // A byte order mark may be cut by chunk boundaries; three bytes decide.
      if (head.length > 0) chunk = Buffer.concat([head, chunk]);
      head = chunk.length < BYTE_ORDER_MARK.length ? Buffer.from(chunk) : null;
      if (head !== null) continue;
      if (chunk.subarray(0, 3).equals(BYTE_ORDER_MARK)) chunk = chunk.subarray(3);
    }
    for (let from = 0; from < chunk.length; from += PIECE_BYTES) {
      const part = chunk.subarray(from, from + PIECE_BYTES);
      if (output.room() < part.length + OUTPUT_SLACK_BYTES) await flush();
      scanPart(scan, workCopy(part), output, utf8);
    }
  }
  if (head !== null && head.length > 0) scanPart(scan, head, output, utf8);
  if (!utf8.ended()) throw notUtf8(scan);
  finishScan(scan);
  await flush();
  return {
    recordCount: scan.ids.ids.length,
    writtenBytes,
    crc32: checksumText(checksum),
    ids: scan.ids.ids,
    replacedSurrogates: scan.held.replaced,
  };
}

/** A CRC-32 as 8 hex digits. */
export function checksumText(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}

/** Structure first: a body that is something else altogether is better told by its first byte than by its encoding. */
function scanPart(scan: RecordScan, part: Buffer, output: RecordOutput, utf8: Utf8Check): void {
  const isUtf8 = utf8.accepts(part);
  scanChunk(scan, part, output);
  if (!isUtf8) throw notUtf8(scan);
}

function notUtf8(scan: RecordScan): EdrlakeError {
  return new EdrlakeError('BODY_BROKEN', `expected UTF-8, found other bytes before byte ${scan.offset} of the body`, {
    disposition: 'retry',
    context: { offsetBytes: scan.offset, records: scan.ids.ids.length },
  });
}

/** The bytes not yet written: one buffer, used over and over. */
function outputBuffer() {
  const bytes = Buffer.allocUnsafe(2 * PIECE_BYTES);
  let length = 0;
  return {
    append(source: Uint8Array, from: number, to: number): void {
      if (from === to) return;
      bytes.set(from === 0 && to === source.length ? source : source.subarray(from, to), length);
      length += to - from;
    },
    endLine(): void {
      bytes[length++] = 0x0a;
    },
    room: () => bytes.length - length,
    take: () => bytes.subarray(0, length),
    reset(): void {
      length = 0;
    },
  };
}
