import { type DataFile, type Day, gapsIn, rangeOfDays, type TimeRange, type WindowProof } from '@edrlake/core';
import { EVENTS } from '../storage/layout.ts';
import { datedProofs } from './dated-proofs.ts';
import { isProven, segmentsOf } from './segments.ts';

/** A day that lost rows with their files and has not recovered all of them. */
export interface LostDay {
  readonly day: Day;
  /** Event rows of the day before the loss; in a state, with those that came since and were not lost. */
  readonly rowCount: number;
}

/** A loss and the version that recorded it. */
export interface LoggedLostDay extends LostDay {
  readonly version: number;
}

/**
 * Event rows that a commit brought to a day which had lost rows, and that were not among these: as many rows more must
 * be there before the day has recovered.
 */
export interface Arrivals {
  readonly day: Day;
  readonly rowCount: number;
}

/** Notes in place that other events than the lost ones have come. */
export function noteArrivals(losses: Map<Day, LoggedLostDay>, arrivals: readonly Arrivals[]): void {
  for (const { day, rowCount } of arrivals) {
    const loss = losses.get(day);
    if (loss !== undefined) losses.set(day, { ...loss, rowCount: loss.rowCount + rowCount });
  }
}

/**
 * The days that have recovered: the day has as many rows again, or all of it was fetched and proven since (what the API
 * no longer returns cannot come back).
 */
export function recoveredDays(
  losses: Iterable<LoggedLostDay>,
  files: Iterable<DataFile>,
  proofs: Iterable<{ readonly version: number; readonly proof: WindowProof }>,
): Day[] {
  const rows = new Map<string, number>();
  for (const { table, partition, rowCount } of files) {
    if (table === EVENTS) rows.set(partition, (rows.get(partition) ?? 0) + rowCount);
  }
  const asked = [...proofs].filter(({ proof: { window } }) => {
    return window.axis === 'event' && window.scope.filter === null && window.scope.state === null;
  });
  return [...losses].flatMap(({ day, rowCount, version }) => {
    if ((rows.get(`event_date=${day}`) ?? 0) >= rowCount) return [day];
    const newer = asked.filter((logged) => logged.version > version).map(({ proof }) => proof);
    return isTiledByProofs(rangeOfDays(day), newer) ? [day] : [];
  });
}

/** Whether proven windows cover all of a range, as far as it had happened when they were counted. */
export function isTiledByProofs(range: TimeRange, proofs: readonly WindowProof[]): boolean {
  // The time of reading the log must not matter: only what had happened when it was counted can have come back.
  const proven = segmentsOf(datedProofs(proofs, Number.POSITIVE_INFINITY)).filter(isProven);
  const ranges = proven.map((segment) => segment.range);
  return gapsIn(range, ranges).length === 0;
}
