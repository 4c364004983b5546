import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Observable, TableSpec } from '@edrlake/core';
import { isEventTable } from '../log/table-rows.ts';
import { FOLDERS } from '../storage/layout.ts';
import type { Store } from '../storage/store.ts';

/**
 * Entries of a file of the index that follow each other, with the range of their keys and their own checksum. A part
 * ends where the next one begins; without keys: what follows all entries, which every reader needs.
 */
export interface IndexPart {
  readonly from: number;
  readonly crc32: number;
  readonly keys: readonly [first: number, last: number] | null;
}

/** A file of the index: which values some data files may hold. */
export interface IndexSegment {
  readonly path: string;
  readonly fileBytes: number;
  readonly crc32: number;
  readonly rowCount: number;
  /** 0 as first written; merging those of one level makes one of the next. */
  readonly level: number;
  /** The data files that it knows, with their checksums; entries name them by their position. */
  readonly files: readonly (readonly [path: string, crc32: number | null])[];
  /** All of the file, in order; files that an older edrlake wrote have none, and are compared as a whole. */
  readonly parts?: readonly IndexPart[];
}

interface IndexManifest {
  readonly format: 1;
  readonly columns: string;
  readonly segments: readonly IndexSegment[];
}

const MANIFEST = `${FOLDERS.values}/index.json`;

/** Kinds of values that are not indexed: a pattern asks for any part of them. */
const NOT_INDEXED: ReadonlySet<Observable> = new Set(['file', 'path']);

/** Whether the index answers for values of a kind. */
export function isIndexed(observable: Observable): boolean {
  return !NOT_INDEXED.has(observable);
}

/** The columns of a table that the index is about. */
export function indexedColumns(table: TableSpec): { readonly name: string; readonly observable: Observable }[] {
  if (!isEventTable(table)) return [];
  return table.columns.flatMap(({ name, observable }) =>
    observable !== undefined && isIndexed(observable) ? [{ name, observable }] : [],
  );
}

/** Changes with the columns that a dataset declares: an index of other columns answers nothing. */
function columnsKey(tables: readonly TableSpec[]): string {
  const names = tables.flatMap((table) => indexedColumns(table).map((column) => [table.name, column]));
  return createHash('md5').update(JSON.stringify(names)).digest('hex');
}

/** The segments that the manifest names; null where there is no index, or none that can be understood. */
export async function readSegments(
  store: Store,
  tables: readonly TableSpec[],
): Promise<readonly IndexSegment[] | null> {
  const text = await store.read(MANIFEST);
  const [line = '', sum] = text?.split('\n') ?? [];
  if (sum !== String(crc32(line))) return null;
  const manifest = JSON.parse(line) as IndexManifest;
  return manifest.format === 1 && manifest.columns === columnsKey(tables) ? manifest.segments : null;
}

/** Whether the lake has an index, also one that cannot be understood any more. */
export async function hasIndex(store: Store): Promise<boolean> {
  return (await store.read(MANIFEST)) !== null;
}

/** Replaces the manifest. Its second line is the checksum of the first. */
export async function writeSegments(
  store: Store,
  tables: readonly TableSpec[],
  segments: readonly IndexSegment[],
): Promise<void> {
  const manifest: IndexManifest = { format: 1, columns: columnsKey(tables), segments };
  const line = JSON.stringify(manifest);
  await store.put(MANIFEST, `${line}\n${crc32(line)}\n`);
}
