import { EdrlakeError, type TimeRange } from '@edrlake/core';
import { unit } from './hash.ts';
import type { Lateness } from './lateness.ts';
import { processedOrder } from './processed-order.ts';
import { type EventSequence, firstWhere, listSequence, merged, without } from './sequence.ts';
import type { Timeline } from './timeline.ts';

/** One of the two times of an event: when it happened, or when the platform processed it. */
export type Axis = 'event' | 'processed';

/** Events to add to the data while the simulator runs. */
export interface Addition {
  readonly events: number;
  /** The range of their `dateTime`; spread evenly. May be outside the simulator's own range. */
  readonly range: TimeRange;
  /** When the platform processed them. Default: by the lateness profile. */
  readonly processedAtMs?: number;
}

/**
 * Which events exist, and which of them are visible now. Virtual events have the indexes from 0 in the order of their
 * time; added ones follow from `timeline.length` on. Every change increases `version`.
 */
export interface Population {
  readonly timeline: Timeline;
  readonly version: number;
  /** Indexes from 0 to below this are in use, visible or not. */
  readonly size: number;
  timeOf(index: number): number;
  processedOf(index: number): number;
  /** How often the event's content has changed; 0 as first delivered. */
  revisionOf(index: number): number;
  /** Visible events in the order of an axis, as of now. Valid until the next change. */
  visible(axis: Axis): EventSequence;
  isVisible(index: number): boolean;
  add(addition: Addition): readonly number[];
  revise(indexes: readonly number[], processedAtMs: number): void;
  remove(indexes: readonly number[]): void;
  /** Events processed after this instant are not visible; null: all are. */
  setNow(nowMs: number | null): void;
}

const ADDED_LIMIT = 2_000_000;
const SALT_ADDED_TIME = 15;

interface Changes {
  readonly addedTimesMs: number[];
  readonly addedProcessedMs: number[];
  readonly revised: Map<number, { revision: number; processedMs: number }>;
  readonly removed: Set<number>;
  nowMs: number;
  version: number;
}

/** The virtual events of a timeline, to which events can be added, and which can be changed and removed. */
export function populationOf(seed: number, timeline: Timeline, lateness: Lateness, nowMs: number | null): Population {
  const changes: Changes = {
    addedTimesMs: [],
    addedProcessedMs: [],
    revised: new Map(),
    removed: new Set(),
    nowMs: nowMs ?? Number.POSITIVE_INFINITY,
    version: 0,
  };
  const baseLength = timeline.length;
  const timeOf = (index: number) =>
    index < baseLength ? timeline.timeAt(index) : (changes.addedTimesMs[index - baseLength] as number);
  const firstProcessedOf = (index: number) =>
    index < baseLength
      ? timeline.timeAt(index) + lateness.delayMs(index)
      : (changes.addedProcessedMs[index - baseLength] as number);
  const processedOf = (index: number) => changes.revised.get(index)?.processedMs ?? firstProcessedOf(index);
  const isVisible = (index: number) =>
    index >= 0 &&
    index < baseLength + changes.addedTimesMs.length &&
    !changes.removed.has(index) &&
    firstProcessedOf(index) <= changes.nowMs;
  const view = sequencesOf({ timeline, lateness, changes, timeOf, firstProcessedOf, processedOf, isVisible });
  const changed = () => {
    changes.version += 1;
  };
  return {
    timeline,
    get version() {
      return changes.version;
    },
    get size() {
      return baseLength + changes.addedTimesMs.length;
    },
    timeOf,
    processedOf,
    revisionOf: (index) => (changes.revised.size === 0 ? 0 : (changes.revised.get(index)?.revision ?? 0)),
    visible: view,
    isVisible,
    add({ events, range, processedAtMs }) {
      const first = baseLength + changes.addedTimesMs.length;
      if (first + events > baseLength + ADDED_LIMIT) {
        throw new EdrlakeError('CONFIG_INVALID', `at most ${ADDED_LIMIT} events can be added`);
      }
      const indexes = Array.from({ length: events }, (_, nth) => first + nth);
      for (const index of indexes) {
        const along = unit(seed, index, SALT_ADDED_TIME);
        const atMs = range.startMs + Math.floor(along * (range.endMs - range.startMs));
        changes.addedTimesMs.push(atMs);
        changes.addedProcessedMs.push(processedAtMs ?? atMs + lateness.delayMs(index));
      }
      changed();
      return indexes;
    },
    revise(indexes, processedAtMs) {
      for (const index of indexes) {
        if (!isVisible(index))
          throw new EdrlakeError('CONFIG_INVALID', `event ${index} cannot be seen, so not revised`);
        const revision = (changes.revised.get(index)?.revision ?? 0) + 1;
        changes.revised.set(index, { revision, processedMs: processedAtMs });
      }
      changed();
    },
    remove(indexes) {
      for (const index of indexes) changes.removed.add(index);
      changed();
    },
    setNow(nowAtMs) {
      changes.nowMs = nowAtMs ?? Number.POSITIVE_INFINITY;
      changed();
    },
  };
}

interface SequenceParts extends Pick<Population, 'timeline' | 'timeOf' | 'processedOf' | 'isVisible'> {
  readonly lateness: Lateness;
  readonly changes: Changes;
  firstProcessedOf(index: number): number;
}

/** The visible sequences of both axes, rebuilt after a change; the stored processing order is built once. */
function sequencesOf(parts: SequenceParts): (axis: Axis) => EventSequence {
  const { timeline, changes, timeOf, processedOf, firstProcessedOf, isVisible } = parts;
  const baseLength = timeline.length;
  let order: EventSequence | null = null;
  const built = new Map<Axis, { version: number; sequence: EventSequence }>();

  const build = (axis: Axis): EventSequence => {
    const inBase = (index: number) => index < baseLength && firstProcessedOf(index) <= changes.nowMs;
    const removed = [...changes.removed];
    const added = changes.addedTimesMs.map((_, nth) => baseLength + nth).filter(isVisible);
    if (axis === 'event') {
      const gone = listSequence(removed.filter(inBase), timeOf);
      const base = without(seenByTime(parts), gone, timeOf);
      return merged(base, listSequence(added, timeOf), timeOf);
    }
    order ??= processedOrder(timeline, parts.lateness);
    const revised = [...changes.revised.keys()].filter((index) => index < baseLength);
    const moved = listSequence([...new Set([...removed, ...revised])].filter(inBase), firstProcessedOf);
    const base = without(cappedAt(order, changes.nowMs), moved, firstProcessedOf);
    return merged(base, listSequence([...added, ...revised.filter(isVisible)], processedOf), processedOf);
  };

  return (axis) => {
    const known = built.get(axis);
    if (known?.version === changes.version) return known.sequence;
    const sequence = build(axis);
    built.set(axis, { version: changes.version, sequence });
    return sequence;
  };
}

/** The elements up to an instant: everything processed until now. */
function cappedAt(sequence: EventSequence, nowMs: number): EventSequence {
  if (nowMs === Number.POSITIVE_INFINITY) return sequence;
  const length = sequence.rankBefore(nowMs + 1, -1);
  return {
    length,
    rankBefore: (epochMs, index) => Math.min(length, sequence.rankBefore(epochMs, index)),
    indexAt: (rank) => sequence.indexAt(rank),
  };
}

/**
 * Virtual events that have been processed by now, in the order of their time. Those older than the longest delay are
 * all visible; the younger ones are examined one by one and remembered, 4 bytes each.
 */
function seenByTime({ timeline, lateness, changes, firstProcessedOf }: SequenceParts): EventSequence {
  const byTime: EventSequence = {
    length: timeline.length,
    rankBefore(epochMs, index) {
      const first = timeline.rankAt(epochMs);
      return index <= first ? first : Math.min(index, timeline.rankAt(epochMs + 1));
    },
    indexAt: (rank) => rank,
  };
  const { nowMs } = changes;
  if (nowMs === Number.POSITIVE_INFINITY) return byTime;
  const settled = timeline.rankAt(nowMs - lateness.maxDelayMs + 1);
  const end = timeline.rankAt(nowMs + 1);
  const recent = new Uint32Array(end - settled);
  let found = 0;
  for (let index = settled; index < end; index += 1) {
    if (firstProcessedOf(index) > nowMs) continue;
    recent[found] = index;
    found += 1;
  }
  return {
    length: settled + found,
    rankBefore(epochMs, index) {
      const rank = byTime.rankBefore(epochMs, index);
      if (rank <= settled) return rank;
      return settled + firstWhere(0, found, (at) => (recent[at] as number) >= rank);
    },
    indexAt: (rank) => (rank < settled ? rank : (recent[rank - settled] as number)),
  };
}
