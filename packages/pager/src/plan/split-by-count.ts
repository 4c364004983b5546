import type { EventQuery } from '@edrlake/core';
import type { CountClient } from './count-client.ts';
import { addPoint, type CountCurve, eventsBetween, instantOf, lastPointWithin, pointAt } from './count-curve.ts';
import { requestsOf, type WindowSizes } from './page-math.ts';

/** Requests of a further window in addition to its full pages: about one count, and a last page that is not full. */
const WINDOW_REQUESTS = 1.2;

/** A split point that wastes less than a better guess would cost is accepted. */
const ACCEPTED_WASTE = 0.9;

/** Each failed guess has already cost a request: the next split point may waste a little more. */
const LESS_PICKY = 0.6;

/**
 * Ranges of more windows than this are halved first: the shape of the curve is worth more there than another split
 * point.
 */
const FAR_WINDOWS = 3;

/**
 * After this number of failed guesses for one split point, every second one halves the time: bursts mislead any
 * interpolation.
 */
const PATIENT_GUESSES = 3;

/**
 * Counts until the curve has points that divide the query into windows of at most `maxEvents` events, each well filled.
 * Only ranges of one millisecond may have more. Needs about one request per window for smooth data, and for each burst
 * as many as halving the time down to it takes.
 */
export async function addSplitPointsByCount(
  countClient: CountClient,
  query: EventQuery,
  curve: CountCurve,
  sizes: WindowSizes,
): Promise<void> {
  const { maxEvents } = sizes;
  let startMs = query.range.startMs;
  let guesses = 0;
  // How wrong recent guesses were, as a share of the range in which they were made.
  let usualError = 0.03;
  // Bounded by the count client; each round either moves the start on or adds a point.
  for (;;) {
    const from = pointAt(curve, startMs);
    const low = lastPointWithin(curve, from, maxEvents);
    if (low === curve.atMs.length - 1) return;
    const lowMs = curve.atMs[low] as number;
    const widthMs = (curve.atMs[low + 1] as number) - lowMs;
    const splitAt = leastWaste(curve, from, low, sizes);
    if (
      splitAt > from &&
      (widthMs === 1 || wasteOf(curve, from, splitAt, sizes) <= ACCEPTED_WASTE + guesses * LESS_PICKY)
    ) {
      startMs = curve.atMs[splitAt] as number;
      guesses = 0;
      continue;
    }
    if (widthMs === 1) {
      startMs = curve.atMs[low + 1] as number;
      continue;
    }
    const filled = eventsBetween(curve, from, low);
    const step = eventsBetween(curve, low, low + 1);
    const far = step > FAR_WINDOWS * maxEvents;
    const margin = Math.min(0.35 * maxEvents, Math.max(0.01 * maxEvents, 1.3 * usualError * step));
    const wanted = (curve.before[low] as number) + (far ? step / 2 : Math.max(1, maxEvents - filled - margin));
    guesses++;
    const halve = guesses > PATIENT_GUESSES && guesses % 2 === 0;
    const atMs = halve ? lowMs + Math.floor(widthMs / 2) : instantOf(curve, low, wanted);
    const before = (curve.before[from] as number) + (await countClient.count(between(query, startMs, atMs)));
    if (!halve && !far) usualError = 0.7 * usualError + 0.3 * Math.min(0.5, Math.abs(before - wanted) / step);
    if (addPoint(curve, atMs, before)) {
      const rest = await countClient.count(between(query, atMs, query.range.endMs));
      addPoint(curve, query.range.endMs, before + rest);
    }
  }
}

/** The same query over a part of its range. */
export function between(query: EventQuery, startMs: number, endMs: number): EventQuery {
  return { ...query, range: { startMs, endMs } };
}

/** The point of `from + 1` to `low` at which a window is best ended; `from` when there is none. */
function leastWaste(curve: CountCurve, from: number, low: number, sizes: WindowSizes): number {
  let best = low;
  for (let point = low - 1; point > from; point--) {
    if (eventsBetween(curve, from, point) < sizes.maxEvents / 2) break;
    if (wasteOf(curve, from, point, sizes) < wasteOf(curve, from, best, sizes)) best = point;
  }
  return best;
}

/** Requests of a window between the two points beyond the best possible number. */
function wasteOf(curve: CountCurve, from: number, to: number, { maxEvents, pageSize }: WindowSizes): number {
  const events = eventsBetween(curve, from, to);
  return requestsOf(events, pageSize) - events / pageSize + (1 - events / maxEvents) * WINDOW_REQUESTS;
}
