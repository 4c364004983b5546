// The call path of one page, from the windows of a plan to bytes on disk:
//
//   fetchWindows            begins windows while bytes on disk and requests in flight are within their bounds
//   ├ reserve               where work is given up for lack of requests: begins no window that they do not cover
//   └ fetchJob              queues the parts of one that outgrew its plan; says what a refused one means for all
//     └ fetchWindow         compares pages with the count; counts and fetches again while they do not agree
//       └ fetchPages        pages by number or by cursor; all windows share one bound of pages in work
//         └ source.page     core's EventSource; from here on the client's code
//           └ client.events
//             └ sendRequest the attempts: token, back-off, what an answer means
//               └ sendOnce  a permit of the rate limiter is held, the only thing a request waits for; one HTTP request
//                 └ read    back up here: spool.writePage scans the body into a .part file, syncs it, renames it
//
// The body is read inside the attempts, so that a body that breaks in its middle is requested again like after any
// other failure. A page reaches the journal (onPage) only after its name is on disk.

import { setMaxListeners } from 'node:events';
import {
  EdrlakeError,
  type Emit,
  type EventSource,
  type FetchedWindow,
  type PlannedWindow,
  type RecordShape,
  type SpooledPage,
  sum,
  toEdrlakeError,
} from '@edrlake/core';
import pLimit from 'p-limit';
import { isAboutQuestion } from '../plan/plan-windows.ts';
import { type DividedWindow, giveUp } from './divided-window.ts';
import type { FailedWindow } from './failed-window.ts';
import { fetchJob, type Job } from './fetch-job.ts';
import type { WindowFetching } from './fetch-pages.ts';
import { windowReservations } from './reserve-windows.ts';
import { openSpool, type Spool } from './spool.ts';

/** Where pages are stored, how many are fetched at once, and how far ahead of the consumer. */
export interface FetchOptions {
  /**
   * Pages are stored in `<spoolDirectory>/<windowId>/<pageNumber>.ndjson` until `removeWindow`. The folder is created
   * when missing. One process works in it at a time; half-written files of an earlier one are removed.
   */
  readonly spoolDirectory: string;
  /** The declared fields of records, see `scanPage`. null where the spool is not flattened. */
  readonly shape: RecordShape | null;
  /** Requests in flight at once, over all windows. A source may allow fewer. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
  readonly emit: Emit;
  /** Awaited for each page that is newly on disk, before its window counts as fetched. Calls may overlap. */
  readonly onPage?: (page: SpooledPage) => Promise<void>;
  /** Awaited when the API gives smaller pages than requested, before any of the new size is requested. */
  readonly onPageSize?: (pageSize: number) => Promise<void>;
  /**
   * Pages that an earlier run spooled, by window, oldest first: those that are unchanged are used without a request.
   */
  readonly resume?: ReadonlyMap<string, readonly SpooledPage[]>;
  /**
   * Bytes on disk that the consumer has not taken yet. No window begins that would exceed it, except a first one and,
   * with cursors, one for each request that may be in flight while no window waits. Default 512 MiB.
   */
  readonly maxSpooledBytes?: number;
  /** Further attempts for a window that does not add up. Default 2. */
  readonly maxRefetches?: number;
  /** Use histograms when a window has to be planned again. Default true. */
  readonly histogram?: boolean;
}

/**
 * Windows refused in a row before the rest is not requested: such a refusal is meant, and the server may count them.
 */
const MAX_REFUSED_IN_A_ROW = 5;

/** Windows that are begun or wait for the consumer: bounds memory where windows have almost no bytes. */
const MAX_WINDOWS_AHEAD = 256;

/** Assumed until the first windows show the size of records. */
const FIRST_BYTES_PER_RECORD = 2_000;

/**
 * Fetches windows into the spool and yields each as soon as it is done, roughly in the given order. Each window is
 * yielded once, complete or failed, except that one that outgrew the result window is replaced by smaller ones that
 * tile it. Of a window planned without events the first page is requested: the window is complete where that page is
 * empty, otherwise it is fetched like any other whose count was wrong. Fetching continues while the consumer works, as
 * far ahead as `maxSpooledBytes` allows. A page or count that finally fails fails its window only, and the other pages
 * of that window come with it as `partial`. After several windows in a row that the gateway refused, the rest is
 * yielded as failed without a request.
 *
 * After the end, an error, or the consumer's `break` no request is in flight. A crash leaves whole pages in the spool;
 * the caller names those for which `onPage` was awaited in `resume`.
 * @throws {EdrlakeError} the errors that every other window would have: `AUTH_REJECTED`, `ACCESS_DENIED`,
 * `LAKE_UNWRITABLE` (also for what `onPage` throws), an abort, or a refused question (`FILTER_REJECTED`,
 * `QUERY_TOO_LONG` …) where no page was answered, also none of another range. Windows that are done by then are yielded
 * first, except after an abort and `LAKE_UNWRITABLE`: those stay in the spool.
 */
export async function* fetchWindows(
  source: EventSource,
  windows: readonly PlannedWindow[],
  options: FetchOptions,
): AsyncGenerator<FetchedWindow | FailedWindow, void, void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  // Each request in flight listens, and the caller decides how many there are.
  setMaxListeners(0, signal);
  const spool = await openSpool(options.spoolDirectory, { idFields: source.idFields, shape: options.shape });
  const queue = fetchQueue(source, windows, spool, { ...options, signal }, stop, options.signal);
  try {
    for (;;) {
      queue.pump();
      const done = queue.take();
      if (done !== undefined) yield done;
      else if (queue.isIdle()) return;
      else await queue.nextChange();
    }
  } finally {
    stop.abort(new EdrlakeError('INTERRUPTED', 'the consumer takes no further windows'));
    await queue.settled();
  }
}

/** The windows that were begun or wait for the consumer, and their bytes. */
function fetchQueue(
  source: EventSource,
  windows: readonly PlannedWindow[],
  spool: Spool,
  options: FetchOptions,
  stop: AbortController,
  caller: AbortSignal,
) {
  const maxSpooledBytes = options.maxSpooledBytes ?? 536_870_912;
  const fetching = fetchingWith(source, spool, options);
  const parts: Job[] = [];
  const ready: (FetchedWindow | FailedWindow)[] = [];
  const active = new Map<Promise<void>, { bytes: number }>();
  const sizes = recordSizes();
  let position = 0;
  let fatal: EdrlakeError | null = null;
  const answers = { hasCome: false };
  const refusals = refusalsInARow(answers);
  /** Windows whose parts are not all done. */
  const divided = new Set<DividedWindow>();
  const reservations = windowReservations(source, (id) => options.resume?.get(id)?.length ?? 0);

  const notAsked = (because: EdrlakeError): FailedWindow | undefined => {
    const job = peek();
    if (job === undefined) return undefined;
    if (parts.pop() === undefined) position++;
    return notAskedWindow(job, because);
  };
  const peek = (): Job | undefined => {
    const planned = windows[position];
    return parts.at(-1) ?? (planned === undefined ? undefined : { planned, depth: 0 });
  };
  const bytesAhead = () => {
    const done = [...ready, ...[...divided].flatMap((whole) => whole.done)];
    const ofDone = sum(done, (one) => ('bodyBytes' in one ? one.bodyBytes : (one.partial?.bodyBytes ?? 0)));
    return ofDone + sum([...active.values()], ({ bytes }) => bytes);
  };
  const mayBegin = (job: Job) => {
    if (reservations.isHeldBack()) return false;
    if (active.size + ready.length === 0) return true;
    // One more than can be in flight, so that a window that ends leaves no gap.
    if (active.size > options.concurrency || active.size + ready.length >= MAX_WINDOWS_AHEAD) return false;
    // Pages by cursor follow each other: only as many windows as requests may be in flight keep all of them busy.
    if (source.cursor !== null && ready.length === 0 && active.size < options.concurrency) return true;
    return bytesAhead() + sizes.expectedBytes(job) <= maxSpooledBytes;
  };
  const begin = (job: Job) => {
    const begun = { bytes: sizes.expectedBytes(job) };
    let spooled = 0;
    const onBytes = (bodyBytes: number) => {
      spooled += bodyBytes;
      begun.bytes = Math.max(begun.bytes, spooled);
    };
    const task = reservations
      .take(job, () => active.size === 1)
      .then((isReserved) => {
        // Below the parts of windows that have begun.
        if (!isReserved) parts.unshift(job);
        if (!isReserved) return null;
        pump();
        return fetchJob(fetching, job, answers, onBytes);
      })
      .then(
        (outcome) => {
          if (outcome === null) return;
          reservations.ended();
          ready.push(...outcome.done);
          // The first part next, before windows that were planned later.
          parts.push(...outcome.parts.reverse());
          for (const { divided: whole } of outcome.parts) if (whole !== undefined) divided.add(whole);
          if (job.divided?.open === 0) divided.delete(job.divided);
          for (const done of outcome.done) {
            refusals.heed(done);
            sizes.note(done);
          }
        },
        (thrown: unknown) => {
          // The error of an aborted request says less than the reason.
          fatal ??= toEdrlakeError(options.signal.aborted ? options.signal.reason : thrown);
          stop.abort(fatal);
        },
      )
      .then(() => {
        active.delete(task);
        if (active.size === 0 && parts.every(({ depth }) => depth === 0)) reservations.release();
        pump();
      });
    active.set(task, begun);
  };
  const pump = () => {
    for (let job = peek(); job !== undefined && !options.signal.aborted; job = peek()) {
      if (refusals.last() !== null || !mayBegin(job)) return;
      if (parts.pop() === undefined) position++;
      begin(job);
    }
  };
  return {
    /** Begins as many windows as the bounds allow. Also called whenever a window is done. */
    pump,
    /** The next window for the consumer. @throws the error that ends everything, once no request is in flight. */
    take(): FetchedWindow | FailedWindow | undefined {
      const hasEnded = fatal !== null || options.signal.aborted;
      if (!hasEnded) {
        const refusal = refusals.last();
        if (refusal === null || active.size > 0) return ready.shift();
        ready.push(...giveUp(fetching, divided, refusal));
        return ready.shift() ?? notAsked(refusal);
      }
      if (active.size > 0) return undefined;
      const error = fatal ?? toEdrlakeError(options.signal.reason);
      ready.push(...giveUp(fetching, divided, error));
      // Complete windows are still passed on, unless the consumer has stopped or they could not be stored.
      const isWanted = !caller.aborted && error.code !== 'LAKE_UNWRITABLE';
      const whole = isWanted ? ready.shift() : undefined;
      if (whole !== undefined) return whole;
      throw error;
    },
    isIdle: () => active.size === 0 && ready.length === 0 && peek() === undefined,
    nextChange: () => Promise.race(active.keys()),
    async settled(): Promise<void> {
      while (active.size > 0) await Promise.all(active.keys());
      reservations.release();
    },
  };
}

/** Learns how many bytes a window will have. */
function recordSizes() {
  const records = { count: 0, bytes: 0 };
  return {
    expectedBytes: ({ planned }: Job): number =>
      planned.count * (records.count === 0 ? FIRST_BYTES_PER_RECORD : records.bytes / records.count),
    note(done: FetchedWindow | FailedWindow): void {
      if (!('bodyBytes' in done)) return;
      records.count += done.recordCount;
      records.bytes += done.bodyBytes;
    },
  };
}

/** Notices windows that are refused one after another. */
function refusalsInARow(answers: { hasCome: boolean }) {
  let inARow = 0;
  let last: EdrlakeError | null = null;
  return {
    /** Why nothing further is requested, although other windows might be answered; null for no reason. */
    last: (): EdrlakeError | null => last,
    heed(done: FetchedWindow | FailedWindow): void {
      const cameOf = 'error' in done ? (done.partial?.pages ?? []) : done.pages;
      if (cameOf.length > 0) {
        answers.hasCome = true;
        inARow = 0;
      }
      if (!('error' in done) || cameOf.length > 0) return;
      const isRefusal = done.error.code === 'REQUEST_REFUSED' || isAboutQuestion(done.error);
      inARow = isRefusal ? inARow + 1 : 0;
      if (inARow >= MAX_REFUSED_IN_A_ROW) last ??= done.error;
    },
  };
}

function notAskedWindow({ planned }: Job, { code, message, context, hint }: EdrlakeError): FailedWindow {
  const because = `not asked for, because ${MAX_REFUSED_IN_A_ROW} windows in a row were refused: ${message}`;
  const error = new EdrlakeError(code, because, { context, ...(hint === null ? {} : { hint }) });
  return { ...planned, verdict: 'failed', error, partial: null };
}

/**
 * Pages and counts that are in work at once: it bounds those that fail together when the gateway does. A request does
 * not wait here but in the queue of the source, which says for what: the rate limit, the concurrency or another
 * process. So one more is begun than may be in flight, the head of that queue. A source without a queue would send it
 * at once, and so would one that allows more at once than this export may have.
 */
function pagesInWork(source: EventSource, concurrency: number): number {
  const ofSource = source.concurrency?.() ?? Number.POSITIVE_INFINITY;
  return ofSource <= concurrency ? concurrency + 1 : concurrency;
}

function fetchingWith(source: EventSource, spool: Spool, options: FetchOptions): WindowFetching {
  const { onPage, onPageSize } = options;
  /** Work must not continue as if the caller had recorded what it could not. */
  const recorded = async (what: string, recording: Promise<void> | undefined) => {
    try {
      await recording;
    } catch (thrown) {
      throw new EdrlakeError('LAKE_UNWRITABLE', `expected to record ${what}: ${toEdrlakeError(thrown).message}`, {
        cause: thrown,
      });
    }
  };
  return {
    source,
    inTurn: pLimit(pagesInWork(source, options.concurrency)),
    spool,
    signal: options.signal,
    emit: options.emit,
    onPage: (page) => recorded('a fetched page', onPage?.(page)),
    onPageSize: (pageSize) => recorded('the size of pages', onPageSize?.(pageSize)),
    failedPages: { inARow: 0 },
    resume: options.resume ?? new Map(),
    maxRefetches: options.maxRefetches ?? 2,
    histogram: options.histogram ?? true,
  };
}
