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

/**
 * The files that may hold something sought: those of which the index says so, and all that it does not know. A file is
 * left out only where a whole segment knows it, with the checksum that the log names, and has no entry for it.
 */
export async function filesThatMayHold(
  context: Pick<CommitContext, 'store' | 'tables'>,
  connection: DuckDBConnection,
  sought: readonly Sought[],
  files: readonly LoggedFile[],
): Promise<LoggedFile[]> {
  const texts = sought.map((one) => ({ observable: one.observable, texts: soughtTexts(one) }));
  if (files.length === 0 || texts.some((one) => one.texts === null)) return [...files];
  const named = (await readSegments(context.store, context.tables)) ?? [];
  if (named.length === 0) return [...files];
  const keys = await keysOf(connection, texts);
  const segments = await intactFor(context.store, named, keys);
  if (segments.length === 0) return [...files];
  const locations = segments.map(({ path }) => context.store.locate(path));
  const hits = await entriesOf(connection, locations, keys);
  const holding = new Set<string>();
  const covered = new Map<string, number | null>();
  for (const [number, segment] of segments.entries()) {
    for (const [position, [path, sum]] of segment.files.entries()) {
      covered.set(path, sum);
      if (hits.has(`${position} ${locations[number]}`)) holding.add(path);
    }
  }
  return files.filter(({ path, crc32 }) => {
    const isKnown = covered.has(path) && covered.get(path) === (crc32 ?? null);
    return !isKnown || holding.has(path);
  });
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

/** Each data file that has an entry of a key, as its position and the file of the index that names it. */
async function entriesOf(
  connection: DuckDBConnection,
  locations: readonly string[],
  keys: readonly string[],
): Promise<ReadonlySet<string>> {
  // In one scan: planning a statement takes longer than reading a segment for a few keys.
  const rows = `read_parquet([${locations.map(quoteFile).join(', ')}], filename = true)`;
  const areFew = keys.length < FEW_KEYS;
  const found = await connection.runAndReadAll(
    areFew
      ? `SELECT filename, file FROM ${rows} WHERE key IN (${keys.join(', ')})`
      : `SELECT DISTINCT filename, file FROM ${rows} WHERE key IN (SELECT unnest($keys::BIGINT[]))`,
    areFew ? {} : { keys: `[${keys.join(', ')}]` },
  );
  return new Set(found.getRows().map(([location, position]) => `${position} ${location}`));
}

async function keysOf(
  connection: DuckDBConnection,
  sought: readonly { readonly observable: string; readonly texts: readonly string[] | null }[],
): Promise<string[]> {
  const all = sought.flatMap(({ observable, texts }) => (texts ?? []).map((text) => ({ observable, text })));
  const keys = all.map(({ observable, text }) => keyOf(observable, text));
  const known = keys.flatMap((key) => (key === null ? [] : [String(key)]));
  const rows = all.filter((_, position) => keys[position] === null);
  if (rows.length === 0) return [...new Set(known)];
  const result = await connection.runAndReadAll(
    `SELECT DISTINCT ${keySql('r.observable', 'r.text')}::VARCHAR
     FROM (SELECT unnest(from_json($rows::JSON, '[{"observable":"VARCHAR","text":"VARCHAR"}]')) AS r)`,
    { rows: JSON.stringify(rows) },
  );
  return [...new Set([...known, ...result.getRows().map(([key]) => String(key))])];
}
