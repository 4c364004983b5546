import type { TimeRange } from '@edrlake/core';

/**
 * The known number of events before an instant: exact values at some instants, in ascending order. A count of any range
 * that begins at a known instant adds a value; the number between two neighbours needs no request.
 */
export interface CountCurve {
  /** Ascending, from the range's start to its end. */
  readonly atMs: number[];
  /** Events from the range's start to that instant; never descending. */
  readonly before: number[];
}

/** The curve from one count of a whole range: its two ends. */
export function countCurve(range: TimeRange, count: number): CountCurve {
  return { atMs: [range.startMs, range.endMs], before: [0, count] };
}

/** Events between the points `from` and `to`. */
export function eventsBetween(curve: CountCurve, from: number, to: number): number {
  return (curve.before[to] as number) - (curve.before[from] as number);
}

/** The index of the last point at or before the instant. */
export function pointAt(curve: CountCurve, atMs: number): number {
  let low = 0;
  let high = curve.atMs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((curve.atMs[middle] as number) <= atMs) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * The last point up to which at most `events` events follow the point `from`; `from` itself when the next step is
 * larger.
 */
export function lastPointWithin(curve: CountCurve, from: number, events: number): number {
  const most = (curve.before[from] as number) + events;
  let low = from;
  let high = curve.before.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((curve.before[middle] as number) <= most) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * Adds a newly counted point. The newest count applies: points that contradict it (because data changed in between) are
 * removed. Returns whether the end of the range was among them, which then must be counted again.
 */
export function addPoint(curve: CountCurve, atMs: number, before: number): boolean {
  const { atMs: instants, before: counts } = curve;
  let low = pointAt(curve, atMs);
  let high = low + 1;
  if ((instants[low] as number) === atMs) low--;
  while (low > 0 && (counts[low] as number) > before) low--;
  while (high < counts.length && (counts[high] as number) < before) high++;
  instants.splice(low + 1, high - low - 1, atMs);
  counts.splice(low + 1, high - low - 1, before);
  return low + 2 === instants.length;
}

/**
 * Replaces everything between the points `from` and `to` with the given points, which must be ascending and between
 * them.
 */
export function replaceBetween(curve: CountCurve, from: number, to: number, points: CountCurve): void {
  const tailAtMs = curve.atMs.slice(to);
  const tailBefore = curve.before.slice(to);
  curve.atMs.length = from + 1;
  curve.before.length = from + 1;
  for (const part of [points.atMs, tailAtMs]) for (const instant of part) curve.atMs.push(instant);
  for (const part of [points.before, tailBefore]) for (const count of part) curve.before.push(count);
}

/** Shifts the points from `point` to the end by a number of events: the difference of a recount before them. */
export function shiftFrom(curve: CountCurve, point: number, events: number): void {
  for (let i = point; i < curve.before.length; i++) curve.before[i] = (curve.before[i] as number) + events;
}

/**
 * The instant between the points `low` and `low + 1` before which there are about `before` events: a monotone cubic
 * (Fritsch and Carlson, 1980) through the neighbours, so that a daily rise or fall is followed, never overshot.
 */
export function instantOf(curve: CountCurve, low: number, before: number): number {
  const startMs = curve.atMs[low] as number;
  const widthMs = (curve.atMs[low + 1] as number) - startMs;
  const events = eventsBetween(curve, low, low + 1);
  const slopeAtStart = (densityAt(curve, low) * widthMs) / events;
  const slopeAtEnd = (densityAt(curve, low + 1) * widthMs) / events;
  const share = (before - (curve.before[low] as number)) / events;
  let from = 0;
  let to = 1;
  for (let step = 0; step < 40; step++) {
    const u = (from + to) / 2;
    const cubic = u * u * (3 - 2 * u) + u * (1 - u) * ((1 - u) * slopeAtStart - u * slopeAtEnd);
    if (cubic < share) from = u;
    else to = u;
  }
  return Math.min(startMs + widthMs - 1, Math.max(startMs + 1, Math.round(startMs + from * widthMs)));
}

/**
 * Events per millisecond at a point: the weighted harmonic mean of the segments on both sides, 0 where one is empty.
 */
function densityAt(curve: CountCurve, point: number): number {
  const last = curve.atMs.length - 1;
  if (point === 0) return densityOf(curve, 0);
  if (point === last) return densityOf(curve, last - 1);
  const left = densityOf(curve, point - 1);
  const right = densityOf(curve, point);
  if (left === 0 || right === 0) return 0;
  const leftMs = (curve.atMs[point] as number) - (curve.atMs[point - 1] as number);
  const rightMs = (curve.atMs[point + 1] as number) - (curve.atMs[point] as number);
  const leftWeight = 2 * rightMs + leftMs;
  const rightWeight = rightMs + 2 * leftMs;
  return (leftWeight + rightWeight) / (leftWeight / left + rightWeight / right);
}

function densityOf(curve: CountCurve, low: number): number {
  return eventsBetween(curve, low, low + 1) / ((curve.atMs[low + 1] as number) - (curve.atMs[low] as number));
}
