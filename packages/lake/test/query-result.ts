import { PassThrough } from 'node:stream';
import { text as textIn } from 'node:stream/consumers';
import type { QueryResult, QueryValue } from '../src/index.ts';

/** A result as a query gives it: its columns by name and type, its rows in these chunks. */
export function resultOf(
  columns: readonly (readonly [string, string])[],
  ...chunks: (readonly QueryValue[])[][]
): QueryResult {
  return {
    columns: columns.map(([name, type]) => ({ name, type })),
    rows: (async function* () {
      yield* chunks;
    })(),
  };
}

/** What is written to a stream. */
export async function textOf(write: (out: PassThrough) => Promise<void>): Promise<string> {
  const out = new PassThrough();
  const text = textIn(out);
  await write(out);
  out.end();
  return text;
}
