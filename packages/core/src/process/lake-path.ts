import { EdrlakeError } from '../errors/errors.ts';

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
