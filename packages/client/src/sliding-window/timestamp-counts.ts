/**
 * An entry of a sliding-window log: instant (UTC epoch milliseconds) and number of requests. Lists are sorted, instants
 * unique.
 */
export type TimestampCount = readonly [atMs: number, count: number];

/** Up to this number, every instant is kept as it is. */
const MAX_TALLIES = 600;
/** Beyond it, instants within one of 300 equal parts of a window are combined. */
const SLICES = 300;

/** The index of the first entry after `ms`; the length when there is none. */
export function firstAfter(tallies: readonly TimestampCount[], ms: number): number {
  let low = 0;
  let high = tallies.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((tallies[middle]?.[0] ?? 0) > ms) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The number of requests after `ms`. */
export function countAfter(tallies: readonly TimestampCount[], ms: number): number {
  let count = 0;
  for (let index = tallies.length - 1; index >= 0; index--) {
    const [atMs = 0, requests = 0] = tallies[index] ?? [];
    if (atMs <= ms) break;
    count += requests;
  }
  return count;
}

/** A list with one more entry, in its place. */
export function insert(tallies: readonly TimestampCount[], [atMs, count]: TimestampCount): readonly TimestampCount[] {
  const index = firstAfter(tallies, atMs);
  const same = tallies[index - 1];
  if (same?.[0] === atMs) return tallies.with(index - 1, [atMs, same[1] + count]);
  return tallies.toSpliced(index, 0, [atMs, count]);
}

/** A list without the `count` oldest requests. */
export function withoutFirst(tallies: readonly TimestampCount[], count: number): readonly TimestampCount[] {
  let missing = count;
  return tallies.flatMap(([atMs, requests]): TimestampCount[] => {
    const taken = Math.min(missing, requests);
    missing -= taken;
    return taken === requests ? [] : [[atMs, requests - taken]];
  });
}

/**
 * The same requests in few entries once there are many, so that a log of 50,000 requests stays small. Combined entries
 * get the latest of their instants: they count a little longer, never shorter.
 */
export function coarsen(tallies: readonly TimestampCount[], windowMs: number): readonly TimestampCount[] {
  if (tallies.length <= MAX_TALLIES) return tallies;
  const sliceMs = windowMs / SLICES;
  const coarse: TimestampCount[] = [];
  for (const [atMs, count] of tallies) {
    const last = coarse.at(-1);
    if (last !== undefined && Math.floor(last[0] / sliceMs) === Math.floor(atMs / sliceMs)) {
      coarse[coarse.length - 1] = [atMs, last[1] + count];
    } else {
      coarse.push([atMs, count]);
    }
  }
  return coarse;
}
