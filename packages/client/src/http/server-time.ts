import { MS_PER_MINUTE, MS_PER_SECOND } from '@edrlake/core';
import { type HttpHeaders, readDate } from '../sliding-window/limit-headers.ts';

/** The bounds of the server's clock minus this machine's, in milliseconds. */
export interface ClockSkew {
  readonly minMs: number;
  readonly maxMs: number;
}

/** What answers show of the server's clock. */
export interface ServerTime {
  /** Records an answer: when its request was sent and when its headers came, on this machine's clock. */
  observe(answer: { readonly status: number; readonly headers: HttpHeaders }, sentAtMs: number, cameAtMs: number): void;
  /** The server's time when it last answered, in UTC epoch milliseconds; null where no answer had a date. */
  lastMs(): number | null;
  /** Whether a success came within the last minute of this machine's clock, even if the clock has been set since. */
  isFresh(nowMs: number): boolean;
  /** As of the last answer; null where none had a date. */
  skew(): ClockSkew | null;
}

/**
 * Reads the `Date` of answers. It has whole seconds, and the answer was made at some moment between request and
 * headers: both bound the skew. Only a success counts, since refusals may come from a proxy in between, and only one
 * that no cache marks with an `Age`. A cache that does not mark its answers makes the server's clock seem slow. That
 * loses nothing: callers use the earlier of the two clocks.
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
