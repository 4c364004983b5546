import { EdrlakeError } from './errors.ts';

/** What usually helps, by the error number of the system. */
const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full: free some space (or inodes, see df -i) and run again.',
  EDQUOT: 'The disk quota is used up: free some space and run again.',
  EROFS: 'The file system is mounted read-only.',
  EEXIST: 'A file is in the place of a folder: move it away, or choose another --lake directory.',
  ENOTDIR: 'A part of that path is a file, not a folder: choose another --lake directory.',
  EMFILE: 'Too many files are open: raise the limit (ulimit -n) and run again.',
  ENFILE: 'Too many files are open on this machine: close some programs and run again.',
  EIO: 'The disk reports an error: check the disk and its cables, then run again.',
};

const OWNERSHIP = 'Check who owns the directory and its permissions, or choose another --lake directory.';

/** Calls of the file system, as Node names them in `syscall`. */
const FILE_CALLS: ReadonlySet<string> = new Set(
  'access,close,copyfile,fdatasync,fstat,fsync,ftruncate,futime,link,lstat,mkdir,mkdtemp,open,opendir,read,readlink,realpath,rename,rm,rmdir,scandir,stat,statfs,symlink,unlink,utime,write'.split(
    ',',
  ),
);

/** `ENOENT`, `EACCES` and the like, or the text of what was thrown. */
export function errnoOf(thrown: unknown): string {
  return (thrown as NodeJS.ErrnoException | null)?.code ?? String(thrown);
}

/** Whether it is an error of the file system as Node throws it, not yet turned into an `EdrlakeError`. */
export function isDiskError(thrown: unknown): thrown is NodeJS.ErrnoException {
  if (!(thrown instanceof Error) || thrown instanceof EdrlakeError) return false;
  const { syscall } = thrown as NodeJS.ErrnoException;
  return syscall !== undefined && FILE_CALLS.has(syscall) && /^E[A-Z0-9]+$/.test(errnoOf(thrown));
}

/** The `LAKE_UNWRITABLE` of a write that failed, with what usually helps. */
export function unwritable(path: string, thrown: unknown): EdrlakeError {
  const errno = errnoOf(thrown);
  return new EdrlakeError('LAKE_UNWRITABLE', `cannot write ${path}: ${errno}`, {
    cause: thrown,
    context: { path, errno },
    hint: HINTS[errno] ?? OWNERSHIP,
  });
}

/**
 * The `LAKE_CORRUPT` of a file or folder that may exist but cannot be read.
 * @param what the beginning of the message: what failed at which path
 */
export function unreadable(what: string, thrown: unknown): EdrlakeError {
  const errno = errnoOf(thrown);
  return new EdrlakeError('LAKE_CORRUPT', `${what}: ${errno}`, {
    cause: thrown,
    context: { errno },
    hint: HINTS[errno] ?? 'Check the disk and the permissions of the lake.',
  });
}

/** An error of the file system as a `LAKE_UNWRITABLE` with its path; anything else as it is. */
export function explainDiskError(thrown: unknown): unknown {
  return isDiskError(thrown) ? unwritable(thrown.path ?? `to the lake (${thrown.syscall})`, thrown) : thrown;
}
