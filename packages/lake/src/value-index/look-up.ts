import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteFile } from '@edrlake/core';
import type { Sought } from '../indicators/indicator.ts';
import type { CommitContext } from '../log/commit-context.ts';
import type { LoggedFile } from '../log/lake-state.ts';
import type { Store } from '../storage/store.ts';
import { type IndexSegment, readSegments } from './index-files.ts';
import { keyOf, keySql, soughtTexts } from './index-keys.ts';
import { isIntactFor } from './index-parts.ts';

/** Fewer keys than this are constants, by which row groups are skipped. */
const FEW_KEYS = 500;

/** Of more keys than this, the pairs of a key and a file that has it may be more than fit into memory. */
const FEW_PAIRS = 10;

/** What an index leaves to be read. */
export interface MayHold {
  readonly files: readonly LoggedFile[];
  /** What is sought and may be in these files; null: all of it, because the index does not know each of them. */
  readonly sought: ReadonlySet<Sought> | null;
}

/**
 * The files that may hold something sought: those of which the index says so, and all that it does not know. A file is
 * left out only where a whole segment knows it, with the checksum that the log names, and has no entry for it.
 */
export async function filesThatMayHold(
  context: Pick<CommitContext, 'store' | 'tables'>,
  connection: DuckDBConnection,
  sought: readonly Sought[],
  files: readonly LoggedFile[],
): Promise<MayHold> {
  const everything: MayHold = { files, sought: null };
  const texts = sought.map((one) => ({ sought: one, texts: soughtTexts(one) }));
  if (files.length === 0 || texts.some((one) => one.texts === null)) return everything;
  const named = (await readSegments(context.store, context.tables)) ?? [];
  if (named.length === 0) return everything;
  const keyed = await keysOf(connection, texts);
  const keys = [...keyed.keys()];
  const segments = await intactFor(context.store, named, keys);
  if (segments.length === 0) return everything;
  const locations = segments.map(({ path }) => context.store.locate(path));
  const found = await entriesOf(connection, locations, keys);
  const holding = new Set<string>();
  const covered = new Map<string, number | null>();
  for (const [number, segment] of segments.entries()) {
    for (const [position, [path, sum]] of segment.files.entries()) {
      covered.set(path, sum);
      if (found.files.has(`${position} ${locations[number]}`)) holding.add(path);
    }
  }
  const isKnown = ({ path, crc32 }: LoggedFile) => covered.has(path) && covered.get(path) === (crc32 ?? null);
  const left = files.filter((file) => !isKnown(file) || holding.has(file.path));
  const held = new Set([...found.keys].flatMap((key) => keyed.get(key) ?? []));
  return { files: left, sought: left.every(isKnown) ? held : null };
}

/** Files of the index that have the bytes that were written, as far as they are read for some keys. */
async function intactFor(
  store: Store,
  segments: readonly IndexSegment[],
  keys: readonly string[],
): Promise<IndexSegment[]> {
  await store.remote?.bring(segments);
  // Where keys are joined, DuckDB may read any part.
  const numbers = keys.length < FEW_KEYS ? keys.map(Number) : null;
  const intact: IndexSegment[] = [];
  for (const segment of segments) if (await isIntactFor(store, segment, numbers)) intact.push(segment);
  return intact;
}

/** Each data file that has an entry of a key, as its position and the file of the index that names it; and the keys. */
async function entriesOf(
  connection: DuckDBConnection,
  locations: readonly string[],
  keys: readonly string[],
): Promise<{ readonly files: ReadonlySet<string>; readonly keys: ReadonlySet<string> }> {
  // In one scan: planning a statement takes longer than reading a segment for a few keys.
  const rows = `read_parquet([${locations.map(quoteFile).join(', ')}], filename = true)`;
  const isSought = keys.length < FEW_KEYS ? `key IN (${keys.join(', ')})` : 'key IN (SELECT unnest($keys::BIGINT[]))';
  const [file, key] = ["file::VARCHAR || ' ' || filename", 'key::BIGINT::VARCHAR'];
  const found = await connection.runAndReadAll(
    keys.length <= FEW_PAIRS
      ? `SELECT ${file}, ${key} FROM ${rows} WHERE ${isSought}`
      : `WITH hit AS MATERIALIZED (SELECT filename, file, key FROM ${rows} WHERE ${isSought})
         SELECT DISTINCT ${file}, NULL FROM hit UNION ALL SELECT DISTINCT NULL, ${key} FROM hit`,
    keys.length < FEW_KEYS ? {} : { keys: `[${keys.join(', ')}]` },
  );
  const textsAt = (column: number) =>
    new Set(found.getRows().flatMap((row) => (typeof row[column] === 'string' ? [row[column]] : [])));
  return { files: textsAt(0), keys: textsAt(1) };
}

/** What is sought, by the keys under which the index has it. */
async function keysOf(
  connection: DuckDBConnection,
  sought: readonly { readonly sought: Sought; readonly texts: readonly string[] | null }[],
): Promise<ReadonlyMap<string, readonly Sought[]>> {
  const all = sought.flatMap(({ sought: of, texts }) => (texts ?? []).map((text) => ({ of, text })));
  const byKey = new Map<string, Sought[]>();
  const note = (key: string, of: Sought) => {
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [of]);
    else known.push(of);
  };
  const rows: { readonly n: number; readonly observable: string; readonly text: string }[] = [];
  for (const [n, { of, text }] of all.entries()) {
    const key = keyOf(of.observable, text);
    if (key === null) rows.push({ n, observable: of.observable, text });
    else note(String(key), of);
  }
  if (rows.length === 0) return byKey;
  const shape = '[{"n":"INTEGER","observable":"VARCHAR","text":"VARCHAR"}]';
  const result = await connection.runAndReadAll(
    `SELECT r.n, ${keySql('r.observable', 'r.text')}::VARCHAR
     FROM (SELECT unnest(from_json($rows::JSON, '${shape}')) AS r)`,
    { rows: JSON.stringify(rows) },
  );
  for (const [n, key] of result.getRows()) {
    const one = all[Number(n)];
    if (one !== undefined) note(String(key), one.of);
  }
  return byKey;
}
