import { type Day, dayOf, sum, type TimeRange } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import { type Content, contentOf, sumDigests } from '../log/content-digest.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { partitionDay, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import { sumFile } from '../storage/checksum.ts';
import { isFileError } from '../storage/file-errors.ts';

/** A file that is not what a commit wrote. */
export interface FileFinding {
  /** The UTC day of its folder: of the events, for rejects of the fetching. */
  readonly day: Day;
  readonly table: string;
  /** Relative to the lake. */
  readonly path: string;
  /** What was found and what was expected, without a subject. */
  readonly found: string;
}

/** What one table holds of one day, computed from the values. */
export interface DayContent extends Content {
  readonly day: Day;
  readonly table: string;
  readonly files: number;
}

/** The result of a verification. */
export interface VerifyReport {
  readonly version: number;
  /** Files, rows and bytes that were read, findings included. */
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
  /** Files of which no commit kept a digest: they were compared by size, checksum and number of rows. */
  readonly withoutDigest: number;
  /** By day and table; only where every file of both could be read. */
  readonly days: readonly DayContent[];
  /** By day and path; empty where everything is as it was committed. */
  readonly findings: readonly FileFinding[];
}

/** Each further look means that another writer has replaced files in the meantime. */
const MAX_LOOKS = 5;

/**
 * Reads every data file of the newest version, or of the days that a range touches, and compares it with what its
 * commit kept of it: size and checksum of the bytes, number of rows, and the content digest of the values. Changes
 * nothing and needs no network. A file that another writer replaces meanwhile is left out, and its successor is read.
 * @param signal is checked between files
 * @throws {EdrlakeError} `INTERRUPTED`, `LAKE_CORRUPT` where a file cannot be opened for another reason than damage
 */
export async function verifyFiles(
  context: CommitContext,
  range: TimeRange | null,
  signal: AbortSignal,
): Promise<VerifyReport> {
  const verified = new Map<string, Verified>();
  let state = await context.log.refresh();
  for (let look = 1; look <= MAX_LOOKS; look += 1) {
    const open = [...state.files.values()].filter((file) => isWanted(file, range) && !verified.has(file.path));
    if (open.length === 0) break;
    for (const file of open) {
      signal.throwIfAborted();
      verified.set(file.path, await verifyFile(context, state, file));
    }
    state = await context.log.refresh();
  }
  const { files, version } = state;
  return reportOf(
    [...verified.values()].filter(({ file }) => files.has(file.path)),
    version,
  );
}

function isWanted(file: LoggedFile, range: TimeRange | null): boolean {
  const day = partitionDay(file);
  return range === null || (dayOf(range.startMs) <= day && day <= dayOf(range.endMs - 1));
}

interface Verified {
  readonly file: LoggedFile;
  /** null where the values could not be read. */
  readonly content: Content | null;
  /** null where the file is what was committed. */
  readonly found: string | null;
}

/** Values are read only of a file that has its bytes: the others are known to differ. */
async function verifyFile(context: CommitContext, state: LakeState, file: LoggedFile): Promise<Verified> {
  const { store, connection, tables } = context;
  const bytes = await sumFile(store.locate(file.path));
  if (bytes === null) return { file, content: null, found: 'is missing' };
  if (bytes.bytes !== file.fileBytes)
    return { file, content: null, found: `has ${bytes.bytes} bytes instead of ${file.fileBytes}` };
  if (file.crc32 !== undefined && bytes.crc32 !== file.crc32)
    return { file, content: null, found: 'does not have the bytes that were committed: its checksum differs' };
  const table = tableNamed(tables, file.table);
  try {
    const content = await contentOf(connection, table, tableRowsSql({ store, schemas: state.schemas }, table, [file]));
    if (content.rowCount !== file.rowCount)
      return { file, content, found: `has ${content.rowCount} rows instead of ${file.rowCount}` };
    const isSame = file.digest === undefined || file.digest === content.digest;
    return { file, content, found: isSame ? null : 'holds other values than were committed: its digest differs' };
  } catch (thrown) {
    if (!isFileError(thrown)) throw thrown;
    return { file, content: null, found: 'cannot be read as Parquet' };
  }
}

function reportOf(verified: readonly Verified[], version: number): VerifyReport {
  const byDay = new Map<string, Verified[]>();
  for (const one of verified) {
    const key = `${partitionDay(one.file)} ${one.file.table}`;
    byDay.set(key, [...(byDay.get(key) ?? []), one]);
  }
  const days = [...byDay.values()].flatMap((some): DayContent[] => {
    const contents = some.flatMap(({ content }) => content ?? []);
    const [first] = some;
    if (first === undefined || contents.length < some.length) return [];
    const digest = sumDigests(contents.map((content) => content.digest));
    const rowCount = sum(contents, (content) => content.rowCount);
    return [{ day: partitionDay(first.file), table: first.file.table, files: some.length, rowCount, digest }];
  });
  const findings = verified.flatMap(({ file, found }): FileFinding[] =>
    found === null ? [] : [{ day: partitionDay(file), table: file.table, path: file.path, found }],
  );
  return {
    version,
    files: verified.length,
    rows: sum(verified, ({ content }) => content?.rowCount ?? 0),
    bytes: sum(verified, ({ file }) => file.fileBytes),
    withoutDigest: verified.filter(({ file }) => file.digest === undefined).length,
    days: days.sort((a, b) => compare(a.day, b.day) || compare(a.table, b.table)),
    findings: findings.sort((a, b) => compare(a.day, b.day) || compare(a.path, b.path)),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
