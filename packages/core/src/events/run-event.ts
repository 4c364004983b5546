import type { Day, TimeRange } from '../time/time-range.ts';

/** What the API says about the end of an endpoint. */
export interface Deprecation {
  /** Of the endpoint, such as `/ioc/events`. */
  readonly path: string;
  /** ISO instant from which it is deprecated; null where the API does not say when. */
  readonly deprecatedAt: string | null;
  /** ISO instant from which it may no longer answer; null where the API does not say when. */
  readonly sunsetAt: string | null;
}

/** `/ioc/events is deprecated since 2026-01-01 and may end on 2027-01-31`, as far as the API says it. */
export function deprecationText({ path, deprecatedAt, sunsetAt }: Deprecation): string {
  const day = (instant: string) => instant.slice(0, 10);
  const since = deprecatedAt === null ? '' : ` as of ${day(deprecatedAt)}`;
  const end = sunsetAt === null ? '' : ` and may end on ${day(sunsetAt)}`;
  return `${path} is deprecated${since}${end}`;
}

/** Something a person or a log may want to know. Libraries report through one callback and never print. */
export type RunEvent =
  | { readonly type: 'login'; readonly expiresAtMs: number }
  | {
      readonly type: 'request';
      readonly endpoint: 'auth' | 'events' | 'count' | 'detail';
      /** HTTP status, or null where no answer came. */
      readonly status: number | null;
      readonly durationMs: number;
      readonly attempt: number;
      /** Requests left in the current rate-limit window, or null while unknown. */
      readonly requestsLeft: number | null;
      /** What the answer says about the end of its endpoint. Absent: nothing. */
      readonly deprecation?: Deprecation;
    }
  | {
      readonly type: 'retry';
      readonly endpoint: string;
      readonly code: string;
      readonly delayMs: number;
      readonly attempt: number;
    }
  | {
      /** The next request of this process waits for its turn. */
      readonly type: 'pace';
      /**
       * What it waits for: the rate limit of the subscription, a time that the server named (`Retry-After`), the end of
       * a request of this process, or requests of other processes that share the rate limiter.
       */
      readonly reason: 'rate-limit' | 'server-asked' | 'concurrency' | 'other-process';
      /** null where the wait ends with an answer, at an unknown time. */
      readonly delayMs: number | null;
      readonly untilMs: number | null;
    }
  | {
      /** The wait of the last `pace` event is over: its request goes out, or was given up. */
      readonly type: 'pace-end';
      readonly reason: 'rate-limit' | 'server-asked' | 'concurrency' | 'other-process';
      /** From the first `pace` event of the request. */
      readonly waitedMs: number;
    }
  | {
      readonly type: 'limits';
      readonly requests: number;
      readonly windowSeconds: number;
      readonly concurrency: number | null;
    }
  | {
      /** Counting begins, to divide a range into windows; `planned` ends it. */
      readonly type: 'planning';
      readonly range: TimeRange;
    }
  | {
      readonly type: 'planned';
      readonly windows: number;
      readonly events: number;
      readonly pages: number;
      readonly planRequests: number;
    }
  | {
      /** The fetching of a window begins; `window`, `window-split` or `window-failed` ends it. */
      readonly type: 'window-started';
      readonly windowId: string;
      readonly range: TimeRange;
      readonly counted: number;
    }
  | {
      /** A page has its turn: its request goes out when the rate limit allows it. `page` ends it, if it arrives. */
      readonly type: 'page-started';
      readonly windowId: string;
      readonly pageNumber: number;
    }
  | {
      readonly type: 'page';
      readonly windowId: string;
      readonly pageNumber: number;
      readonly records: number;
      readonly bodyBytes: number;
      readonly reused: boolean;
    }
  | {
      readonly type: 'window';
      readonly windowId: string;
      readonly range: TimeRange;
      readonly counted: number;
      readonly fetched: number;
      readonly verdict: 'complete' | 'mismatch';
      /** Records that the API lists more than once in a window that is complete all the same. Absent: none. */
      readonly duplicates?: number;
    }
  | {
      readonly type: 'window-refetch';
      readonly windowId: string;
      readonly range: TimeRange;
      readonly counted: number;
      readonly fetched: number;
      readonly distinct: number;
      readonly attempt: number;
    }
  | {
      /** The gateway returns smaller pages than requested, or refuses the size. Later pages are of `given` events. */
      readonly type: 'page-size';
      readonly asked: number;
      readonly given: number;
    }
  | {
      readonly type: 'window-split';
      readonly windowId: string;
      readonly range: TimeRange;
      readonly into: number;
      /** Events that paging reaches, where that is the reason; absent where the window has grown. */
      readonly reach?: number;
    }
  | {
      readonly type: 'window-failed';
      readonly windowId: string;
      readonly range: TimeRange;
      readonly code: string;
      readonly message: string;
    }
  | { readonly type: 'window-skipped'; readonly windowId: string; readonly range: TimeRange; readonly count: number }
  | {
      readonly type: 'batch';
      readonly windows: number;
      readonly records: number;
      readonly rejected: number;
      readonly bodyBytes: number;
      readonly durationMs: number;
    }
  | { readonly type: 'unknown-field'; readonly path: string; readonly eventCount: number; readonly firstDay: Day }
  | {
      readonly type: 'commit';
      readonly version: number;
      readonly newEvents: number;
      readonly changedEvents: number;
      readonly unchangedEvents: number;
      readonly filesAdded: number;
      readonly filesRemoved: number;
      /** From the first comparison with the lake to the end, all attempts included. */
      readonly durationMs: number;
    }
  | { readonly type: 'commit-contended'; readonly version: number; readonly attempt: number }
  | {
      /**
       * Work of a process that cannot be seen from here must end first; it is taken over once its lease has expired.
       */
      readonly type: 'lease-wait';
      readonly work: 'commit' | 'run' | 'requests';
      readonly host: string;
      readonly pid: number;
      readonly atMostMs: number;
    }
  | {
      /** A stored log of requests, or a part of it, was damaged or out of bounds. */
      readonly type: 'budget-forgotten';
      readonly directory: string;
    }
  | {
      /** The log of requests, which `edrlake requests` shows, cannot be written: it says nothing of this process. */
      readonly type: 'requests-unlogged';
      readonly directory: string;
      readonly reason: string;
    }
  | {
      /** Commits of dead processes that this one may not finish or undo. */
      readonly type: 'unfinished';
      readonly commits: number;
    }
  | {
      /** What dead processes left behind was finished or undone. */
      readonly type: 'recovered';
      readonly commits: number;
    }
  | {
      /** The commits are safe, but what hunts use could not be brought up to date; the next writer goes on with it. */
      readonly type: 'derived-behind';
      readonly what: 'value-index' | 'standing-hunts';
      readonly code: string;
      readonly message: string;
    }
  | {
      /** A command goes through data files of the lake: what it has done of those that it has to read. */
      readonly type: 'lake-work';
      readonly work: 'compact' | 'migrate' | 'index' | 'verify';
      /** Data files. `done` is 0 when the work begins. */
      readonly done: number;
      readonly total: number;
    }
  | {
      /** Something in a list that is always hunted is no indicator; the rest of the list is hunted. */
      readonly type: 'list-fault';
      readonly list: string;
      readonly place: string;
      readonly problem: string;
    }
  | { readonly type: 'resumed'; readonly runId: string; readonly pagesReused: number }
  | {
      readonly type: 'pipeline';
      readonly pipeline: string;
      readonly runId: string;
      readonly state: 'started' | 'resumed' | 'done' | 'partly' | 'mismatch' | 'rejected' | 'failed' | 'interrupted';
    }
  | {
      readonly type: 'task';
      readonly pipeline: string;
      readonly runId: string;
      readonly task: string;
      /** Which part of a fan-out, or null for the task as a whole. */
      readonly partition: string | null;
      /**
       * `reused`: an earlier process of this run had finished it. `retry`: it failed and starts again after `delayMs`.
       */
      readonly state:
        | 'started'
        | 'retry'
        | 'done'
        | 'partly'
        | 'mismatch'
        | 'rejected'
        | 'failed'
        | 'skipped'
        | 'interrupted'
        | 'reused';
      /** From 1; 0 where nothing ran. */
      readonly attempt: number;
      readonly delayMs: number | null;
      readonly code: string | null;
      /** For the terminal. What a function of the user threw is quoted here and nowhere else. */
      readonly message: string | null;
    }
  | {
      readonly type: 'hook';
      readonly pipeline: string;
      readonly runId: string;
      readonly hook: 'onSuccess' | 'onFailure' | 'onMismatch' | 'onRejects' | 'onMatch' | 'onQuiet';
      readonly delivered: boolean;
      readonly attempts: number;
      /** HTTP status of the last attempt, or null where no answer came. */
      readonly status: number | null;
      /** Why it was not delivered, or null. Neither address nor headers are in it. */
      readonly reason: string | null;
    }
  | {
      readonly type: 'schedule';
      readonly pipeline: string;
      readonly dueAtMs: number;
      /**
       * `covered`: a tick was missed and no data is missing. `failed`: the run could not be started or threw.
       * `clock-changed`: see `message`; the due time is the next one.
       */
      readonly action: 'waiting' | 'on-time' | 'catch-up' | 'covered' | 'failed' | 'clock-changed';
      readonly code: string | null;
      readonly message: string | null;
    };

/** Receives events in order. Must return at once and must not throw. */
export type Emit = (event: RunEvent) => void;
