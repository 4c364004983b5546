const NUMBERS: Readonly<Record<string, number>> = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  EACCES: 13,
  EEXIST: 17,
  EMFILE: 24,
  ENOSPC: 28,
  EROFS: 30,
  EDQUOT: 122,
};

/** An error as Node reports that of a system call. */
export function systemError(code: string, call: string, path: string): NodeJS.ErrnoException {
  const error = new Error(`${code}: simulated, ${call} '${path}'`) as NodeJS.ErrnoException;
  error.code = code;
  error.syscall = call;
  error.path = path;
  error.errno = -(NUMBERS[code] ?? 5);
  return error;
}
