import * as fs from 'node:fs';
import { crc32 } from 'node:zlib';
import type { FileWorld } from './files.ts';
import { currentProcess } from './simulated-process.ts';

const real = { ...fs };

/** Requests a turn for one operation on a path. */
export type Turn = <T>(
  kind: string,
  path: string,
  perform: () => T | Promise<T>,
  more?: { readonly detail?: string; readonly half?: () => unknown },
) => Promise<T>;

/** The used part of a handle of `fs/promises`. */
export interface SimulatedHandle {
  readonly fd: number;
  write(
    data: Uint8Array | string,
    offset?: number,
    length?: number,
    position?: number | null,
  ): Promise<{ bytesWritten: number; buffer: Uint8Array }>;
  writeFile(data: Uint8Array | string): Promise<void>;
  appendFile(data: Uint8Array | string): Promise<void>;
  read(
    buffer: Uint8Array,
    offset?: number,
    length?: number,
    position?: number | null,
  ): Promise<{ bytesRead: number; buffer: Uint8Array }>;
  readFile(options?: unknown): Promise<string | Buffer>;
  stat(): Promise<fs.Stats>;
  sync(): Promise<void>;
  datasync(): Promise<void>;
  truncate(length?: number): Promise<void>;
  close(): Promise<void>;
}

/** Opens a file of the disk, or a real one outside of it; a process that ends loses its handles. */
export async function openHandle(
  { disk }: FileWorld,
  path: string,
  flags: string,
  turn: Turn,
): Promise<SimulatedHandle> {
  const owner = currentProcess();
  const isWriting = flags !== 'r';
  let isOpen = true;
  const fd = await turn(isWriting ? 'create' : 'open', path, () => {
    const opened = disk.openFile(path, flags);
    owner?.atEnd.push(() => {
      if (isOpen) disk.close(opened);
      isOpen = false;
    });
    return opened;
  });
  const write = (bytes: Uint8Array, position: number | null) =>
    turn('write', path, () => disk.write(fd, bytes, position), {
      detail: fingerprint(bytes, disk.root),
      half: () => disk.write(fd, bytes.subarray(0, bytes.byteLength >> 1), position),
    });
  const writeAll = async (data: Uint8Array | string) => {
    const bytes = bytesOf(data);
    for (let written = 0; written < bytes.byteLength; ) written += await write(bytes.subarray(written), null);
  };
  const sync = () => turn('sync', path, () => disk.sync(fd));
  return {
    fd,
    async write(data, offset = 0, length, position = null) {
      const bytes = bytesOf(data);
      const part = bytes.subarray(offset, length === undefined ? undefined : offset + length);
      return { bytesWritten: await write(part, position), buffer: bytes };
    },
    writeFile: writeAll,
    appendFile: writeAll,
    async read(buffer, offset = 0, length = buffer.byteLength - offset, position = null) {
      const bytesRead = await turn('read', path, () => real.readSync(fd, buffer, offset, length, position));
      return { bytesRead, buffer };
    },
    readFile: (options) =>
      turn('read', path, () => {
        const encoding = typeof options === 'string' ? options : (options as { encoding?: string } | null)?.encoding;
        const bytes = real.readFileSync(fd);
        return encoding === undefined ? bytes : bytes.toString(encoding as BufferEncoding);
      }),
    stat: () => turn('stat', path, () => disk.statOpen(fd)),
    sync,
    datasync: sync,
    truncate: (length = 0) =>
      turn('write', path, () => real.ftruncateSync(fd, length), { detail: ` truncated to ${length}` }),
    close: () =>
      turn('close', path, () => {
        if (isOpen) disk.close(fd);
        isOpen = false;
      }),
  };
}

/** Distinguishes contents, independent of the name of this run's folder. */
function fingerprint(bytes: Uint8Array, root: string): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1').replaceAll(root, '');
  return ` ${text.length} ${crc32(Buffer.from(text, 'latin1')).toString(16)}`;
}

function bytesOf(data: Uint8Array | string): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data) : data;
}
