import { readlink, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { EdrlakeError, errnoOf } from '@edrlake/core';

/** Where an output path leads. */
export interface OutputTarget {
  /** Absolute; the end of symbolic links. */
  readonly path: string;
  /**
   * Whether a file may be renamed onto the path: where there is nothing, or a regular file. A device, a pipe or an open
   * file of a process must be written to instead: a rename would replace its name, and its reader would get nothing.
   */
  readonly isReplaceable: boolean;
}

/** Names of the open files of a process. They may be regular files that other processes write to as well. */
const OPEN_FILE = /^\/(?:dev\/(?:std(?:in|out|err)|fd\/\d+)|proc\/[^/]+\/(?:task\/\d+\/)?fd\/\d+)$/;

const MAX_LINKS = 16;

/** Errors of a path that can never be an output; all other errors while writing are about the disk or the device. */
const WRONG_PATH = /^(ENOENT|ENOTDIR|EISDIR|EACCES|EPERM|EROFS|ELOOP|ENAMETOOLONG|EINVAL|ENXIO|ETXTBSY)$/;

const REASONS: Readonly<Record<string, string>> = {
  EISDIR: 'it is a directory',
  ENOENT: 'there is no such directory',
  ENOTDIR: 'a part of its path is not a directory',
  EACCES: 'you have no permission to write there',
  EPERM: 'you have no permission to write there',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk or the device is full',
  EDQUOT: 'the quota of this account is used up',
  EPIPE: 'the reader closed the pipe before the end',
};

/**
 * Finds out what is at a path that the user named for output.
 * @throws {EdrlakeError} `USAGE` for a directory, or a path that leads nowhere
 */
export async function outputTarget(path: string): Promise<OutputTarget> {
  try {
    if (OPEN_FILE.test(path)) return { path, isReplaceable: false };
    let candidate = path;
    for (let links = 0; links < MAX_LINKS; links += 1) {
      const found = await stat(candidate).catch(nullIfAbsent);
      if (found?.isDirectory()) throw outputError(path, null, 'EISDIR');
      if (found !== null) return { path: await realpath(candidate), isReplaceable: found.isFile() };
      const next = await readlink(candidate).catch(nullIfAbsent);
      if (next === null) break;
      candidate = resolve(dirname(candidate), next);
    }
    return { path: candidate, isReplaceable: true };
  } catch (thrown) {
    throw outputError(path, thrown);
  }
}

/**
 * Explains why a result could not be written: `USAGE` for the path, `OUTPUT_FAILED` for everything else.
 * @param code of the file system's error, where `thrown` does not have it
 */
export function outputError(path: string, thrown: unknown, code = errnoOf(thrown)): EdrlakeError {
  if (thrown instanceof EdrlakeError && thrown.code !== 'QUERY_FAILED' && thrown.code !== 'LAKE_UNWRITABLE')
    return thrown;
  const isPath = WRONG_PATH.test(code);
  return new EdrlakeError(
    isPath ? 'USAGE' : 'OUTPUT_FAILED',
    `cannot write ${path}: ${REASONS[code] ?? 'it failed'} (${code})`,
    { cause: thrown, hint: isPath ? 'Check the path.' : 'The output is incomplete.' },
  );
}

function nullIfAbsent(thrown: unknown): null {
  if (/^(ENOENT|EINVAL)$/.test(errnoOf(thrown))) return null;
  throw thrown;
}
