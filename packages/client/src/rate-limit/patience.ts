import { type Clock, EdrlakeError, type EventSource, isoInstant, nounText } from '@edrlake/core';
import { type LimiterClient, slidingWindowOf } from './fair-queue.ts';
import { type Refusal, reserveRequests, worthwhileMs } from './reserve-requests.ts';
import type { SharedState, StateUpdate } from './shared-state.ts';

/** How long the requests of a process wait, and the work for which they wait as long as it takes. */
export interface Patience {
  /** @throws {EdrlakeError} `REQUESTS_SPENT` where that is more than the patience there is */
  refuseLongWait(untilMs: number): void;
  /** Absent where requests always wait as long as it takes. */
  readonly reserve?: NonNullable<EventSource['reserve']>;
}

/** What it needs of its limiter. */
interface PatienceTools {
  readonly client: LimiterClient;
  readonly clock: Clock;
  readonly look: () => SharedState;
  readonly write: <T>(change: (draft: StateUpdate) => T) => Promise<T>;
  /** No work is under way any more: what is left of its reservations was not needed. */
  readonly endWork: () => void;
}

/** @param patienceMs the longest wait, asked each time; absent: there is none */
export function patienceOf(patienceMs: (() => number) | undefined, tools: PatienceTools): Patience {
  const { client, clock, look, write, endWork } = tools;
  if (patienceMs === undefined) return { refuseLongWait: () => {} };
  let underWay = 0;
  return {
    refuseLongWait(untilMs) {
      const nowMs = clock.nowMs();
      if (underWay > 0 || untilMs - nowMs <= patienceMs()) return;
      // To begin again for one request would cost more requests than that.
      const readyAtMs = worthwhileMs(slidingWindowOf(look(), client), nowMs);
      throw requestsSpent({ untilMs, readyAtMs }, 'no request may be sent');
    },
    async reserve(requests) {
      // null would say that nothing was written.
      const { refusal } = await write((draft) => ({
        refusal: reserveRequests(draft, client, requests, patienceMs()),
      }));
      if (refusal !== null) throw requestsSpent(refusal, `work of ${nounText(requests, 'request')} may not begin`);
      underWay += 1;
      return {
        end: () => {
          underWay -= 1;
          if (underWay === 0) endWork();
        },
      };
    },
  };
}

function requestsSpent({ untilMs, readyAtMs }: Refusal, what: string): EdrlakeError {
  return new EdrlakeError('REQUESTS_SPENT', `${what} before ${isoInstant(untilMs)}`, {
    context: { untilMs, readyAtMs },
    hint: 'Run it again then.',
  });
}
