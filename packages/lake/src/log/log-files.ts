import { crc32 } from 'node:zlib';
import { EdrlakeError } from '@edrlake/core';
import type { LoggedLostDay } from '../proofs/lost-days.ts';
import type { VersionsOfEvent } from '../proofs/other-versions.ts';
import type { LoggedRecount } from '../proofs/recounts.ts';
import {
  checkpointPath,
  entryPath,
  FOLDERS,
  FORMAT,
  parseLogName,
  READABLE_FORMATS,
  versionStem,
} from '../storage/layout.ts';
import type { Store } from '../storage/store.ts';
import {
  type CommitSummary,
  type IdentityFile,
  isLinked,
  type LakeState,
  type LogEntry,
  type LoggedFile,
  type LoggedOwner,
  type LoggedProof,
  type Schema,
} from './lake-state.ts';

/** What to do about a log that cannot be read to its end. */
export const LOG_HINT = 'Restore the _log folder from a backup, or rebuild it from the data files: edrlake rebuild-log';

/** The versions of which `_log` has files. */
export interface LogListing {
  /** Oldest first. */
  readonly entries: readonly number[];
  /** Newest first. */
  readonly checkpoints: readonly number[];
}

/**
 * @param from leaves out files of versions below
 * @throws {EdrlakeError} `LAKE_CORRUPT` when the folder cannot be listed: that is not an empty log.
 */
export async function listLog(store: Store, from = 0): Promise<LogListing> {
  const after = from === 0 ? undefined : versionStem(from);
  const found = (await store.list(FOLDERS.log, after)).map(parseLogName).filter((name) => name !== null);
  return {
    entries: found.flatMap(({ version, isCheckpoint }) => (isCheckpoint ? [] : [version])).sort((a, b) => a - b),
    checkpoints: found.flatMap(({ version, isCheckpoint }) => (isCheckpoint ? [version] : [])).sort((a, b) => b - a),
  };
}

/**
 * Reads one entry; null where there is none: no writer has written it yet, or a rebuilt log begins with the checkpoint
 * of that version.
 * @throws {EdrlakeError} `LAKE_CORRUPT`, `LAKE_INCOMPATIBLE`, `LAKE_CONTENDED` while the log is rebuilt
 */
export async function readEntry(
  store: Store,
  version: number,
  path: string = entryPath(version),
): Promise<LogEntry | null> {
  const text = await store.read(path);
  if (text === null) return null;
  const found = parseObject(path, text);
  checkFormat(path, found.format);
  if (found.rebuilding !== undefined) {
    const [checkpoint] = await store.look([checkpointPath(version)]);
    if (checkpoint !== null) return null;
    throw beingRebuilt(path);
  }
  const lists = ['added', 'removed', 'idsAdded', 'idsRemoved', 'proofs'];
  const isWhole =
    typeof found.commitId === 'string' &&
    typeof found.committedAt === 'string' &&
    Number.isSafeInteger(found.schemaVersion) &&
    lists.every((name) => Array.isArray(found[name]));
  if (!isWhole) throw notWhole(path, 'fields of a log entry are missing');
  if (found.version !== version) throw notWhole(path, `it says that it is version ${String(found.version)}`);
  return found as unknown as LogEntry;
}

/** As `readEntry`; null also where it is damaged: then it is no other one, and an error only where it is needed. */
export function readWholeEntry(store: Store, version: number): Promise<LogEntry | null> {
  return readEntry(store, version).catch((thrown: unknown) => {
    if (thrown instanceof EdrlakeError && thrown.code === 'LAKE_CORRUPT') return null;
    throw thrown;
  });
}

/**
 * Whether the log still has the commit that an entry follows: of a log that was restored it would make a broken one. It
 * is asked for again only in an object store whose lists do not prove that a copy has its bytes.
 * @param listing the newest list of the log, from the version before the entry on
 */
export async function hasEntryBefore(
  store: Store,
  entry: LogEntry,
  { entries, checkpoints }: LogListing,
): Promise<boolean> {
  const before = entry.version - 1;
  if (before === 0) return true;
  // A log that was rebuilt begins with a checkpoint.
  if (!entries.includes(before)) return checkpoints.includes(before);
  await forgetUnlessListed(store, entryPath(before));
  const found = await readWholeEntry(store, before);
  return isLinked(found?.commitId ?? null, entry);
}

/** Forgets the copy of a file of an object store, unless the newest list proves that it has the same bytes. */
export async function forgetUnlessListed({ remote }: Store, path: string): Promise<void> {
  if (remote !== null && !(await remote.isCopyAsListed(path))) await remote.forgetCopies([path]);
}

/** Reads one checkpoint; null when it is gone. @throws {EdrlakeError} `LAKE_CORRUPT`, `LAKE_INCOMPATIBLE` */
export async function readCheckpoint(store: Store, version: number): Promise<LakeState | null> {
  const path = checkpointPath(version);
  const text = await store.read(path);
  if (text === null) return null;
  const found = parseObject(path, text);
  checkFormat(path, found.format);
  const lists = ['schemas', 'files', 'identityFiles', 'proofs', 'commits'];
  if (!lists.every((name) => Array.isArray(found[name]))) throw notWhole(path, 'fields of a checkpoint are missing');
  if (found.version !== version) throw notWhole(path, `it says that it is version ${String(found.version)}`);
  return fromCheckpoint(found as unknown as Checkpoint);
}

/** @throws {EdrlakeError} `LAKE_INCOMPATIBLE` for a format that this edrlake does not know. */
export function checkFormat(path: string, format: unknown): void {
  // A newer edrlake always writes a number: without one the file is damaged.
  if (typeof format !== 'number') throw notWhole(path, 'it names no format');
  if (READABLE_FORMATS.includes(format)) return;
  throw new EdrlakeError('LAKE_INCOMPATIBLE', `${path} has format ${format}, this edrlake knows format ${FORMAT}`, {
    context: { path, known: FORMAT },
    hint: 'A newer edrlake has written this lake: update edrlake on this machine.',
  });
}

/**
 * Claims the name of a version for a rebuilt log, and keeps it: a writer that found the name free before the rebuilding
 * must not find it free after it. Its meaning: the log begins with the checkpoint of this version.
 */
export function rebuildingText(runId: string): string {
  return JSON.stringify({ format: FORMAT, rebuilding: runId });
}

function beingRebuilt(path: string): EdrlakeError {
  return new EdrlakeError('LAKE_CONTENDED', `the commit log is being rebuilt: ${path} says so`, {
    disposition: 'retry',
    hint: 'Run again when edrlake rebuild-log has ended. If it was killed, run that again.',
  });
}

/** The text of a log entry. */
export function entryText(entry: LogEntry): string {
  return sealed(JSON.stringify(entry));
}

/**
 * Adds the CRC-32 of a JSON object's text as its last member. JSON reveals a file that was cut short, but not a changed
 * digit, and one changed digit may make a window appear proven.
 */
function sealed(text: string): string {
  return `${text.slice(0, -1)},"crc32":"${checksumOf(text)}"}`;
}

const SEAL = /,"crc32":"([0-9a-f]{8})"}$/;

/** Whether the text is as it was sealed. Files of an older edrlake have no seal and are accepted. */
function isAsWritten(text: string): boolean {
  // A pattern anchored at the end would search the whole text, and checkpoints are large.
  const sealLength = ',"crc32":"00000000"}'.length;
  const seal = SEAL.exec(text.slice(-sealLength));
  return seal === null || checksumOf(`${text.slice(0, -sealLength)}}`) === seal[1];
}

function checksumOf(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

/** The state as one file, so that a reader need not start from the first entry. */
interface Checkpoint {
  readonly format: number;
  readonly version: number;
  /** Of the entry that made the version. Not in checkpoints of an older edrlake. */
  readonly commitId?: string;
  readonly schemaVersion: number;
  readonly schemas: readonly (readonly [number, Schema])[];
  readonly files: readonly LoggedFile[];
  readonly identityFiles: readonly IdentityFile[];
  readonly proofs: readonly LoggedProof[];
  readonly commits: readonly CommitSummary[];
  readonly losses?: readonly LoggedLostDay[];
  readonly otherVersions?: readonly VersionsOfEvent[];
  readonly recounts?: readonly LoggedRecount[];
  readonly owner?: LoggedOwner;
}

/** The text of a checkpoint of a state. */
export function checkpointText(state: LakeState): string {
  const checkpoint: Checkpoint = {
    format: FORMAT,
    version: state.version,
    ...(state.commitId === null ? {} : { commitId: state.commitId }),
    schemaVersion: state.schemaVersion,
    schemas: [...state.schemas],
    files: [...state.files.values()],
    identityFiles: [...state.identityFiles.values()],
    proofs: [...state.proofs.values()],
    commits: state.commits,
    losses: [...state.losses.values()],
    ...(state.otherVersions.size > 0 && {
      otherVersions: [...state.otherVersions].map(([eventId, versions]) => ({ eventId, versions })),
    }),
    ...(state.recounts.size > 0 && { recounts: [...state.recounts.values()] }),
    ...(state.owner !== null && { owner: state.owner }),
  };
  return sealed(JSON.stringify(checkpoint));
}

function fromCheckpoint(checkpoint: Checkpoint): LakeState {
  return {
    version: checkpoint.version,
    commitId: checkpoint.commitId ?? null,
    schemaVersion: checkpoint.schemaVersion,
    schemas: new Map(checkpoint.schemas),
    files: new Map(checkpoint.files.map((file) => [file.path, file])),
    identityFiles: new Map(checkpoint.identityFiles.map((file) => [file.path, file])),
    proofs: new Map(checkpoint.proofs.map((logged) => [logged.proof.window.id, logged])),
    commits: [...checkpoint.commits],
    losses: new Map((checkpoint.losses ?? []).map((loss) => [loss.day, loss])),
    otherVersions: new Map((checkpoint.otherVersions ?? []).map(({ eventId, versions }) => [eventId, versions])),
    recounts: new Map((checkpoint.recounts ?? []).map((recount) => [recount.day, recount])),
    owner: checkpoint.owner ?? null,
  };
}

function parseObject(path: string, text: string): Readonly<Record<string, unknown>> {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (thrown) {
    throw notWhole(path, text === '' ? 'it is empty' : String(thrown), thrown);
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found))
    throw notWhole(path, 'it is not a JSON object');
  if (!isAsWritten(text)) throw notWhole(path, 'its checksum does not match, so it has changed since it was written');
  return found as Record<string, unknown>;
}

function notWhole(path: string, why: string, cause?: unknown): EdrlakeError {
  return new EdrlakeError('LAKE_CORRUPT', `${path} is not whole: ${why}`, {
    cause,
    context: { path },
    hint: `Log entries are never changed once written. ${LOG_HINT}`,
  });
}
