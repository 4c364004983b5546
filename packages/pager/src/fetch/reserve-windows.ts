import { EdrlakeError, type EventSource, type Reservation } from '@edrlake/core';
import { requestsOf } from '../plan/page-math.ts';
import type { Job } from './fetch-job.ts';

/**
 * The requests of the windows under way. Where work is given up for lack of requests, the pages of a window that is not
 * whole are lost to other machines, so a window begins only if its requests are free.
 */
export interface WindowReservations {
  /** Whether the next window has to wait: until its requests are reserved, or one under way has ended. */
  isHeldBack(): boolean;
  /**
   * @returns whether the window may begin; where not, it may once one under way has ended
   * @throws {EdrlakeError} `REQUESTS_SPENT` where there is none
   */
  take(job: Job, isAlone: () => boolean): Promise<boolean>;
  /** A window under way has ended. */
  ended(): void;
  /** All windows under way are whole, with their parts, or given up. */
  release(): void;
}

/** @param pagesOnDisk of a window, from an earlier attempt: they need no request */
export function windowReservations(source: EventSource, pagesOnDisk: (windowId: string) => number): WindowReservations {
  let taken: Reservation[] = [];
  let waitsFor: 'reservation' | 'requests' | null = null;
  return {
    isHeldBack: () => waitsFor !== null,
    async take({ planned, depth }, isAlone) {
      // A part belongs to a window that has begun.
      if (depth > 0 || source.reserve === undefined) return true;
      waitsFor = 'reservation';
      try {
        const requests = requestsOf(planned.count, source.pageSize) - pagesOnDisk(planned.window.id);
        taken.push(await source.reserve(Math.max(1, requests)));
        waitsFor = null;
        return true;
      } catch (thrown) {
        if (isAlone() || !(thrown instanceof EdrlakeError) || thrown.code !== 'REQUESTS_SPENT') throw thrown;
        waitsFor = 'requests';
        return false;
      }
    },
    ended() {
      if (waitsFor === 'requests') waitsFor = null;
    },
    release() {
      for (const reservation of taken) reservation.end();
      taken = [];
    },
  };
}
