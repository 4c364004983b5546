import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteFile } from '@edrlake/core';
import type { Sought } from '../indicators/indicator.ts';
import type { CommitContext } from '../log/commit-context.ts';
import type { LoggedFile } from '../log/lake-state.ts';
import { intactSegments } from './build-index.ts';
import { keyOf, keySql, soughtTexts } from './index-keys.ts';

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
  const segments = await intactSegments(context);
  if (segments.length === 0) return [...files];
  const keys = await keysOf(connection, texts);
  const isSought = keys.length < FEW_KEYS ? `key IN (${keys.join(', ')})` : 'key IN (SELECT unnest($keys::BIGINT[]))';
  // In one scan: planning a statement takes longer than reading a segment for a few keys.
  const places = segments.map(({ path }) => context.store.locate(path));
  const rows = `read_parquet([${places.map(quoteFile).join(', ')}], filename = true)`;
  const found = await connection.runAndReadAll(
    `SELECT ${keys.length < FEW_KEYS ? '' : 'DISTINCT'} filename, file FROM ${rows} WHERE ${isSought}`,
    keys.length < FEW_KEYS ? {} : { keys: `[${keys.join(', ')}]` },
  );
  const hits = new Set(found.getRows().map(([place, position]) => `${position} ${place}`));
  const holding = new Set<string>();
  const covered = new Map<string, number | null>();
  for (const [number, segment] of segments.entries()) {
    for (const [position, [path, sum]] of segment.files.entries()) {
      covered.set(path, sum);
      if (hits.has(`${position} ${places[number]}`)) holding.add(path);
    }
  }
  return files.filter(({ path, crc32 }) => {
    const isKnown = covered.has(path) && covered.get(path) === (crc32 ?? null);
    return !isKnown || holding.has(path);
  });
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
