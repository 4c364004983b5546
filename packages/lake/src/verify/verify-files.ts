import { type Day, dayOf, sum, type TimeRange } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import { type Content, contentOf, sumDigests } from '../log/content-digest.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { isSamePoint } from '../log/log-point.ts';
import { isEventTable, partitionDay, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import { sumFile } from '../storage/checksum.ts';
import { isFileError } from '../storage/file-errors.ts';
import { fileProgress } from '../storage/file-progress.ts';
import { EVENTS, proofPath } from '../storage/layout.ts';
import { type ProofFile, proofFileOf, readProofDocument, readProofIndex } from './proof-documents.ts';

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
  /**
   * The version that the proof documents show; null where there are none, and where those of this version are of
   * another commit or, written by an older edrlake, of none. Only those of this commit are compared.
   */
  readonly proofVersion: number | null;
  /** By day and path; empty where everything is as it was committed. */
  readonly findings: readonly FileFinding[];
}

/** Each further look means that another writer has replaced files in the meantime. */
const MAX_LOOKS = 5;

/**
 * Reads every data file of the newest version, or of the days that a range touches, and compares it with what its
 * commit kept of it: size and checksum of the bytes, number of rows, and the content digest of the values; and the log
 * with the proof documents, which state the same. Changes nothing and needs no network. A file that another writer
 * replaces meanwhile is left out, and its successor is read.
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
    const onVerified = fileProgress(context.emit, 'verify', open.length);
    for (const file of open) {
      signal.throwIfAborted();
      verified.set(file.path, await verifyFile(context, state, file));
      onVerified(1);
    }
    state = await context.log.refresh();
  }
  const { files, version } = state;
  const current = [...verified.values()].filter(({ file }) => files.has(file.path));
  const report = reportOf(current, version);
  const index = await readProofIndex(context.store);
  // Documents of the same number and of another commit are of no version of this log.
  if (index === null || !isSamePoint(state, index)) {
    return { ...report, proofVersion: index === null || index.version === version ? null : index.version };
  }
  const days = Object.keys(index.documents).filter((day) => isDayIn(day, range));
  const found: FileFinding[] = [];
  for (const day of days) found.push(...(await compareWithProof(context, index, day, state, report.days)));
  // Another writer may be about to write the documents of the next version.
  if (!isSamePoint(state, await readProofIndex(context.store))) return report;
  const known = new Set(report.findings.map(({ path }) => path));
  const findings = [...report.findings, ...found.filter(({ path }) => !known.has(path))].sort(byDayAndPath);
  return { ...report, proofVersion: version, findings };
}

/** What the proof document of a day says and the log, or the values, do not. */
async function compareWithProof(
  { store, tables }: CommitContext,
  index: NonNullable<Awaited<ReturnType<typeof readProofIndex>>>,
  day: Day,
  { files }: LakeState,
  contents: readonly DayContent[],
): Promise<FileFinding[]> {
  const document = await readProofDocument(store, index, day);
  const about = { day, table: EVENTS, path: proofPath(day) };
  if (document === null) return [{ ...about, found: 'is missing or was changed' }];
  const stated = new Map(document.files.map((file) => [file.path, file]));
  const names = new Set(tables.filter(isEventTable).map(({ name }) => name));
  const logged = [...files.values()].filter((file) => partitionDay(file) === day && names.has(file.table));
  const findings = logged.flatMap((file): FileFinding[] => {
    const expected = stated.get(file.path);
    if (expected !== undefined && isSameFile(expected, proofFileOf(file))) return [];
    const what = expected === undefined ? 'does not name it' : 'states something else of it';
    return [{ day, table: file.table, path: file.path, found: `is in the log, and ${proofPath(day)} ${what}` }];
  });
  for (const { path, table } of document.files) {
    if (!files.has(path)) findings.push({ day, table, path, found: `is in ${proofPath(day)}, and not in the log` });
  }
  if (findings.length > 0) return findings;
  for (const [table, { rows, digest }] of Object.entries(document.tables)) {
    const content = contents.find((each) => each.day === day && each.table === table);
    if (content === undefined) continue;
    if (content.rowCount === rows && (digest === null || content.digest === digest)) continue;
    findings.push({ ...about, table, found: `states another digest or number of rows of ${table}` });
  }
  return findings;
}

function isSameFile(a: ProofFile, b: ProofFile): boolean {
  return a.rows === b.rows && a.bytes === b.bytes && a.crc32 === b.crc32 && a.digest === b.digest;
}

function isWanted(file: LoggedFile, range: TimeRange | null): boolean {
  return isDayIn(partitionDay(file), range);
}

function isDayIn(day: Day, range: TimeRange | null): boolean {
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
  await store.remote?.bringAgain([file]);
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
    findings: findings.sort(byDayAndPath),
    proofVersion: null,
  };
}

function byDayAndPath(a: FileFinding, b: FileFinding): number {
  return compare(a.day, b.day) || compare(a.path, b.path);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
