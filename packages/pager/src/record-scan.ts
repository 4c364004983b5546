import { EdrlakeError } from '@edrlake/core';
import type { RecordIds } from './record-ids.ts';
import type { HeldEscape } from './string-escapes.ts';

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

/** Hands bytes of the current record on. @throws {EdrlakeError} `RECORD_TOO_LARGE`. */
export function appendPart(scan: RecordScan, bytes: Uint8Array, from: number, to: number, output: RecordOutput): void {
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

/** Names one byte and its place, never more of the body: it may hold what no log should. */
export function broken(scan: RecordScan, at: number, wanted: string, byte: number): EdrlakeError {
  const offsetBytes = scan.offset + at;
  const found =
    byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16).padStart(2, '0')}`;
  return new EdrlakeError('BODY_BROKEN', `expected ${wanted} at byte ${offsetBytes} of the body, found ${found}`, {
    disposition: 'retry',
    context: { offsetBytes, records: scan.ids.ids.length },
  });
}
