import { linkSync, rmSync, writeFileSync } from 'node:fs';
import { type FileHandle, link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, unwritable } from '../errors/disk-error.ts';

// A power cut can take three things, and each is synced by itself: the bytes of a file, the name of a file in its
// folder, and the name of a new folder in the folder above. Every function here says which of them it syncs.

/**
 * What a power cut leaves of a file that was replaced.
 * - `name`: the new content, because bytes and name are synced.
 * - `bytes`: the old content or the new content, whole, because the bytes are synced before the rename.
 * - `nothing`: the old content, the new content, or an empty file. Only the end of the process is survived.
 */
export type Durability = 'name' | 'bytes' | 'nothing';

/** How a file is written beside its place first. */
export interface WriteSteps {
  /** Path in the folder of the file. No other process may use it at the same time. */
  readonly temporary: string;
  /** The error to throw for a refusal of the file system at a path. @default the error as it was thrown */
  readonly refusal?: (path: string, thrown: unknown) => unknown;
}

/** Writes all of the bytes, in the order of the calls. */
export type WriteBytes = (bytes: Uint8Array) => Promise<void>;

/**
 * Creates or replaces a file. Readers see the old content or the new one, never a part. Syncs what `syncs` says.
 * When it fails before the rename, the old file is as it was and the temporary file is removed.
 */
export async function writeAtomic(
  path: string,
  content: string | Uint8Array,
  steps: WriteSteps & { readonly syncs: Durability },
): Promise<void> {
  await writeAtomicStream(path, (write) => write(Buffer.from(content)), steps);
}

/**
 * As `writeAtomic`, with content that arrives in parts. What `fill` throws is thrown as it is.
 * @returns what `fill` returns
 */
export async function writeAtomicStream<T>(
  path: string,
  fill: (write: WriteBytes) => Promise<T>,
  { syncs, ...steps }: WriteSteps & { readonly syncs: Durability },
): Promise<T> {
  const { temporary } = steps;
  let result: T;
  try {
    result = await writeTemporary(fill, steps, syncs !== 'nothing');
    await refusing(steps, path, () => rename(temporary, path));
  } catch (thrown) {
    // Best effort: no reader takes a temporary file for a whole one, and the first error is the one that matters.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw thrown;
  }
  if (syncs === 'name') await syncFolderOf(path, steps);
  return result;
}

/**
 * Creates a file with all of its content, or returns false and changes nothing where the name is taken. Of racing
 * callers exactly one gets true. Syncs bytes and name.
 */
export async function createExclusive(path: string, content: string | Uint8Array, steps: WriteSteps): Promise<boolean> {
  const { temporary } = steps;
  try {
    await writeTemporary((write) => write(Buffer.from(content)), steps, true);
    // link(2) fails when the name exists, and what appears under the name is complete and synced.
    const isTaken = await refusing(steps, path, () =>
      link(temporary, path).then(
        () => false,
        (thrown) => {
          if (errnoOf(thrown) === 'EEXIST') return true;
          throw thrown;
        },
      ),
    );
    if (isTaken) return false;
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
  await syncFolderOf(path, steps);
  return true;
}

/**
 * As `createExclusive`, but synchronous, and it syncs nothing: after a power cut the file may be empty or missing.
 * For updates that take a fraction of a millisecond and must be one step for their own process, too.
 */
export function createExclusiveUnsynced(path: string, text: string, temporary: string): boolean {
  writeFileSync(temporary, text);
  try {
    linkSync(temporary, path);
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) === 'EEXIST') return false;
    throw thrown;
  } finally {
    // The next temporary file must be another inode: this one is the file now.
    rmSync(temporary, { force: true });
  }
}

/**
 * Appends text to an open file. Syncs the bytes and the size; the name of a new file is synced by `syncPath` of its
 * folder. A crash may leave a part of the text at the end of the file.
 */
export async function appendDurable(file: FileHandle, text: string): Promise<void> {
  await file.appendFile(text);
  await file.datasync();
}

/** Appends to a file, in one write, and makes it where it is missing. Syncs nothing: a power cut may take the text. */
export async function appendUnsynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'a');
  try {
    await file.appendFile(text);
  } finally {
    await file.close();
  }
}

/** Syncs one thing: the bytes of a file, or the names in a folder. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Syncs the names in a folder. A folder that has been removed meanwhile has no names to keep. */
export async function syncNames(folder: string): Promise<void> {
  await syncPath(folder).catch((thrown) => {
    if (errnoOf(thrown) !== 'ENOENT') throw thrown;
  });
}

/**
 * Makes a folder and those above it. Node's `recursive` is not used: its asynchronous form reports ENOENT where the
 * system reported a full or broken disk.
 * It syncs nothing.
 * @returns the folders that were made, the highest last
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`
 */
export async function makeFolder(path: string): Promise<string[]> {
  const first = await tryMkdir(path);
  if (first === 'made') return [path];
  if (first === 'there') return [];
  if (dirname(path) === path) throw unwritable(path, first.thrown);
  const above = await makeFolder(dirname(path));
  const second = await tryMkdir(path);
  if (typeof second === 'object') throw unwritable(path, second.thrown);
  return second === 'made' ? [path, ...above] : above;
}

/** An object where the folder above is missing. */
async function tryMkdir(path: string): Promise<'made' | 'there' | { readonly thrown: unknown }> {
  try {
    await mkdir(path);
    return 'made';
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return { thrown };
    if (errnoOf(thrown) === 'EEXIST' && (await isFolder(path))) return 'there';
    throw unwritable(path, thrown);
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function syncFolderOf(path: string, steps: WriteSteps): Promise<void> {
  await refusing(steps, dirname(path), () => syncNames(dirname(path)));
}

async function writeTemporary<T>(
  fill: (write: WriteBytes) => Promise<T>,
  steps: WriteSteps,
  isSynced: boolean,
): Promise<T> {
  const { temporary } = steps;
  const file = await refusing(steps, temporary, () => open(temporary, 'w'));
  try {
    const result = await fill((bytes) => refusing(steps, temporary, () => writeAll(file, bytes)));
    if (isSynced) await refusing(steps, temporary, () => file.sync());
    return result;
  } finally {
    await refusing(steps, temporary, () => file.close());
  }
}

/** A write may take less than it was given, for example when the disk is nearly full. */
async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    written += (await file.write(bytes, written, bytes.length - written)).bytesWritten;
  }
}

async function refusing<T>(
  { refusal }: Pick<WriteSteps, 'refusal'>,
  path: string,
  operation: () => Promise<T>,
): Promise<T> {
  try {
    return await operation();
  } catch (thrown) {
    throw refusal === undefined ? thrown : refusal(path, thrown);
  }
}
