import { type Day, rangeOfDays, type WindowProof } from '@edrlake/core';
import { isTiledByProofs } from './lost-days.ts';

/** What a later count of a proven day found. Two answers of the API of different kinds agreed on it. */
export interface Recount {
  readonly day: Day;
  /** Records that the API counts on the day, those included that it is known to count twice. */
  readonly counted: number;
  /** Records of the lake that answer to them: rows, rejects, and what is known to be counted twice. */
  readonly held: number;
  /** By the earlier of both clocks. */
  readonly countedAtMs: number;
}

/** A recount and the version that recorded it. */
export interface LoggedRecount extends Recount {
  readonly version: number;
}

/** Whether the API has more of the day than the lake held: then the day is not complete, although it was proven. */
export function isRefuting({ counted, held }: Pick<Recount, 'counted' | 'held'>): boolean {
  return counted > held;
}

/**
 * The days whose recount no longer says anything: all of the day was fetched and proven by later versions. Rows alone
 * end nothing, because other events than the missing ones can have come.
 */
export function supersededRecounts(
  recounts: Iterable<LoggedRecount>,
  proofs: Iterable<{ readonly version: number; readonly proof: WindowProof }>,
): Day[] {
  const refuting = [...recounts].filter(isRefuting);
  if (refuting.length === 0) return [];
  const asked = [...proofs].filter(({ proof: { window } }) => {
    return window.axis === 'event' && window.scope.filter === null && window.scope.state === null;
  });
  return refuting.flatMap(({ day, version }) => {
    const newer = asked.filter((logged) => logged.version > version).map(({ proof }) => proof);
    return isTiledByProofs(rangeOfDays(day), newer) ? [day] : [];
  });
}
