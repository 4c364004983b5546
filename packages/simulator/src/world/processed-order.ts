import type { Lateness } from './lateness.ts';
import { type EventSequence, firstWhere } from './sequence.ts';
import type { Timeline } from './timeline.ts';

/** Events of a bucket, approximately: sorting the buckets of a query then costs almost nothing. */
const EVENTS_PER_BUCKET = 8;

/**
 * The events of a timeline in the order in which they were processed. Lateness scatters them, so this order is stored:
 * 4 bytes an event plus about 1 byte for buckets, filled in two passes at the first request; buckets are sorted when
 * they are read.
 */
export function processedOrder(timeline: Timeline, lateness: Lateness): EventSequence {
  const length = timeline.length;
  const firstMs = timeline.range.startMs;
  const spanMs = timeline.range.endMs + lateness.maxDelayMs + 1 - firstMs;
  const buckets = Math.max(1, Math.min(spanMs, Math.ceil(length / EVENTS_PER_BUCKET)));
  const bucketMs = Math.ceil(spanMs / buckets);
  const processedOf = (index: number) => timeline.timeAt(index) + lateness.delayMs(index);
  const bucketOf = (epochMs: number) => Math.floor((epochMs - firstMs) / bucketMs);

  const starts = new Uint32Array(buckets + 1);
  for (let index = 0; index < length; index += 1) {
    const bucket = bucketOf(processedOf(index));
    starts[bucket + 1] = (starts[bucket + 1] as number) + 1;
  }
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    starts[bucket + 1] = (starts[bucket + 1] as number) + (starts[bucket] as number);
  }
  const order = new Uint32Array(length);
  const next = starts.slice();
  for (let index = 0; index < length; index += 1) {
    const bucket = bucketOf(processedOf(index));
    const at = next[bucket] as number;
    order[at] = index;
    next[bucket] = at + 1;
  }

  const sorted = new Uint8Array(buckets);
  const sortBucket = (bucket: number) => {
    if (sorted[bucket] === 1) return;
    sorted[bucket] = 1;
    const part = order.subarray(starts[bucket], starts[bucket + 1]);
    const timed = Array.from(part, (index) => ({ index, processedMs: processedOf(index) }));
    timed.sort((a, b) => a.processedMs - b.processedMs || a.index - b.index);
    timed.forEach((each, at) => {
      part[at] = each.index;
    });
  };

  return {
    length,
    rankBefore(epochMs, index) {
      if (epochMs < firstMs) return 0;
      const bucket = bucketOf(epochMs);
      if (bucket >= buckets) return length;
      sortBucket(bucket);
      return firstWhere(starts[bucket] as number, starts[bucket + 1] as number, (at) => {
        const other = order[at] as number;
        const otherMs = processedOf(other);
        return otherMs > epochMs || (otherMs === epochMs && other >= index);
      });
    },
    indexAt(rank) {
      // The event at the rank, sorted yet or not, belongs to the bucket that contains the rank.
      sortBucket(bucketOf(processedOf(order[rank] as number)));
      return order[rank] as number;
    },
  };
}
