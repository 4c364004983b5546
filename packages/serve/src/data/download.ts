import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { toEdrlakeError } from '@edrlake/core';
import { writeCsv } from '@edrlake/lake';
import type { PageContext } from './page-context.ts';

/** A whole answer as a file. */
export interface Download {
  readonly type: string;
  readonly body: ReadableStream<Uint8Array>;
}

/**
 * All rows of a question as CSV while they are computed, or as Parquet when all are.
 * @param leave called once, when the last byte was taken, or the reader is gone
 * @throws {EdrlakeError} as a query; once bytes of CSV were sent, the answer breaks off instead
 */
export async function download(
  format: 'csv' | 'parquet',
  sql: string,
  { lake }: PageContext,
  signal: AbortSignal,
  leave: () => void,
): Promise<Download> {
  try {
    if (format === 'csv') {
      const result = await lake.query(sql, { signal });
      const out = new PassThrough();
      out.once('close', leave);
      writeCsv(out, result).then(
        () => out.end(),
        (thrown: unknown) => out.destroy(toEdrlakeError(thrown)),
      );
      return { type: 'text/csv; charset=utf-8', body: webStream(out) };
    }
    const path = join(tmpdir(), `edrlake-${randomUUID()}.parquet`);
    const remove = () => rm(path, { force: true }).finally(leave);
    try {
      await lake.queryToParquet(sql, path, { signal });
    } catch (thrown) {
      await rm(path, { force: true });
      throw thrown;
    }
    const file = createReadStream(path);
    file.once('close', () => void remove());
    return { type: 'application/vnd.apache.parquet', body: webStream(file) };
  } catch (thrown) {
    leave();
    throw thrown;
  }
}

function webStream(stream: Readable): ReadableStream<Uint8Array> {
  return Readable.toWeb(stream) as ReadableStream<Uint8Array>;
}
