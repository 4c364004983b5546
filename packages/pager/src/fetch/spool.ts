import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import {
  EdrlakeError,
  errnoOf,
  makeFolder,
  type RecordShape,
  type SpooledPage,
  syncPath,
  unwritable,
  writeAtomicStream,
} from '@edrlake/core';
import { type FieldTable, fieldTable } from '../scan/field-table.ts';
import { asDelivered } from '../scan/ndjson-lines.ts';
import { checksumText, pageBuffers, type ScannedPage, scanPage } from '../scan/page-scanner.ts';
import type { SpareBuffers } from '../scan/spare-buffers.ts';

/** Neither DuckDB's patterns for data files nor a resumed run take a file with this suffix for a page. */
const UNFINISHED = '.part';

const READ_BYTES = 131_072;

/**
 * Increased with each change of how a scan writes records that fit a shape. Flattening relies on it, so a resumed run
 * must fetch pages of an older edrlake again.
 */
const LINE_RULES = 2;

/** A page on disk and the identity of each of its records, in order; null where a record has none. */
export interface PageWithIds {
  readonly page: SpooledPage;
  readonly ids: readonly (string | null)[];
  /** The checksum of its unreadable records, where this answer had any. */
  readonly brokenCrc32?: string;
}

/** What one answer listed. */
export type Listing = Pick<PageWithIds, 'ids'>;

/**
 * The window, number and attempt of a page: a window that did not add up is fetched again, and both attempts are
 * stored.
 */
export interface PageKey {
  readonly windowId: string;
  readonly pageNumber: number;
  /** 0 for the first attempt. */
  readonly attempt: number;
}

/** The attempt of a page on disk: a resumed run must not overwrite the pages from which it continues. */
export function attemptOf(page: SpooledPage): number {
  return Number(/-retry(\d+)\.ndjson$/.exec(page.path)?.[1] ?? 0);
}

/**
 * Pages on disk between fetching and committing: `<directory>/<windowId>/<pageNumber>.ndjson`, and
 * `<pageNumber>-retry<attempt>.ndjson` for later attempts. A file with the name of a page is whole. After a crash there
 * may be `.part` files next to it, which are never read and which `openSpool` removes. One process works on a spool at
 * a time. Any error of the disk is `LAKE_UNWRITABLE`.
 */
export interface Spool {
  /**
   * Scans one page body into its file: temporary file, sync, rename. May be called again for the same page.
   * @param recordsBefore as `PageScanOptions`
   * @throws {EdrlakeError} `BODY_BROKEN`, `LAKE_UNWRITABLE`, or what the body throws; then there is no file.
   */
  writePage(key: PageKey, body: AsyncIterable<Uint8Array>, recordsBefore?: number): Promise<PageWithIds>;
  /**
   * Reads a page again: null unless its lines were written by the same rules for the same shape, and the file has the
   * size, checksum and number of records that it had.
   */
  verifyPage(page: SpooledPage): Promise<PageWithIds | null>;
  /** Removes one page's file. */
  removePage(page: SpooledPage): Promise<void>;
  /** Makes the names of a window's pages survive a power failure. Without it they survive only the process. */
  syncWindow(windowId: string): Promise<void>;
  /** Removes all pages of a window. No error when there are none. */
  removeWindow(windowId: string): Promise<void>;
}

/** The source's `idFields`, and the shape of its records. */
export interface SpoolRecords {
  readonly idFields: readonly string[];
  readonly shape: RecordShape | null;
}

/**
 * Opens the spool in `directory`, creates it when it is missing and removes half-written files of a killed process.
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`
 */
export async function openSpool(directory: string, records: SpoolRecords): Promise<Spool> {
  await makeFolder(directory);
  await onDisk(directory, () => removeUnfinished(directory));
  const known = fieldTable(records.shape, records.idFields);
  const knownIds = fieldTable(null, records.idFields);
  const format = checksumText(crc32(JSON.stringify([LINE_RULES, records.shape])));
  const spare = pageBuffers();
  const windowDirectories = new Set<string>();
  const windowDirectory = async (windowId: string) => {
    const path = join(directory, windowId);
    if (!windowDirectories.has(windowId)) {
      await makeFolder(path);
      await onDisk(directory, () => syncPath(directory));
      windowDirectories.add(windowId);
    }
    return path;
  };
  return {
    async writePage(key, body, recordsBefore) {
      const path = join(await windowDirectory(key.windowId), pageFile(key));
      const scanned = await writePageFile(path, body, { known, spare, recordsBefore });
      return pageOf(key, path, format, scanned);
    },
    verifyPage: async (page) =>
      page.format === format
        ? verifyPage(page, { known: knownIds, spare }, records.shape === null ? (line) => line : asDelivered)
        : null,
    removePage: (page) => onDisk(page.path, () => rm(page.path, { force: true })),
    async syncWindow(windowId) {
      if (!windowDirectories.has(windowId)) return;
      await onDisk(directory, () => syncPath(join(directory, windowId)));
    },
    async removeWindow(windowId) {
      windowDirectories.delete(windowId);
      await removeWindow(directory, windowId);
    },
  };
}

/**
 * Removes all pages of a window from a spool, after its commit. No error when there are none.
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`
 */
export async function removeWindow(spoolDirectory: string, windowId: string): Promise<void> {
  const path = join(spoolDirectory, windowId);
  await onDisk(path, () => rm(path, { recursive: true, force: true }));
}

function pageFile({ pageNumber, attempt }: PageKey): string {
  return attempt === 0 ? `${pageNumber}.ndjson` : `${pageNumber}-retry${attempt}.ndjson`;
}

function pageOf({ windowId, pageNumber }: PageKey, path: string, format: string, scanned: ScannedPage): PageWithIds {
  const { writtenBytes, recordCount, crc32, ids, brokenCrc32 } = scanned;
  const page = { windowId, pageNumber, path, bodyBytes: writtenBytes, recordCount, crc32, format };
  return { page, ids, ...(brokenCrc32 !== null && { brokenCrc32 }) };
}

/** What all scans of a spool share. */
interface ScanTools {
  readonly known: FieldTable;
  readonly spare: SpareBuffers;
}

/** Syncs the bytes; the page's name is synced by `syncWindow`, once for all pages of a window. */
async function writePageFile(
  path: string,
  body: AsyncIterable<Uint8Array>,
  { recordsBefore, ...tools }: ScanTools & { readonly recordsBefore: number | undefined },
): Promise<ScannedPage> {
  const steps = { temporary: `${path}${UNFINISHED}`, syncs: 'bytes', refusal: unwritable } as const;
  return writeAtomicStream(
    path,
    (write) => scanPage(body, { ...tools, write, ...(recordsBefore !== undefined && { recordsBefore }) }),
    steps,
  );
}

/** The record from which the line was made. It may be part of the line. */
type RecordOfLine = (line: Buffer) => Buffer;

/** Compares the file's checksum, and scans it as if it were the page, which yields the ids. */
async function verifyPage(page: SpooledPage, tools: ScanTools, recordOf: RecordOfLine): Promise<PageWithIds | null> {
  try {
    const file = { crc32: 0 };
    const scanned = await scanPage(linesAsArray(page, recordOf, file), {
      ...tools,
      write: async () => undefined,
    });
    const same = checksumText(file.crc32) === page.crc32 && scanned.recordCount === page.recordCount;
    return same ? { page, ids: scanned.ids } : null;
  } catch (thrown) {
    if (thrown instanceof EdrlakeError && thrown.code !== 'LAKE_UNWRITABLE') return null;
    if (isMissing(thrown)) return null;
    throw thrown;
  }
}

/**
 * The records of a spooled page as the array in which they were delivered. A file of another size is incomplete, which
 * the scan refuses.
 */
async function* linesAsArray(
  { path, bodyBytes: sizeBytes }: SpooledPage,
  recordOf: RecordOfLine,
  checksum: { crc32: number },
): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r');
  try {
    if ((await file.stat()).size !== sizeBytes) {
      yield Buffer.from('[');
      return;
    }
    let separator = '[';
    let rest = Buffer.alloc(0);
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (let offset = 0; offset < sizeBytes; ) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES, offset);
      if (bytesRead === 0) return;
      offset += bytesRead;
      checksum.crc32 = crc32(buffer.subarray(0, bytesRead), checksum.crc32);
      const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      const records: Buffer[] = [];
      let from = 0;
      for (let to = bytes.indexOf(0x0a); to !== -1; to = bytes.indexOf(0x0a, from)) {
        records.push(Buffer.from(separator), recordOf(bytes.subarray(from, to)));
        separator = ',';
        from = to + 1;
      }
      rest = bytes.subarray(from);
      yield Buffer.concat(records);
    }
    // Text after the last line break is not a line.
    if (rest.length === 0) yield Buffer.from(separator === '[' ? '[]' : ']');
  } finally {
    await file.close();
  }
}

async function removeUnfinished(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const windowDirectory = join(directory, entry.name);
    for (const name of await readdir(windowDirectory)) {
      if (name.endsWith(UNFINISHED)) await rm(join(windowDirectory, name), { force: true });
    }
  }
}

/** Runs an operation on a file or folder of the spool. An error of the disk concerns every window. */
async function onDisk<T>(path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (thrown) {
    throw unwritable(path, thrown);
  }
}

function isMissing(thrown: unknown): boolean {
  return errnoOf(thrown) === 'ENOENT';
}
