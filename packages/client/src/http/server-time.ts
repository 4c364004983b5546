import { MS_PER_MINUTE, MS_PER_SECOND } from '@edrlake/core';
import { type HttpHeaders, readDate } from '../rate-limit/limit-headers.ts';

/** Between which two numbers the server's clock minus this machine's is, in milliseconds. */
export interface ClockSkew {
  readonly minMs: number;
  readonly maxMs: number;
}

/** What answers tell of the server's clock. */
export interface ServerTime {
  /** Takes note of an answer: when its request was sent, and when its headers came, on this machine's clock. */
  observe(answer: { readonly status: number; readonly headers: HttpHeaders }, sentAtMs: number, cameAtMs: number): void;
  /**
   * What the server's clock had reached when it last answered, in UTC epoch milliseconds; null where no answer had a
   * date.
   */
  lastMs(): number | null;
  /** Whether a success came within the last minute of this machine's clock, even if the clock has been set since. */
  isFresh(nowMs: number): boolean;
  /** As of the last answer; null where none had a date. */
  skew(): ClockSkew | null;
}

/**
 * Reads the `Date` of answers. It has whole seconds, and the answer was made at some moment between request and
 * headers: both are the bounds of the skew. Only a success counts, since refusals may come from something in between,
 * and only where no cache says that the answer has an `Age`. A cache that does not say so makes the server's clock seem
 * slow, which loses nothing: who asks for the time takes the earlier of two clocks.
 */
export function createServerTime(): ServerTime {
  let answeredAtMs = Number.NEGATIVE_INFINITY;
  let last: { readonly atMs: number; readonly skew: ClockSkew } | null = null;
  return {
    observe: ({ status, headers }, sentAtMs, cameAtMs) => {
      if (status < 200 || status > 299) return;
      answeredAtMs = cameAtMs;
      const atMs = readDate(headers.date);
      if (atMs === null || isFromCache(headers)) return;
      last = { atMs, skew: { minMs: atMs - cameAtMs, maxMs: atMs + MS_PER_SECOND - 1 - sentAtMs } };
    },
    lastMs: () => last?.atMs ?? null,
    isFresh: (nowMs) => Math.abs(nowMs - answeredAtMs) <= MS_PER_MINUTE,
    skew: () => last?.skew ?? null,
  };
}

function isFromCache({ age }: HttpHeaders): boolean {
  const text = typeof age === 'string' ? age : age?.[0];
  return text !== undefined && text.trim() !== '' && text.trim() !== '0';
}
