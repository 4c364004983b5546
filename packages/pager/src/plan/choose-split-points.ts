import type { TimeRange } from '@edrlake/core';
import { type CountCurve, eventsBetween } from './count-curve.ts';
import { requestsOf, type WindowSizes } from './page-math.ts';

/** The range between two split points, and the events in it. */
export interface SplitSegment {
  readonly range: TimeRange;
  readonly count: number;
}

/**
 * A window also costs a directory, a proof and a line on the screen: of two equal plans the one with fewer windows is
 * better.
 */
const WINDOW_COST = 0.02;

/**
 * Divides the curve at some of its points, so that the segments tile it, none has more than `maxEvents` events and all
 * together need the fewest requests. A step of more than `maxEvents` between two neighbouring points is a segment of
 * its own.
 */
export function chooseSplitPoints(curve: CountCurve, sizes: WindowSizes): SplitSegment[] {
  const segments: SplitSegment[] = [];
  const last = curve.atMs.length - 1;
  let from = 0;
  for (let point = 0; point <= last; point++) {
    const dense = point < last && eventsBetween(curve, point, point + 1) > sizes.maxEvents;
    if (!dense && point < last) continue;
    segments.push(...cheapestSegments(curve, from, point, sizes));
    if (dense) segments.push(segmentOf(curve, point, point + 1));
    from = point + 1;
  }
  return segments;
}

/** Shortest path over the points `from` to `to`: `best[j]` is the least cost of all windows up to candidate `j`. */
function cheapestSegments(curve: CountCurve, from: number, to: number, sizes: WindowSizes): SplitSegment[] {
  if (from === to) return [];
  const candidates = distinctPoints(curve, from, to);
  const best = new Float64Array(candidates.length);
  const previous = new Int32Array(candidates.length);
  for (let j = 1; j < candidates.length; j++) {
    best[j] = Number.POSITIVE_INFINITY;
    for (let i = j - 1; i >= 0; i--) {
      const events = eventsBetween(curve, candidates[i] as number, candidates[j] as number);
      if (events > sizes.maxEvents) break;
      const cost = (best[i] as number) + requestsOf(events, sizes.pageSize) + WINDOW_COST;
      if (cost < (best[j] as number)) {
        best[j] = cost;
        previous[j] = i;
      }
    }
  }
  const segments: SplitSegment[] = [];
  for (let j = candidates.length - 1; j > 0; j = previous[j] as number) {
    segments.push(segmentOf(curve, candidates[previous[j] as number] as number, candidates[j] as number));
  }
  return segments.reverse();
}

/** Of neighbours without an event between them one is enough; the ends always stay. */
function distinctPoints(curve: CountCurve, from: number, to: number): number[] {
  const points = [from];
  for (let point = from + 1; point < to; point++) {
    const known = curve.before[points.at(-1) as number] as number;
    if ((curve.before[point] as number) > known) points.push(point);
  }
  if (points.length > 1 && eventsBetween(curve, points.at(-1) as number, to) === 0) points.pop();
  points.push(to);
  return points;
}

function segmentOf(curve: CountCurve, from: number, to: number): SplitSegment {
  return {
    range: { startMs: curve.atMs[from] as number, endMs: curve.atMs[to] as number },
    count: eventsBetween(curve, from, to),
  };
}
