import { isDeepStrictEqual } from 'node:util';
import {
  EdrlakeError,
  type Emit,
  type ErrorCode,
  type EventQuery,
  type EventSource,
  type PlannedWindow,
  type QueryScope,
  sum,
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

/** The wanted events. */
export interface PlanRequest {
  readonly axis: TimeAxis;
  readonly range: TimeRange;
  readonly scope: QueryScope;
}

/** Options of a plan. */
export interface PlanOptions {
  readonly signal: AbortSignal;
  readonly emit: Emit;
  /** Use the source's histograms where it has them. Default true. */
  readonly histogram?: boolean;
  /**
   * The source's count of the range, where the caller has just requested it: it is not requested again. Fetching
   * compares any count with the pages.
   */
  readonly counted?: number;
  /**
   * Requests after which planning ends with an error. The default grows with the events and is never reached by settled
   * data.
   */
  readonly maxPlanRequests?: number;
}

/** A range with too many events for one window, by the counts around it, and why it could not be divided. */
export interface UncountedWindow extends PlannedWindow {
  readonly error: EdrlakeError;
}

/** Windows that contain every event of a range exactly once, and the requests to fetch them. */
export interface WindowPlan {
  /**
   * By start, each with at least one and at most `maxResultWindow` events (`maxWindowEvents` with cursors). Those of
   * one millisecond follow each other and differ in their filters. Together with `emptyWindows` they tile the range.
   */
  readonly windows: readonly PlannedWindow[];
  /**
   * By start, neighbours joined. By the counts they have no events. One wrong count is enough for that, so it is no
   * proof: they are fetched like windows without events, which takes their first page, and are proven where it is
   * empty.
   */
  readonly emptyWindows: readonly Window[];
  /**
   * By start. Ranges that could not be divided, because a count in them finally failed; the rest of the range is
   * planned.
   */
  readonly uncounted: readonly UncountedWindow[];
  readonly events: number;
  /** Requests that planning made. */
  readonly planRequests: number;
  /**
   * Requests to fetch all windows when nothing fails: their pages, one page for each empty window, and one recount for
   * each window whose last page is full, because more may follow (with cursors the next page is requested instead).
   */
  readonly pages: number;
  /** `ceil(events / pageSize)`: no client needs fewer page requests. */
  readonly lowerBound: number;
}

/**
 * Divides a wanted range into windows that paging can read completely, from counts alone. One request when the range
 * fits into one window, none where its count is known; with histograms a few more for any number of events; without
 * them about one per window. Windows are as full as possible, so one may span many quiet days. Where data changes
 * meanwhile, a window's count may be wrong by those events; fetching compares and recounts. Where a count finally
 * fails, only the range that it was to divide is left out.
 * @throws {EdrlakeError} `WINDOW_INDIVISIBLE`, `RESPONSE_UNEXPECTED` when the counts never add up, or what the source
 * throws.
 */
export async function planWindows(
  source: EventSource,
  request: PlanRequest,
  options: PlanOptions,
): Promise<WindowPlan> {
  const sizes = windowSizes(source);
  let maxRequests = options.maxPlanRequests ?? 2;
  const countClient = createCountClient(source, {
    signal: options.signal,
    histogram: options.histogram ?? true,
    maxRequests: () => maxRequests,
  });
  const { axis, range, scope } = request;
  options.emit({ type: 'planning', range });
  const query: EventQuery = { axis, range, cuts: [], scope };
  const counted = options.counted ?? (await countWhole(countClient, query));
  maxRequests = options.maxPlanRequests ?? planRequestBound(counted, sizes);
  const { windows, emptyWindows, uncounted } = await splitQuery(countClient, query, counted, sizes);
  throwIfNothingElse({ windows, emptyWindows, uncounted });
  const events = sum(windows, ({ count }) => count);
  const confirmations = emptyWindows.length * requestsOf(0, sizes.pageSize);
  const pages = windows.reduce((sum, { count }) => sum + requestsOf(count, sizes.pageSize), confirmations);
  const planRequests = countClient.requests();
  options.emit({ type: 'planned', windows: windows.length + emptyWindows.length, events, pages, planRequests });
  const lowerBound = pagesOf(events, sizes.pageSize);
  return { windows, emptyWindows, uncounted, events, planRequests, pages, lowerBound };
}

/** Halving the time down to one millisecond takes about 40 counts; each may yield half a window. */
export function planRequestBound(events: number, sizes: WindowSizes): number {
  return 200 + 100 * Math.ceil(events / sizes.maxEvents);
}

/**
 * The windows into which a query was divided: those with events, those without by the counts, and those that were not
 * divided; by start.
 */
export interface SplitQuery {
  readonly windows: PlannedWindow[];
  readonly emptyWindows: Window[];
  readonly uncounted: UncountedWindow[];
}

/** The final errors of a broken answer to one query: other queries may be answered. */
const BROKEN_ANSWERS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'BODY_BROKEN',
  'RESPONSE_UNEXPECTED',
  'SERVER_ERROR',
  'TIMEOUT',
  'REQUEST_REFUSED',
]);

/** Returns the error, where it concerns only this query. @throws any other error */
export function brokenAnswer(thrown: unknown): EdrlakeError {
  if (!(thrown instanceof EdrlakeError) || !BROKEN_ANSWERS.has(thrown.code)) throw thrown;
  // Counts that never add up are not a broken answer, although they have the same code.
  if (thrown.disposition !== 'retry' && thrown.code !== 'REQUEST_REFUSED') throw thrown;
  return thrown;
}

/** Refusals of the query itself, including its filters. */
const QUESTION_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'FILTER_REJECTED',
  'SORT_REJECTED',
  'QUERY_TOO_LONG',
  'PAGE_SIZE_REFUSED',
]);

/**
 * Whether the source refuses how it was asked. Where nothing else is answered either, every other request would be
 * refused as well.
 */
export function isAboutQuestion({ code }: EdrlakeError): boolean {
  return QUESTION_CODES.has(code);
}

/** The error of one refused count, where others are answered: it concerns its own range. */
function refusedAlone(thrown: unknown): unknown {
  if (!(thrown instanceof EdrlakeError) || !isAboutQuestion(thrown)) return thrown;
  const { message, context, hint } = thrown;
  return new EdrlakeError('REQUEST_REFUSED', `${message} Other counts are answered.`, {
    cause: thrown,
    context: { ...context, othersAnswered: true },
    ...(hint !== null && { hint }),
  });
}

/**
 * The count of a whole range. Where the source refuses it, the count of its first millisecond shows whether it would
 * refuse any.
 */
async function countWhole(countClient: CountClient, query: EventQuery): Promise<number> {
  try {
    return await countClient.count(query);
  } catch (thrown) {
    if (!(thrown instanceof EdrlakeError) || !isAboutQuestion(thrown)) throw thrown;
    const { startMs } = query.range;
    const isAnswered = await countClient.count({ ...query, range: { startMs, endMs: startMs + 1 } }).then(
      () => true,
      () => false,
    );
    throw isAnswered ? refusedAlone(thrown) : thrown;
  }
}

/** @throws {EdrlakeError} why a query could not be divided, where no part of it was */
export function throwIfNothingElse({ windows, emptyWindows, uncounted }: SplitQuery): void {
  const [first] = uncounted;
  if (first !== undefined && windows.length + emptyWindows.length === 0) throw first.error;
}

/**
 * Divides one query with a known number of events into windows of at most `sizes.maxEvents`, which tile it together
 * with the empty ones.
 */
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
    failure = brokenAnswer(refusedAlone(thrown));
  }
  const split: SplitQuery = { windows: [], emptyWindows: [], uncounted: [] };
  for (const segment of chooseSplitPoints(curve, sizes)) {
    const part: EventQuery = { ...query, range: segment.range };
    if (failure !== null && segment.count > sizes.maxEvents) {
      split.uncounted.push({ window: windowOf(part), count: segment.count, error: failure });
      continue;
    }
    const parts = await splitQuery(countClient, part, segment.count, sizes);
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
      uncounted: [{ window: windowOf(query), count, error: brokenAnswer(refusedAlone(thrown)) }],
    };
  }
}

/** Joins neighbouring windows with the same filters: one empty page confirms them all. */
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
