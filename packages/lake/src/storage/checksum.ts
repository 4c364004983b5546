import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { EdrlakeError, errnoOf, unreadable } from '@edrlake/core';
import type { Store, SummedFile } from './store.ts';

/** Size and CRC-32 of a file. */
export interface FileSum {
  readonly bytes: number;
  readonly crc32: number;
}

/** Bytes read at a time. */
const CHUNK_BYTES = 1024 * 1024;

/** Buffers between two uses: a new one for each file makes the garbage collector run more than reading does. */
const idleBuffers: Buffer[] = [];
const MAX_IDLE_BUFFERS = 4;

/**
 * Reads a file once, in constant memory; null when there is none. A file that was just written comes from the page
 * cache.
 * @throws {EdrlakeError} `LAKE_CORRUPT` when it cannot be read: that does not prove that it is broken.
 */
export function sumFile(location: string): Promise<FileSum | null> {
  return reading(location, (file) => sumFrom(file, 0, Number.POSITIVE_INFINITY));
}

/** A part of a file: from a byte on, up to but without another. */
export interface FilePart {
  readonly from: number;
  readonly to: number;
}

/**
 * Reads some parts of a file; null when there is none. A part that the file does not have has fewer bytes.
 * @throws {EdrlakeError} `LAKE_CORRUPT` as `sumFile`
 */
export function sumParts(location: string, parts: readonly FilePart[]): Promise<FileSum[] | null> {
  return reading(location, async (file) => {
    const sums: FileSum[] = [];
    for (const { from, to } of parts) sums.push(await sumFrom(file, from, to));
    return sums;
  });
}

async function reading<T>(location: string, read: (file: FileHandle) => Promise<T>): Promise<T | null> {
  let file: FileHandle;
  try {
    file = await open(location, 'r');
  } catch (thrown) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(errnoOf(thrown))) return null;
    throw unreadable(`${location} cannot be read`, thrown);
  }
  try {
    // A folder of that name, which a restored backup may leave, is not the file.
    if ((await file.stat()).isDirectory()) return null;
    return await read(file);
  } catch (thrown) {
    throw unreadable(`${location} cannot be read`, thrown);
  } finally {
    await file.close().catch(() => undefined);
  }
}

async function sumFrom(file: FileHandle, from: number, to: number): Promise<FileSum> {
  const buffer = idleBuffers.pop() ?? Buffer.allocUnsafe(CHUNK_BYTES);
  try {
    let [bytes, sum] = [0, 0];
    while (from + bytes < to) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, to - from - bytes), from + bytes);
      if (bytesRead === 0) break;
      sum = crc32(buffer.subarray(0, bytesRead), sum);
      bytes += bytesRead;
    }
    return { bytes, crc32: sum };
  } finally {
    if (idleBuffers.length < MAX_IDLE_BUFFERS) idleBuffers.push(buffer);
  }
}

/** The files that are missing or differ in size from the log. Reads no content. */
export async function resizedFiles<T extends SummedFile>(store: Store, files: readonly T[]): Promise<T[]> {
  const things = await store.look(files.map(({ path }) => path));
  return files.filter(({ fileBytes }, position) => {
    const thing = things[position] ?? null;
    return thing === null || (fileBytes !== undefined && thing.bytes !== fileBytes);
  });
}

/** The files that are missing or whose bytes differ from what was written. Reads all of them. */
export async function damagedFiles<T extends SummedFile>(store: Store, files: readonly T[]): Promise<T[]> {
  const damaged: T[] = [];
  await store.remote?.bring(files);
  for (const file of files) {
    const [one] = file.crc32 === undefined ? await resizedFiles(store, [file]) : [];
    if (one !== undefined) damaged.push(one);
    if (file.crc32 === undefined) continue;
    const sum = await sumFile(store.locate(file.path));
    if (sum?.crc32 !== file.crc32 || (file.fileBytes !== undefined && sum.bytes !== file.fileBytes)) damaged.push(file);
  }
  return damaged;
}

/** Refuses to copy rows out of damaged files: the copy would have a valid checksum. */
export async function refuseDamaged(store: Store, files: readonly SummedFile[]): Promise<void> {
  const [damaged] = await damagedFiles(store, files);
  if (damaged === undefined) return;
  throw new EdrlakeError('LAKE_CORRUPT', `${damaged.path} is missing or does not have the bytes that were written`, {
    context: { path: damaged.path },
    hint: 'Restore the file from a backup, or run: edrlake reconcile --repair',
  });
}
