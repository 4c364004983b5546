import { quoteFile } from '@edrlake/core';
import { damagedFiles, resizedFiles } from '../storage/checksum.ts';
import { isFileError } from '../storage/file-errors.ts';
import type { Store } from '../storage/store.ts';
import type { CommitContext } from './commit-context.ts';
import type { LoggedFile } from './lake-state.ts';
import { rowsOf } from './table-rows.ts';

/** What the footers of data files say. */
export interface Footers {
  /** Rows by path, of the files that are intact. */
  readonly rowCounts: ReadonlyMap<string, number>;
  /**
   * Files that are not what was committed: they are missing, their size or number of rows differs, their footers cannot
   * be read, or, where checksums were compared, their bytes differ. In the order given.
   */
  readonly lost: readonly LoggedFile[];
}

/** Files in one statement. */
const FILES_PER_STATEMENT = 1_000;

/**
 * Reads the footers of data files. Each file that is missing or broken costs a few more statements.
 * @param isVerified which files are read as a whole and compared with their checksums
 */
export function readFooters(
  context: Pick<CommitContext, 'store' | 'connection'>,
  files: readonly LoggedFile[],
  isVerified: (file: LoggedFile) => boolean,
): Promise<Footers> {
  return footersOf(context.store, files, isVerified, (present) => readRowCounts(context, present));
}

/**
 * The same, with any reader of footers.
 * @param countRows rows by path; what it cannot read it leaves out
 */
export async function footersOf(
  store: Store,
  files: readonly LoggedFile[],
  isVerified: (file: LoggedFile) => boolean,
  countRows: (files: readonly LoggedFile[]) => Promise<ReadonlyMap<string, number>>,
): Promise<Footers> {
  const broken = new Set(
    [...(await resizedFiles(store, files)), ...(await damagedFiles(store, files.filter(isVerified)))].map(
      ({ path }) => path,
    ),
  );
  const found = await countRows(files.filter(({ path }) => !broken.has(path)));
  const isWhole = ({ path, rowCount }: LoggedFile) => found.get(path) === rowCount;
  const whole = files.filter(isWhole);
  return {
    rowCounts: new Map(whole.map(({ path, rowCount }) => [path, rowCount])),
    lost: files.filter((file) => !isWhole(file)),
  };
}

/** Rows by path, as the footers say; files that cannot be read are left out. */
export async function readRowCounts(
  context: Pick<CommitContext, 'store' | 'connection'>,
  files: readonly LoggedFile[],
): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for (let first = 0; first < files.length; first += FILES_PER_STATEMENT) {
    await readSome(context, files.slice(first, first + FILES_PER_STATEMENT), found);
  }
  return found;
}

/** DuckDB fails the whole statement when one file is broken, so the list is halved until that file is alone. */
async function readSome(
  context: Pick<CommitContext, 'store' | 'connection'>,
  files: readonly LoggedFile[],
  found: Map<string, number>,
): Promise<void> {
  const byLocation = new Map(files.map(({ path }) => [context.store.locate(path), path]));
  const list = [...byLocation.keys()].map(quoteFile).join(', ');
  try {
    const rows = await rowsOf(
      context.connection,
      `SELECT file_name, num_rows::VARCHAR AS rows FROM parquet_file_metadata([${list}])`,
    );
    for (const { file_name, rows: count } of rows) {
      const path = byLocation.get(String(file_name));
      if (path !== undefined) found.set(path, Number(count));
    }
  } catch (thrown) {
    if (!isFileError(thrown)) throw thrown;
    if (files.length === 1) return;
    const middle = Math.ceil(files.length / 2);
    await readSome(context, files.slice(0, middle), found);
    await readSome(context, files.slice(middle), found);
  }
}
