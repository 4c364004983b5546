import type { Addition } from '../world/population.ts';
import type { Endpoint } from './call-log.ts';

/** The requests that a fault waits for. A part that is left out matches any. */
export interface FaultMatch {
  readonly endpoint?: Endpoint;
  /** The `pageNumber` asked for, from 0; only requests for pages have one. */
  readonly page?: number;
  /** Lets this many fitting requests pass first. Default 0. */
  readonly after?: number;
}

/** The effect of a fault. */
export type FaultEffect =
  /**
   * An error answer instead of the data. `toWaitSeconds` is sent as `X-RateLimit-ToWait-Sec` with the other limit
   * headers.
   */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly body?: 'json' | 'plain' | 'html' | 'empty';
      readonly limitHeaders?: boolean;
      readonly retryAfterSeconds?: number;
      readonly toWaitSeconds?: number;
    }
  /** Status 200 and an HTML page, like the login or maintenance page of a proxy. */
  | { readonly kind: 'html' }
  /** Nothing is sent for a while, before the headers or in the middle of the body; null: until the client gives up. */
  | { readonly kind: 'stall'; readonly stallMs: number | null; readonly at?: 'before-headers' | 'mid-body' }
  /** The connection is reset. */
  | { readonly kind: 'reset'; readonly at?: 'before-headers' | 'mid-body' }
  /** A complete answer whose JSON ends early. */
  | { readonly kind: 'truncated' }
  /** A complete answer that is not JSON in one place. */
  | { readonly kind: 'invalid-json' }
  /** One event of the page comes twice and its neighbour is missing: the number is right, the content is not. */
  | { readonly kind: 'duplicate-row' }
  /** The page lacks an event. */
  | { readonly kind: 'missing-row' }
  /**
   * Pages contain at most this many events, even if more are requested, and page numbers count pages of that size. No
   * part of the answer says so.
   */
  | { readonly kind: 'page-cap'; readonly largest: number }
  /** Pages of more than this many events are refused with status 400, in words that name the number. */
  | { readonly kind: 'page-size-refused'; readonly largest: number }
  /** One event in this many is listed twice, in any order and size of pages. */
  | { readonly kind: 'listed-twice'; readonly every: number }
  /** One event in this many says that it is another customer's. */
  | { readonly kind: 'foreign-rows'; readonly every: number }
  /** The page's events come in another order. */
  | { readonly kind: 'reorder' }
  /** Events arrive right after this answer was made. */
  | { readonly kind: 'late-arrival'; readonly addition: Addition }
  /** 401, and every token issued so far has expired. */
  | { readonly kind: 'expired-token' }
  /** The count, or the first bucket or group, is wrong by this number. */
  | { readonly kind: 'wrong-count'; readonly offBy: number }
  /** A count of 0, or no groups or buckets, although there are events. */
  | { readonly kind: 'zero-count' }
  /** A success without a body: status 200, or 204. */
  | { readonly kind: 'empty-body' }
  | { readonly kind: 'no-content' }
  /** Status 200 and, as JSON, an object that describes an error. */
  | { readonly kind: 'error-object' }
  /** Status 200 and a number alone, without the object around it. */
  | { readonly kind: 'bare-number' };

/** A fault: its effect, for which request, and how often (default once). */
export type Fault = FaultEffect & { readonly match?: FaultMatch; readonly times?: number };

/** Faults that wait for their request. */
export interface FaultQueue {
  /** Adds faults behind those that wait. The first that matches a request happens to it. */
  push(...faults: readonly Fault[]): void;
  /** Faults that have not happened yet, `times` counted. */
  readonly pending: number;
  /** Drops the faults that wait. */
  clear(): void;
}

interface Waiting {
  readonly fault: Fault;
  timesLeft: number;
  toPass: number;
}

/** A queue with `take`: it removes the first fault that waits for such a request; a request meets at most one. */
export function faultQueue(): FaultQueue & { take(endpoint: Endpoint, page: number | null): Fault | null } {
  let waiting: Waiting[] = [];
  return {
    push(...faults) {
      for (const fault of faults) {
        waiting.push({ fault, timesLeft: fault.times ?? 1, toPass: fault.match?.after ?? 0 });
      }
    },
    get pending() {
      return waiting.reduce((sum, each) => sum + each.timesLeft, 0);
    },
    clear() {
      waiting = [];
    },
    take(endpoint, page) {
      for (const each of waiting) {
        const { match } = each.fault;
        if (match?.endpoint !== undefined && match.endpoint !== endpoint) continue;
        if (match?.page !== undefined && match.page !== page) continue;
        if (each.toPass > 0) {
          each.toPass -= 1;
          continue;
        }
        each.timesLeft -= 1;
        if (each.timesLeft <= 0) waiting = waiting.filter((other) => other !== each);
        return each.fault;
      }
      return null;
    },
  };
}

const CUSTOMER = /"customerId":"[^"]*"/g;
const FOREIGN = '00000000-dead-4bad-8bad-00000000beef';

/** The rows of a page after a fault. */
export function spoiltRows(rows: readonly number[], fault: Fault | null): readonly number[] {
  switch (fault?.kind) {
    case 'duplicate-row': {
      const middle = Math.floor(rows.length / 2);
      return rows.map((row, at) => (at === middle && at > 0 ? (rows[at - 1] as number) : row));
    }
    case 'missing-row':
      return rows.filter((_, at) => at !== Math.floor(rows.length / 2));
    case 'reorder':
      return [...rows].reverse();
    default:
      return rows;
  }
}

/** A JSON body after a fault. */
export function spoiltBody(body: Buffer, fault: Fault | null): Buffer {
  if (fault?.kind === 'empty-body' || fault?.kind === 'no-content') return Buffer.alloc(0);
  if (fault?.kind === 'error-object') return Buffer.from('{"errorCode":500,"message":"simulated fault"}');
  if (fault?.kind === 'bare-number') return Buffer.from(/\d+/.exec(body.toString())?.[0] ?? '0');
  if (fault?.kind === 'foreign-rows') {
    let place = 0;
    const isForeign = () => place++ % fault.every === 0;
    return Buffer.from(body.toString().replace(CUSTOMER, (own) => (isForeign() ? `"customerId":"${FOREIGN}"` : own)));
  }
  if (fault?.kind === 'truncated') return body.subarray(0, Math.floor(body.length * 0.6));
  if (fault?.kind === 'invalid-json') {
    const middle = Math.floor(body.length / 2);
    return Buffer.concat([body.subarray(0, middle), Buffer.from('"\u0001}oops'), body.subarray(middle)]);
  }
  return body;
}
