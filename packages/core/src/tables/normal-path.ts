/** Whether a path is written the Windows way: it has a drive or a backslash and does not start at a Unix root. */
export function isWindowsPath(path: string): boolean {
  return !path.startsWith('/') && (path.includes('\\') || /^[A-Za-z]:/.test(path));
}

/**
 * A path with single separators and no trailing one. Windows paths get backslashes and keep the two that begin a UNC
 * path; a drive's root keeps its backslash, and so does everything else of at most three characters.
 */
export function normalPath(path: string): string {
  if (isWindowsPath(path)) {
    const unc = path.startsWith('\\\\') ? '\\' : '';
    return withoutTrailing(unc + path.replace(/[\\/]+/g, '\\'), '\\', 3);
  }
  return withoutTrailing(path.replace(/\/+/g, '/'), '/', 1);
}

function withoutTrailing(path: string, separator: string, kept: number): string {
  return path.endsWith(separator) && [...path].length > kept ? path.slice(0, -1) : path;
}
