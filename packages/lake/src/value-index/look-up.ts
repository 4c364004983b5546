import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteFile } from '@edrlake/core';
import type { Sought } from '../indicators/indicator.ts';
import type { CommitContext } from '../log/commit-context.ts';
import type { LoggedFile } from '../log/lake-state.ts';
import { intactSegments } from './build-index.ts';
import { keySql, soughtTexts } from './index-keys.ts';

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
  const holding = new Set<string>();
  const covered = new Map<string, number | null>();
  for (const segment of segments) {
    const rows = `read_parquet(${quoteFile(context.store.locate(segment.path))})`;
    const isSought = keys.length < FEW_KEYS ? `key IN (${keys.join(', ')})` : 'key IN (SELECT unnest($keys::BIGINT[]))';
    const found = await connection.runAndReadAll(
      `SELECT DISTINCT file FROM ${rows} WHERE ${isSought}`,
      keys.length < FEW_KEYS ? {} : { keys: `[${keys.join(', ')}]` },
    );
    const hits = new Set(found.getRows().map(([position]) => Number(position)));
    for (const [position, [path, sum]] of segment.files.entries()) {
      covered.set(path, sum);
      if (hits.has(position)) holding.add(path);
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
  const rows = sought.flatMap(({ observable, texts }) => (texts ?? []).map((text) => ({ observable, text })));
  const result = await connection.runAndReadAll(
    `SELECT DISTINCT ${keySql('r.observable', 'r.text')}::VARCHAR
     FROM (SELECT unnest(from_json($rows::JSON, '[{"observable":"VARCHAR","text":"VARCHAR"}]')) AS r)`,
    { rows: JSON.stringify(rows) },
  );
  return result.getRows().map(([key]) => String(key));
}
