import {
  type Clock,
  EdrlakeError,
  type Emit,
  linkAbort,
  positiveOption,
  type Random,
  type RateLimit,
} from '@edrlake/core';
import {
  acquireOrQueue,
  concurrencyOf,
  type LimiterClient,
  MAX_POLL_MS,
  recordAnswer,
  slidingWindowOf,
  type Wait,
} from './fair-queue.ts';
import { createFifoMutex } from './fifo-mutex.ts';
import { patienceOf } from './patience.ts';
import {
  createRequestSlots,
  giveBack,
  type RateLimiter,
  type RequestPermit,
  type WaitReport,
  waitReport,
} from './rate-limiter.ts';
import { type LimiterLiveness, type LimiterState, openSharedLimiterFile } from './shared-limiter-file.ts';
import { openSharedLimiterObjects, type VersionStore } from './shared-limiter-objects.ts';
import type { RequestPriority, StateUpdate } from './shared-state.ts';

/** The shared limiter, and how this process takes part in it. */
export interface SharedLimiterOptions {
  /** The folder of the limiter, created where it is missing: one for each account of one API. */
  readonly directory: string;
  /**
   * Where the state is beside a lake in an object store, for processes on all machines; the folder has a copy of it
   * then. It is closed with the limiter. Absent: in the folder.
   */
  readonly store?: VersionStore;
  /**
   * An upper bound for the requests of all processes, which headers may only lower. null: 300 per 3600 s until headers
   * say otherwise.
   */
  readonly userLimit: RateLimit | null;
  /** Requests at once of all processes (default 2), an upper bound that headers may only lower. */
  readonly concurrency?: number;
  /**
   * While a process of `high` priority has joined, processes of `normal` priority leave the last fifth of each limit to
   * it, and go only when it does not wait.
   */
  readonly priority: RequestPriority;
  readonly liveness: LimiterLiveness;
  /**
   * The longest wait for the rate limit, asked each time. A request that would wait longer fails with `REQUESTS_SPENT`,
   * so that its work can be given up until then; not while there is work with a reservation, which would be lost.
   * Absent: requests wait as long as it takes.
   */
  readonly patienceMs?: () => number;
}

/** A rate limiter with an entry in a shared file. `close` removes the entry. */
export interface SharedLimiter extends RateLimiter {
  /**
   * Ends all waiting. Learned limits stay for other processes. Calling it twice does no harm. @throws {EdrlakeError}
   * `LAKE_UNWRITABLE`
   */
  close(): Promise<void>;
}

/** A waiter polls for a slot after 5 ms first, then less and less often. */
const FIRST_POLL_MS = 5;
const MAX_QUEUE_POLL_MS = 250;
/** An end of waiting that moves by less is not worth reporting. */
const MOVED_MS = 1_000;
/** Waiting for a request of another process to end is reported only after this time. */
const WHO_AFTER_MS = 2_000;
/** The longest time that places are kept for a process that cannot be seen, without a sign of life. */
const LEASE_MS = 30_000;
/** Attempts of closing while other processes keep being faster. */
const CLOSE_ATTEMPTS = 20;

/**
 * Joins the rate limiter of a folder, shared by all processes that open it: no more requests in any window, and no more
 * at once, than the limits allow for all of them together. Limits that one process learns from headers, and waits that
 * a server asks for, hold for all, also for processes that join later.
 *
 *     acquire ─► FIFO queue of this process ─► a free slot here? ─► shared file: priority, ticket, window ─► permit
 *                                                │ no: sleep            │ no: poll, at least every 5 s
 *
 * There is no lock, neither while waiting nor during a request. A killed process leaves its entry. Others notice within
 * a second, remove it, and count its requests under way for one more window. A folder that was removed or cannot be
 * read counts as the initial state. Each request writes three small files without syncing them: after a power failure,
 * the headers of the next answer restore what was lost.
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`, here and from `acquire`; `CONFIG_INVALID` for numbers that cannot work
 */
export async function openSharedLimiter(
  options: SharedLimiterOptions,
  tools: { readonly clock: Clock; readonly emit: Emit; readonly random: Random },
): Promise<SharedLimiter> {
  const { clock, emit, random } = tools;
  const concurrency = positiveOption('concurrency', options.concurrency ?? 2);
  const userLimit = checkedLimit(options);
  const onForgotten = once(() => emit({ type: 'budget-forgotten', directory: options.directory }));
  const ledger = await openState(options, clock, onForgotten);
  const client: LimiterClient = { id: ledger.id, priority: options.priority, userLimit, concurrency };
  const line = createFifoMutex(clock);
  const slots = createRequestSlots(concurrency);
  const closing = new AbortController();

  const patience = patienceOf(options.patienceMs, {
    ...{ client, clock, look: ledger.look },
    write: (change) => untilWritten(() => ledger.update(change)),
    endWork: () => noteOnOwn(({ reserved: _, ...mine }) => mine),
  });

  const jittered = (ms: number) => Math.ceil(ms / 2 + (random() * ms) / 2);

  /** Applies the notes if possible; otherwise they are applied with the next request, or at closing. */
  function flush(): void {
    try {
      void ledger.flush()?.then(line.wake, line.wake);
    } catch (thrown) {
      // The next `acquire` throws it; the request that this was about has succeeded.
      if (!(thrown instanceof EdrlakeError)) throw thrown;
    }
    line.wake();
  }

  function noteOnOwn(
    change: (mine: NonNullable<StateUpdate['mine']>, draft: StateUpdate) => StateUpdate['mine'],
  ): void {
    if (closing.signal.aborted) return;
    ledger.note((draft) => {
      if (draft.mine !== null) draft.mine = change(draft.mine, draft);
    });
    flush();
  }

  function permitOf(sequence: number): RequestPermit {
    slots.take();
    return {
      answered: (facts) => {
        slots.learn(facts);
        noteOnOwn((mine, draft) => {
          recordAnswer(draft, client, sequence, facts);
          return { ...mine, unanswered: mine.unanswered - 1 };
        });
      },
      unused: () =>
        noteOnOwn((mine, { state }) => {
          slidingWindowOf(state, client).undo();
          return { ...mine, unanswered: mine.unanswered - 1 };
        }),
      ended: () => {
        slots.free();
        noteOnOwn((mine) => ({ ...mine, running: mine.running - 1 }));
      },
    };
  }

  async function acquireInTurn(signal: AbortSignal): Promise<RequestPermit> {
    const report = waitReport(tools, MOVED_MS);
    const reportShared = sharedWaits(report, ledger, options.liveness, tools);
    try {
      signal.throwIfAborted();
      // Own requests fill the limit: no other process can help, so the shared file is not polled.
      for (; slots.isFull(); await line.sleep(Number.POSITIVE_INFINITY, signal)) report.waits('concurrency', null);
      // Each round ends with a permit or waits: for time, for others, or for an answer of our own.
      for (let polls = 0; ; polls++) {
        signal.throwIfAborted();
        const queue = jittered(
          Math.min(MAX_QUEUE_POLL_MS, FIRST_POLL_MS * 2 ** Math.min(polls, 10)) * slownessOf(options),
        );
        const pollMs = { rate: jittered(MAX_POLL_MS), queue };
        const taken = await ledger.update((draft) => acquireOrQueue(draft, client, pollMs));
        if (typeof taken === 'number') return permitOf(taken);
        if (taken?.kind === 'rate') patience.refuseLongWait(taken.untilMs);
        if (taken !== null) reportShared(taken);
        await line.sleep(taken?.delayMs ?? jittered(FIRST_POLL_MS), signal);
      }
    } catch (thrown) {
      noteOnOwn((mine) => ({ ...mine, waiting: null }));
      throw thrown;
    } finally {
      report.ended();
    }
  }

  async function acquire(signal: AbortSignal): Promise<RequestPermit> {
    const { controller, unlink } = linkAbort(closing.signal, signal);
    try {
      return await line.run(() => acquireInTurn(controller.signal), giveBack, controller.signal);
    } finally {
      unlink();
    }
  }

  const untilWritten = <T>(write: () => T | null | Promise<T | null>): Promise<T> =>
    writtenAtLast(write, () => clock.sleep(jittered(FIRST_POLL_MS), NEVER), options.directory);
  await untilWritten(() => ledger.update(() => true));
  return {
    acquire,
    blockUntil(untilMs) {
      noteOnOwn((mine, { state }) => {
        slidingWindowOf(state, client).blockUntil(untilMs);
        return mine;
      });
    },
    requestsLeft: () => slidingWindowOf(ledger.look(), client).left(clock.nowMs()),
    limit: () => slidingWindowOf(ledger.look(), client).limit(),
    usedByOthers: () => slidingWindowOf(ledger.look(), client).usedByOthers(clock.nowMs()),
    concurrency: () => concurrencyOf(ledger.look(), client),
    ...(patience.reserve && { reserve: patience.reserve }),
    async close() {
      if (closing.signal.aborted) return;
      closing.abort(new EdrlakeError('INTERRUPTED', 'the request budget is closed'));
      await untilWritten(() =>
        ledger.update((draft) => {
          for (let n = draft.mine?.unanswered ?? 0; n > 0; n--) recordAnswer(draft, client, 0, null);
          draft.mine = null;
          return true;
        }),
      ).finally(ledger.close);
    },
  };
}

/** @throws {EdrlakeError} `CONFIG_INVALID` */
function checkedLimit({ userLimit }: SharedLimiterOptions): RateLimit | null {
  if (userLimit === null) return null;
  positiveOption('userLimit.requests', userLimit.requests);
  positiveOption('userLimit.windowSeconds', userLimit.windowSeconds);
  return userLimit;
}

/** What an update returns, after as many attempts as it takes within a bound. */
async function writtenAtLast<T>(
  write: () => T | null | Promise<T | null>,
  pause: () => Promise<void>,
  directory: string,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const written = await write();
    if (written !== null) return written;
    if (attempt === CLOSE_ATTEMPTS) {
      throw new EdrlakeError('LAKE_UNWRITABLE', `the request budget in ${directory} is written by too many`);
    }
    await pause();
  }
}

const NEVER = new AbortController().signal;

/** A poll of an object store takes as long as many of a folder, and costs money. */
function slownessOf({ store }: SharedLimiterOptions): number {
  return store === undefined ? 1 : 8;
}

function openState(
  { store, directory, priority, liveness }: SharedLimiterOptions,
  clock: Clock,
  onForgotten: () => void,
): LimiterState | Promise<LimiterState> {
  const opened = [directory, priority, liveness, clock, onForgotten] as const;
  return store === undefined ? openSharedLimiterFile(...opened) : openSharedLimiterObjects(store, ...opened);
}

/** Calls the function the first time only. */
function once(call: () => void): () => void {
  let isCalled = false;
  return () => {
    if (!isCalled) call();
    isCalled = true;
  };
}

/**
 * Reports a wait by the shared file: one with an end at once, one for other requests when it has lasted for two
 * seconds, with the process elsewhere that holds places, if there is one.
 */
function sharedWaits(
  report: WaitReport,
  ledger: LimiterState,
  liveness: LimiterLiveness,
  { clock, emit }: { readonly clock: Clock; readonly emit: Emit },
): (wait: Wait) => void {
  let sinceMs: number | null = null;
  let hasSaidPlace = false;
  let hasSaidWho = false;
  return (wait) => {
    const nowMs = clock.nowMs();
    sinceMs ??= nowMs;
    if (wait.kind === 'rate') {
      report.waits(wait.isServersWish ? 'server-asked' : 'rate-limit', wait.untilMs);
      hasSaidPlace = false;
    } else if (nowMs - sinceMs > WHO_AFTER_MS) {
      // Once: the reason may change with each poll.
      if (!hasSaidPlace) report.waits(wait.reason, null);
      hasSaidPlace = true;
      if (!hasSaidWho) hasSaidWho = sayWhoHolds(ledger, liveness, emit);
    }
  };
}

/** Names a process elsewhere, perhaps a dead one, that holds places. @returns whether there is one */
function sayWhoHolds(ledger: LimiterState, { stateOf }: LimiterLiveness, emit: Emit): boolean {
  const others = ledger.look().holders.filter(({ id, running }) => id !== ledger.id && running > 0);
  const holder = others.find(({ owner }) => stateOf(owner) === 'elsewhere');
  if (holder === undefined) return false;
  const { host, pid } = holder.owner;
  emit({ type: 'lease-wait', work: 'requests', host, pid, atMostMs: LEASE_MS });
  return true;
}
