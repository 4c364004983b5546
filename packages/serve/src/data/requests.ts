import { isoInstant } from '@edrlake/core';
import { beginOfHours, isRefusedForLimit, readRequestHistory, remainingRequests } from '@edrlake/runner/history';
import type { RequestsDocument } from '../documents/documents.ts';
import { isoOrNull } from './instants.ts';
import type { PageContext } from './page-context.ts';

const MOST_HOURS = 24 * 31;

/**
 * The requests of the last hours, and what is left of the limit.
 * @param hours how far back; a month at most
 */
export async function requestsDocument(
  hours: number,
  { lake, clock, userLimit }: PageContext,
): Promise<RequestsDocument> {
  const nowMs = clock.nowMs();
  const sinceMs = beginOfHours(Math.min(MOST_HOURS, hours), nowMs);
  const budget = await remainingRequests(lake.directory, userLimit, nowMs);
  const { requests, hours: wholeHours, unreadableLines } = await readRequestHistory(lake.directory, sinceMs, nowMs);
  return {
    now: isoInstant(nowMs),
    since: isoInstant(sinceMs),
    budget:
      budget === null
        ? null
        : {
            ...{ left: budget.requestsLeft, ...budget.limit, own: budget.own, foreign: budget.foreign },
            usedAt: isoInstant(budget.usedAtMs),
            nextAt: isoOrNull(budget.nextAtMs),
            allFreeAt: isoInstant(budget.allFreeAtMs),
            blockedUntil: isoOrNull(budget.blockedUntilMs),
          },
    requests: requests.map(({ hourMs, ...each }) => ({
      ...each,
      hour: isoInstant(hourMs),
      isRefused: isRefusedForLimit(each),
    })),
    hours: wholeHours.map(({ hourMs, ...hour }) => ({ hour: isoInstant(hourMs), ...hour })),
    unreadableLines,
  };
}
