import type { Answer } from './answer.ts';

/** An answer kept for the next time, and its compressed body once a client has asked for it. */
export interface CachedAnswer {
  readonly answer: Answer;
  readonly body: Buffer;
  gzipped: Buffer | null;
}

/** Answers by what was asked. Lets a benchmark serve at the speed of the socket rather than of rendering. */
export interface PageCache {
  get(key: string): CachedAnswer | null;
  /** Keeps an answer; the longest unused ones make room. */
  put(key: string, entry: CachedAnswer): void;
}

/** @param limitBytes of bodies, compressed ones counted as large as the others; 0: keeps nothing */
export function pageCache(limitBytes: number): PageCache {
  const entries = new Map<string, CachedAnswer>();
  const sizeOf = (entry: CachedAnswer) => entry.body.length * 2;
  let heldBytes = 0;
  return {
    get(key) {
      const entry = entries.get(key) ?? null;
      if (entry !== null) {
        entries.delete(key);
        entries.set(key, entry);
      }
      return entry;
    },
    put(key, entry) {
      if (sizeOf(entry) > limitBytes) return;
      entries.set(key, entry);
      heldBytes += sizeOf(entry);
      for (const [oldest, old] of entries) {
        if (heldBytes <= limitBytes) break;
        entries.delete(oldest);
        heldBytes -= sizeOf(old);
      }
    },
  };
}
