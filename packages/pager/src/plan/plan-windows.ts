import { isDeepStrictEqual } from 'node:util';
import {
  EdrlakeError,
  type Emit,
  type ErrorCode,
  type EventQuery,
  type EventSource,
  type PlannedWindow,
  type QueryScope,
  type TimeAxis,
  type TimeRange,
  type Window,
  windowOf,
} from '@edrlake/core';
import { chooseSplitPoints } from './choose-split-points.ts';
import { type CountClient, createCountClient } from './count-client.ts';
import { countCurve } from './count-curve.ts';
import { pagesOf, requestsOf, type WindowSizes, windowSizes } from './page-math.ts';
import { addSplitPointsByCount } from './split-by-count.ts';
import { addSplitPointsByHistogram } from './split-by-histogram.ts';
import { splitByValue } from './split-by-value.ts';

/** Which events are wanted. */
export interface PlanRequest {
  readonly axis: TimeAxis;
  readonly range: TimeRange;
  readonly scope: QueryScope;
}

/** How a plan is made. */
export interface PlanOptions {
  readonly signal: AbortSignal;
  readonly emit: Emit;
  /** Use the source's histograms where it has them. Default true. */
  readonly histogram?: boolean;
  /**
   * How many events the source counted in the range just now, where the caller has asked already: it is not asked again.
   * Whatever it is, fetching compares it with the pages.
   */
  readonly counted?: number;
  /** Requests after which planning gives up. The default grows with the events and is never met by settled data. */
  readonly maxPlanRequests?: number;
}

/** A stretch of too many events for one window, by the counts around it, and why it could not be divided. */
export interface UncountedWindow extends PlannedWindow {
  readonly error: EdrlakeError;
}

/** Windows that hold every event of a range exactly once, and what it takes to fetch them. */
export interface WindowPlan {
  /**
   * By start, each with at least one and at most `maxResultWindow` events (`maxWindowEvents` where the source walks by
   * cursors). Those of one millisecond follow each other and differ in their cuts. Together with `emptyWindows` they tile
   * the range.
   */
  readonly windows: readonly PlannedWindow[];
  /**
   * By start, neighbours joined. By the counts nothing is in them. One wrong count is enough for that, so it is no proof: they
   * are fetched like windows of no events, which takes their first page, and are proven where it is empty.
   */
  readonly emptyWindows: readonly Window[];
  /** By start. Stretches that could not be divided, because a count in them failed for good; the rest of the range goes on. */
  readonly uncounted: readonly UncountedWindow[];
  readonly events: number;
  /** Requests the planning made. */
  readonly planRequests: number;
  /**
   * Requests that fetching all windows takes when nothing goes wrong: their pages, one page for each empty one, and one recount
   * for each window whose last page is full, because a full page does not tell whether more would come (a walk asks for the next
   * page instead).
   */
  readonly pages: number;
  /** `ceil(events / pageSize)`: no client could do with fewer page requests. */
  readonly lowerBound: number;
}

/**
 * Turns a wanted range into windows that paging can reach to their end, from counts alone. One request when the range
 * fits into one window, none where its count is known; with histograms a few more for any number of events; without them about one per window.
 * Windows are as full as possible, so one may span many quiet days. Where data changes meanwhile a window's count may be
 * off by those events; fetching compares and recounts. Where a count stays broken, only the stretch it was to divide is left out.
 * @throws {EdrlakeError} `WINDOW_INDIVISIBLE`, `RESPONSE_UNEXPECTED` when the counts never add up, or what the source throws.
 */
export async function planWindows(
  source: EventSource,
  request: PlanRequest,
  options: PlanOptions,
): Promise<WindowPlan> {
  const sizes = windowSizes(source);
  let maxRequests = options.maxPlanRequests ?? 1;
  const countClient = createCountClient(source, {
    signal: options.signal,
    histogram: options.histogram ?? true,
    maxRequests: () => maxRequests,
  });
  const { axis, range, scope } = request;
  const query: EventQuery = { axis, range, cuts: [], scope };
  const counted = options.counted ?? (await countClient.count(query));
  maxRequests = options.maxPlanRequests ?? planRequestBound(counted, sizes);
  const { windows, emptyWindows, uncounted } = await splitQuery(countClient, query, counted, sizes);
  throwIfNothingElse({ windows, emptyWindows, uncounted });
  const events = windows.reduce((sum, { count }) => sum + count, 0);
  const confirmations = emptyWindows.length * requestsOf(0, sizes.pageSize);
  const pages = windows.reduce((sum, { count }) => sum + requestsOf(count, sizes.pageSize), confirmations);
  const planRequests = countClient.requests();
  options.emit({ type: 'planned', windows: windows.length + emptyWindows.length, events, pages, planRequests });
  const lowerBound = pagesOf(events, sizes.pageSize);
  return { windows, emptyWindows, uncounted, events, planRequests, pages, lowerBound };
}

/** Halving the time down to one millisecond takes some 40 counts; each may bring half a window. */
export function planRequestBound(events: number, sizes: WindowSizes): number {
  return 200 + 100 * Math.ceil(events / sizes.maxEvents);
}

/** The windows a query was cut into: those with events, those that hold none by the counts, what was not divided; by start. */
export interface SplitQuery {
  readonly windows: PlannedWindow[];
  readonly emptyWindows: Window[];
  readonly uncounted: UncountedWindow[];
}

/** What a broken answer to one question ends with, after every try: other questions may be answered. */
const BROKEN_ANSWERS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'BODY_BROKEN',
  'RESPONSE_UNEXPECTED',
  'SERVER_ERROR',
  'TIMEOUT',
  'REQUEST_REFUSED',
]);

/** The error, where it concerns the question that was asked and no other. @throws what was thrown, elsewhere */
export function brokenAnswer(thrown: unknown): EdrlakeError {
  if (!(thrown instanceof EdrlakeError) || !BROKEN_ANSWERS.has(thrown.code)) throw thrown;
  // Counts that never add up are no broken answer, although they have the same code.
  if (thrown.disposition !== 'retry' && thrown.code !== 'REQUEST_REFUSED') throw thrown;
  return thrown;
}

/** @throws {EdrlakeError} why a query could not be divided, where all of it could not */
export function throwIfNothingElse({ windows, emptyWindows, uncounted }: SplitQuery): void {
  const [first] = uncounted;
  if (first !== undefined && windows.length + emptyWindows.length === 0) throw first.error;
}

/** Cuts one query of a known number of events into windows of at most `sizes.maxEvents`, which tile it together with the empty ones. */
export async function splitQuery(
  countClient: CountClient,
  query: EventQuery,
  count: number,
  sizes: WindowSizes,
): Promise<SplitQuery> {
  if (count === 0) return { windows: [], emptyWindows: [windowOf(query)], uncounted: [] };
  if (count <= sizes.maxEvents)
    return { windows: [{ window: windowOf(query), count }], emptyWindows: [], uncounted: [] };
  if (query.range.endMs - query.range.startMs === 1) return splitMillisecond(countClient, query, count, sizes);
  const curve = countCurve(query.range, count);
  let failure: EdrlakeError | null = null;
  try {
    if (countClient.histogram !== null) await addSplitPointsByHistogram(countClient, query, curve, sizes);
    await addSplitPointsByCount(countClient, query, curve, sizes);
  } catch (thrown) {
    failure = brokenAnswer(thrown);
  }
  const split: SplitQuery = { windows: [], emptyWindows: [], uncounted: [] };
  for (const stretch of chooseSplitPoints(curve, sizes)) {
    const part: EventQuery = { ...query, range: stretch.range };
    if (failure !== null && stretch.count > sizes.maxEvents) {
      split.uncounted.push({ window: windowOf(part), count: stretch.count, error: failure });
      continue;
    }
    const parts = await splitQuery(countClient, part, stretch.count, sizes);
    split.windows.push(...parts.windows);
    split.emptyWindows.push(...parts.emptyWindows);
    split.uncounted.push(...parts.uncounted);
  }
  // Where the end had to be counted again and was not, the curve ends before it.
  const rest = { startMs: curve.atMs.at(-1) ?? query.range.startMs, endMs: query.range.endMs };
  if (failure !== null && rest.startMs < rest.endMs) {
    split.uncounted.push({ window: windowOf({ ...query, range: rest }), count: sizes.maxEvents + 1, error: failure });
  }
  return { ...split, emptyWindows: joinNeighbours(split.emptyWindows) };
}

async function splitMillisecond(
  countClient: CountClient,
  query: EventQuery,
  count: number,
  sizes: WindowSizes,
): Promise<SplitQuery> {
  try {
    const parts = await splitByValue(countClient, query, count, sizes);
    return {
      windows: parts.filter((part) => part.count > 0),
      emptyWindows: parts.filter((part) => part.count === 0).map((part) => part.window),
      uncounted: [],
    };
  } catch (thrown) {
    return {
      windows: [],
      emptyWindows: [],
      uncounted: [{ window: windowOf(query), count, error: brokenAnswer(thrown) }],
    };
  }
}

/** Windows that touch and have the same cuts as one: one empty page confirms them all. */
function joinNeighbours(windows: readonly Window[]): Window[] {
  const joined: Window[] = [];
  for (const window of windows) {
    const last = joined.at(-1);
    if (last?.range.endMs === window.range.startMs && isDeepStrictEqual(last.cuts, window.cuts)) {
      const range = { startMs: last.range.startMs, endMs: window.range.endMs };
      joined[joined.length - 1] = windowOf({ ...window, range });
    } else joined.push(window);
  }
  return joined;
}
