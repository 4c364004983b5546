import type { Answer } from './answer.ts';

/** A cached answer, and its compressed body once a client has requested it. */
export interface CachedAnswer {
  readonly answer: Answer;
  readonly body: Buffer;
  gzipped: Buffer | null;
}

/** Answers by request. Lets a benchmark serve at the speed of the socket instead of that of rendering. */
export interface PageCache {
  get(key: string): CachedAnswer | null;
  /** Stores an answer; the least recently used ones are removed. */
  put(key: string, entry: CachedAnswer): void;
}

/** @param limitBytes of bodies, compressed ones counted at full size; 0: stores nothing */
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
