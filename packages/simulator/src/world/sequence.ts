/**
 * Event indexes in the order of (time on one axis, index), without duplicates. May be computed instead of stored:
 * everything that the simulator counts or pages uses it.
 */
export interface EventSequence {
  readonly length: number;
  /** How many elements come before the position (time, index); an index of -1 means the start of that millisecond. */
  rankBefore(epochMs: number, index: number): number;
  /** The element at a rank from 0 to `length - 1`. */
  indexAt(rank: number): number;
}

/** The time of an event on the sequence's axis. */
export type TimeOf = (index: number) => number;

/** A sequence without events; `indexAt` is never called. */
const EMPTY_SEQUENCE: EventSequence = { length: 0, rankBefore: () => 0, indexAt: () => -1 };

/** The smallest position at which `reached` is true, or `end`. Once true, `reached` must stay true. */
export function firstWhere(start: number, end: number, reached: (position: number) => boolean): number {
  let low = start;
  let high = end;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (reached(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Whether (time, index) a is at or after (time, index) b. */
function atOrAfter(aMs: number, aIndex: number, bMs: number, bIndex: number): boolean {
  return aMs > bMs || (aMs === bMs && aIndex >= bIndex);
}

/** A stored sequence. @param indexes in any order, no duplicates; copied */
export function listSequence(indexes: readonly number[], timeOf: TimeOf): EventSequence {
  if (indexes.length === 0) return EMPTY_SEQUENCE;
  const sorted = [...indexes].sort((a, b) => timeOf(a) - timeOf(b) || a - b);
  return {
    length: sorted.length,
    rankBefore: (epochMs, index) =>
      firstWhere(0, sorted.length, (at) =>
        atOrAfter(timeOf(sorted[at] as number), sorted[at] as number, epochMs, index),
      ),
    indexAt: (rank) => sorted[rank] as number,
  };
}

/** The union of both sequences. @param few stored, its ranks in the union are kept in memory */
export function merged(many: EventSequence, few: EventSequence, timeOf: TimeOf): EventSequence {
  if (few.length === 0) return many;
  if (many.length === 0) return few;
  const ranks = Float64Array.from({ length: few.length }, (_, at) => {
    const index = few.indexAt(at);
    return at + many.rankBefore(timeOf(index), index);
  });
  return {
    length: many.length + few.length,
    rankBefore: (epochMs, index) => many.rankBefore(epochMs, index) + few.rankBefore(epochMs, index),
    indexAt(rank) {
      const at = firstWhere(0, ranks.length, (position) => (ranks[position] as number) >= rank);
      return ranks[at] === rank ? few.indexAt(at) : many.indexAt(rank - at);
    },
  };
}

/** The first sequence without the elements of the second. @param gone a subset of `many` in the same order */
export function without(many: EventSequence, gone: EventSequence, timeOf: TimeOf): EventSequence {
  if (gone.length === 0) return many;
  const keptBefore = Float64Array.from({ length: gone.length }, (_, at) => {
    const index = gone.indexAt(at);
    return many.rankBefore(timeOf(index), index) - at;
  });
  return {
    length: many.length - gone.length,
    rankBefore: (epochMs, index) => many.rankBefore(epochMs, index) - gone.rankBefore(epochMs, index),
    indexAt: (rank) => many.indexAt(rank + firstWhere(0, keptBefore.length, (at) => (keptBefore[at] as number) > rank)),
  };
}
