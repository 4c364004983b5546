import { EdrlakeError } from '../errors/errors.ts';

/** `s3://…` and the like. Resolved, it would name a folder `s3:` of this machine. */
const ADDRESS = /^[a-z][a-z0-9+.-]+:\/\//i;

/**
 * Refuses an address in the place of a folder, before it is resolved.
 * @throws {EdrlakeError} `USAGE`
 */
export function refuseLakeAddress(given: string): string {
  if (!ADDRESS.test(given)) return given;
  throw new EdrlakeError('USAGE', `a lake is a folder of this machine, found the address ${given}`, {
    hint: 'Give a folder with --lake. A lake is written with hard links, which object stores do not have.',
  });
}

/**
 * Checks that DuckDB can open the `lake.duckdb` of a lake at this path. In the path of a database, DuckDB takes a
 * question mark for the beginning of parameters, and would write beside the lake.
 * @throws {EdrlakeError} `USAGE`
 */
export function usableLakePath(directory: string): string {
  if (!directory.includes('?')) return directory;
  throw new EdrlakeError('USAGE', `a lake cannot be in a folder with a question mark in its path: ${directory}`, {
    context: { directory },
    hint: 'Rename the folder, or choose another one with --lake.',
  });
}
