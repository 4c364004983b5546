import { EdrlakeError } from '@edrlake/core';
import type { QueryReads, QueryValue } from '@edrlake/lake';
import type { Answer } from '../documents/documents.ts';
import type { PageContext } from './page-context.ts';

/** What a question may take. */
export const ASK_LIMITS = {
  /** Rows that are shown; a download has all. */
  rows: 1_000,
  bytes: 4 * 1024 * 1024,
  ms: 30_000,
  /** Of a download, which has to read and write everything. */
  downloadMs: 300_000,
  /** At the same time, of all visitors. */
  atOnce: 2,
  sqlLength: 50_000,
} as const;

/**
 * Answers one question, locked down as `edrlake query` is: one statement that only reads, and only files of the lake.
 * @throws {EdrlakeError} `QUERY_FAILED`, `INTERRUPTED`
 */
export async function answer(sql: string, { lake, clock }: PageContext, signal: AbortSignal): Promise<Answer> {
  const startedMs = clock.nowMs();
  let reads: QueryReads | null = null;
  const onReads = (found: QueryReads) => {
    reads = found;
  };
  const { columns, rows } = await lake.query(sql, { signal, onReads });
  const shown: (readonly unknown[])[] = [];
  let bytes = 0;
  let isCut = false;
  for await (const chunk of rows) {
    for (const row of chunk) {
      const plain = row.map(plainText);
      bytes += JSON.stringify(plain).length;
      isCut = shown.length >= ASK_LIMITS.rows || bytes > ASK_LIMITS.bytes;
      if (isCut) break;
      shown.push(plain);
    }
    // Leaving the loop ends the query.
    if (isCut) break;
  }
  return { columns, rows: shown, isCut, durationMs: clock.nowMs() - startedMs, reads };
}

/** JSON has no integers beyond 53 bits. */
function plainText(value: QueryValue): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner));
}

/** Lets a number of questions run at once, and refuses others. */
export function createSeats(count: number): { take(): () => void } {
  let free = count;
  return {
    take() {
      if (free === 0) {
        throw new EdrlakeError('QUERY_FAILED', `${count} questions are being answered already`, {
          hint: 'Ask again when one of them is done, or cancel it.',
        });
      }
      free -= 1;
      let isTaken = true;
      return () => {
        if (isTaken) free += 1;
        isTaken = false;
      };
    },
  };
}
