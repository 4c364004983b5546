import { createHash } from 'node:crypto';
import type { DuckDBConnection } from '@duckdb/node-api';
import { EdrlakeError, type TableFormat, type TableSpec } from '@edrlake/core';
import type { CommitLog } from '../../log/commit-log.ts';
import type { LoggedFile } from '../../log/lake-state.ts';
import { PUBLISHED } from '../../storage/layout.ts';
import type { Store } from '../../storage/store.ts';
import type { LakeVersion } from './history.ts';
import type { TableHome } from './table-home.ts';

/** The lake to publish. */
export interface PublishSource {
  readonly directory: string;
  readonly store: Store;
  readonly log: CommitLog;
  readonly tables: readonly TableSpec[];
  /** null where no DuckDB may be loaded; then there are no checkpoints. */
  readonly connect: (() => Promise<DuckDBConnection>) | null;
}

/** What publishing works with. */
export interface PublishTools extends Omit<PublishSource, 'directory'> {
  readonly home: TableHome;
  /** Checked between tables. */
  readonly signal: AbortSignal;
}

/** What is published now. */
export interface Published {
  /** The version of the lake that every table shows. */
  readonly version: number;
  /** The first that can be read. */
  readonly firstVersion: number;
  /** How many versions of the lake this call has published. */
  readonly written: number;
}

/**
 * What `_tables/delta.json` says: which versions of the lake are published together. The first publisher decides where
 * the history begins, so that all that race with it write the same.
 */
export interface Publication {
  /** The first version of the lake that can be read. */
  readonly firstVersion: number;
  /** All tables show at least this version of the lake; null before the first time that all did. */
  readonly version: number | null;
  /** Of that version; absent before the first time, and where an older edrlake wrote it. */
  readonly commitId?: string | null;
  /** From which the ids of the tables are made. */
  readonly origin: string;
  readonly createdAtMs: number;
}

/** null before the first publication. @throws {EdrlakeError} `PUBLISH_REFUSED` for a file that is not ours */
export async function readPublication(home: TableHome, format: TableFormat): Promise<Publication | null> {
  const path = publicationPath(home, format);
  const text = await home.store.read(path);
  if (text === null) return null;
  const found = parsed(text);
  if (typeof found?.firstVersion === 'number' && typeof found.origin === 'string') return found as Publication;
  throw new EdrlakeError('PUBLISH_REFUSED', `${path} is not a publication of edrlake`, {
    context: { path },
    hint: 'Remove the folder of the published tables, and publish again.',
  });
}

/** The first of all publishers decides. */
export async function claimPublication(
  home: TableHome,
  format: TableFormat,
  { version, commitId, committedAtMs }: LakeVersion,
): Promise<Publication> {
  const claim: Publication = {
    firstVersion: version,
    version: null,
    origin: commitId ?? String(committedAtMs),
    createdAtMs: committedAtMs,
  };
  const path = publicationPath(home, format);
  if (await home.store.putIfAbsent(path, `${JSON.stringify(claim)}\n`)) return claim;
  return (await readPublication(home, format)) ?? claim;
}

/** Says that all tables show a version. */
export async function completePublication(home: TableHome, format: TableFormat, done: Publication): Promise<void> {
  const before = await readPublication(home, format);
  const isSame = before?.version === done.version && (before?.commitId ?? null) === (done.commitId ?? null);
  if (isSame && before?.firstVersion === done.firstVersion) return;
  await home.store.put(publicationPath(home, format), `${JSON.stringify(done)}\n`);
}

/**
 * @param gone paths that are neither in the lake nor in its trash
 * @throws {EdrlakeError} `LAKE_CORRUPT` where the newest version needs one of them
 */
export function requireFiles(gone: readonly string[], live: ReadonlyMap<string, LoggedFile>): void {
  const lost = gone.find((path) => live.has(path));
  if (lost === undefined) return;
  throw new EdrlakeError('LAKE_CORRUPT', `${lost} is missing, so the tables cannot be published`, {
    context: { path: lost },
    hint: 'Restore the file from a backup, or run: edrlake reconcile --repair',
  });
}

/** @throws {EdrlakeError} `PUBLISH_REFUSED` where the tables show versions that the lake never had */
export function refuseOtherHistory(
  home: TableHome,
  published: { readonly version: number; readonly commitId: string | null },
  lake: { readonly newest: number; readonly at: LakeVersion | null },
): void {
  const isAhead = published.version > lake.newest;
  const { at } = lake;
  const [ours, theirs] = [at?.commitId ?? null, published.commitId];
  const isOther = ours !== null && theirs !== null && ours !== theirs;
  if (!isAhead && !isOther) return;
  const folder = home.root === '' ? home.store.address : home.store.locate(home.root);
  throw new EdrlakeError(
    'PUBLISH_REFUSED',
    isAhead
      ? `the tables show version ${published.version}, and the lake is at version ${lake.newest}`
      : `version ${published.version} of the tables is commit ${theirs}, and of the lake ${ours}`,
    {
      context: { published: published.version, version: lake.newest },
      hint: `The lake was restored or its log rebuilt. Remove ${folder}, which holds no data of its own, and publish again.`,
    },
  );
}

/** A version 8 UUID of a text. */
export function uuidOf(text: string): string {
  const hex = createHash('md5').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20)].join('-');
}

function publicationPath(home: TableHome, format: TableFormat): string {
  return `${home.root === '' ? PUBLISHED : home.root}/${format}.json`;
}

function parsed(text: string): Partial<Publication> | null {
  try {
    return JSON.parse(text) as Partial<Publication> | null;
  } catch {
    return null;
  }
}
