import { EdrlakeError, type TimeRange } from '@edrlake/core';
import { draw, unit } from './hash.ts';
import { DAY_MS, dayNumber, dayText, HOUR_MS, MINUTE_MS } from './time-text.ts';

/** Many events in a short time, part of the total. Overlapping bursts add up. */
export interface Burst {
  readonly startMs: number;
  readonly durationMs: number;
  readonly events: number;
}

/** How the events are distributed over the range. Everything left out has a default. */
export interface TimelineProfile {
  /** Weight of each UTC hour, 24 numbers. Default: office hours in addition to a steady minimum. */
  readonly hourWeights?: readonly number[];
  /** Weight of Saturday and Sunday against other days. Default 0.5. */
  readonly weekendWeight?: number;
  /** Weight of single UTC days (`YYYY-MM-DD`) against the others, default 1: 0 makes an empty day, 10 a busy one. */
  readonly dayWeights?: Readonly<Record<string, number>>;
  /** How much single minutes differ from the curve, 0 to 1. Default 0.4. */
  readonly unevenness?: number;
  /**
   * Minutes, chosen by the seed, with `busyMinuteEvents` (default 12,000) events in addition to the usual ones. Default
   * 0.
   */
  readonly busyMinutes?: number;
  readonly busyMinuteEvents?: number;
  /** Events of one second, and of one millisecond, chosen by the seed. Default 0: none. */
  readonly busySecondEvents?: number;
  readonly busyMillisecondEvents?: number;
  /** Bursts at given times. */
  readonly bursts?: readonly Burst[];
}

/**
 * Event times in order without storing one: the time of any rank and the rank of any time, each in O(log minutes).
 * Built from segments (minutes, divided where a burst begins or ends) in which the events are spread evenly with
 * jitter.
 */
export interface Timeline {
  readonly range: TimeRange;
  readonly length: number;
  /** All bursts, including those that the seed placed. */
  readonly bursts: readonly Burst[];
  /** Time of the event with this rank (from 0), never less than that of the rank before. */
  timeAt(rank: number): number;
  /** How many events happened before the instant. */
  rankAt(epochMs: number): number;
}

const OFFICE_HOURS = [3, 3, 3, 3, 3, 4, 6, 9, 14, 16, 16, 15, 13, 15, 16, 15, 13, 10, 8, 6, 5, 4, 4, 3];
const SALT = { time: 1, minute: 2, busyMinute: 3, busySecond: 4, busyMillisecond: 5 } as const;
/** Ranges longer than this many minutes (about 76 years) would need too much memory. */
const SEGMENT_LIMIT = 40_000_000;

/** @throws {EdrlakeError} `CONFIG_INVALID` when the bursts have more events than the timeline. */
export function buildTimeline(seed: number, range: TimeRange, events: number, profile: TimelineProfile): Timeline {
  const bursts = placeBursts(seed, range, profile);
  const starts = segmentStarts(range, bursts);
  const counts = segmentCounts(seed, range, starts, events, profile, bursts);
  const before = new Float64Array(counts.length + 1);
  for (let segment = 0; segment < counts.length; segment += 1) {
    before[segment + 1] = (before[segment] as number) + (counts[segment] as number);
  }
  return timelineOf(seed, range, starts, before, bursts);
}

function timelineOf(
  seed: number,
  range: TimeRange,
  starts: Float64Array,
  before: Float64Array,
  bursts: readonly Burst[],
): Timeline {
  const length = before[before.length - 1] as number;
  const timeInSegment = (segment: number, rank: number) => {
    const startMs = starts[segment] as number;
    const durationMs = (starts[segment + 1] as number) - startMs;
    const firstRank = before[segment] as number;
    const events = (before[segment + 1] as number) - firstRank;
    const offsetMs = Math.floor(((rank - firstRank + unit(seed, rank, SALT.time)) * durationMs) / events);
    return startMs + Math.min(offsetMs, durationMs - 1);
  };
  return {
    range,
    length,
    bursts,
    timeAt: (rank) => timeInSegment(lastAtMost(before, rank), rank),
    rankAt(epochMs) {
      if (epochMs <= range.startMs) return 0;
      if (epochMs >= range.endMs) return length;
      const segment = lastAtMost(starts, epochMs);
      const firstRank = before[segment] as number;
      const endRank = before[segment + 1] as number;
      const startMs = starts[segment] as number;
      const durationMs = (starts[segment + 1] as number) - startMs;
      const estimate = firstRank + Math.floor(((epochMs - startMs) * (endRank - firstRank)) / durationMs);
      // Each event is in its own equal part of the segment, so the answer is at most one or two parts from the
      // estimate.
      let rank = Math.max(firstRank, estimate - 2);
      while (rank < endRank && timeInSegment(segment, rank) < epochMs) rank += 1;
      return rank;
    },
  };
}

/** The last position whose value is at most `wanted`. @param sorted ascending, its first value at most `wanted` */
function lastAtMost(sorted: Float64Array, wanted: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((sorted[middle] as number) <= wanted) low = middle;
    else high = middle - 1;
  }
  return low;
}

function placeBursts(seed: number, range: TimeRange, profile: TimelineProfile): Burst[] {
  const bursts = [...(profile.bursts ?? [])];
  const place = (salt: number, nth: number, durationMs: number, events: number) => {
    const firstSlot = Math.ceil(range.startMs / durationMs);
    const slots = Math.floor(range.endMs / durationMs) - firstSlot;
    if (slots < 1) throw new EdrlakeError('CONFIG_INVALID', `the range has no room for a burst of ${durationMs} ms`);
    const startMs = (firstSlot + Math.floor(unit(seed, nth, salt) * slots)) * durationMs;
    bursts.push({ startMs, durationMs, events });
  };
  for (let nth = 0; nth < (profile.busyMinutes ?? 0); nth += 1) {
    place(SALT.busyMinute, nth, MINUTE_MS, profile.busyMinuteEvents ?? 12_000);
  }
  if (profile.busySecondEvents) place(SALT.busySecond, 0, 1000, profile.busySecondEvents);
  if (profile.busyMillisecondEvents) place(SALT.busyMillisecond, 0, 1, profile.busyMillisecondEvents);
  for (const burst of bursts) {
    const endMs = burst.startMs + burst.durationMs;
    if (burst.durationMs < 1 || burst.events < 0 || burst.startMs < range.startMs || endMs > range.endMs) {
      throw new EdrlakeError('CONFIG_INVALID', `a burst of ${burst.events} events does not lie inside the range`);
    }
  }
  return bursts;
}

/** The starts of segments, and finally the end of the range: minutes, and both ends of every burst. */
function segmentStarts(range: TimeRange, bursts: readonly Burst[]): Float64Array {
  const firstMinuteMs = Math.ceil(range.startMs / MINUTE_MS) * MINUTE_MS;
  const minutes = Math.max(0, Math.ceil((range.endMs - firstMinuteMs) / MINUTE_MS));
  if (minutes > SEGMENT_LIMIT) throw new EdrlakeError('CONFIG_INVALID', `${minutes} minutes are too long a range`);
  const all = new Float64Array(minutes + 2 + bursts.length * 2);
  for (let minute = 0; minute < minutes; minute += 1) all[minute] = firstMinuteMs + minute * MINUTE_MS;
  all[minutes] = range.startMs;
  all[minutes + 1] = range.endMs;
  bursts.forEach((burst, nth) => {
    all[minutes + 2 + nth * 2] = burst.startMs;
    all[minutes + 3 + nth * 2] = burst.startMs + burst.durationMs;
  });
  all.sort();
  return all.filter((startMs, at) => at === 0 || startMs !== all[at - 1]);
}

function segmentCounts(
  seed: number,
  range: TimeRange,
  starts: Float64Array,
  events: number,
  profile: TimelineProfile,
  bursts: readonly Burst[],
): Float64Array {
  const burstEvents = bursts.reduce((sum, burst) => sum + burst.events, 0);
  if (burstEvents > events) {
    throw new EdrlakeError('CONFIG_INVALID', `bursts hold ${burstEvents} events, more than the ${events} there are`);
  }
  const weightOf = minuteWeights(seed, profile);
  const counts = new Float64Array(starts.length - 1);
  const weights = counts.map(
    (_, at) => ((starts[at + 1] as number) - (starts[at] as number)) * weightOf(starts[at] as number),
  );
  spread(counts, weights, 0, counts.length, events - burstEvents);
  for (const burst of bursts) {
    const first = lastAtMost(starts, burst.startMs);
    const end = lastAtMost(starts, Math.min(burst.startMs + burst.durationMs, range.endMs));
    const durations = counts.map((_, at) =>
      at < first || at >= end ? 0 : (starts[at + 1] as number) - (starts[at] as number),
    );
    spread(counts, durations, first, end, burst.events);
  }
  return counts;
}

/**
 * Adds `events` to the counts in proportion to the weights; rounding the running sum makes the parts add up exactly.
 */
function spread(counts: Float64Array, weights: Float64Array, first: number, end: number, events: number): void {
  let total = 0;
  for (let at = first; at < end; at += 1) total += weights[at] as number;
  if (events === 0) return;
  if (total <= 0) throw new EdrlakeError('CONFIG_INVALID', 'the profile gives every minute the weight 0');
  let reached = 0;
  let given = 0;
  for (let at = first; at < end; at += 1) {
    reached += weights[at] as number;
    const due = Math.min(events, Math.round((events * reached) / total));
    counts[at] = (counts[at] as number) + due - given;
    given = due;
  }
  counts[end - 1] = (counts[end - 1] as number) + events - given;
}

function minuteWeights(seed: number, profile: TimelineProfile): (epochMs: number) => number {
  const hours = profile.hourWeights ?? OFFICE_HOURS;
  if (hours.length !== 24) throw new EdrlakeError('CONFIG_INVALID', `expected 24 hour weights, found ${hours.length}`);
  const weekend = profile.weekendWeight ?? 0.5;
  const unevenness = profile.unevenness ?? 0.4;
  let day = Number.NaN;
  let ofDay = 1;
  return (epochMs) => {
    if (dayNumber(epochMs) !== day) {
      day = dayNumber(epochMs);
      const weekday = (((day + 4) % 7) + 7) % 7;
      ofDay = (profile.dayWeights?.[dayText(day)] ?? 1) * (weekday === 0 || weekday === 6 ? weekend : 1);
    }
    const hour = Math.floor((epochMs - day * DAY_MS) / HOUR_MS);
    const noise = 1 + unevenness * (draw(seed, Math.floor(epochMs / MINUTE_MS), SALT.minute) / 2_147_483_648 - 1);
    return ofDay * (hours[hour] as number) * noise;
  };
}
