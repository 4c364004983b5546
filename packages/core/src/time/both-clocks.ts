import { EdrlakeError } from '../errors/errors.ts';
import { isoInstant, MS_PER_MINUTE, type TimeRange } from './time-range.ts';

/**
 * How long after an instant its events count as settled: younger events may become visible after they were counted. An
 * earlier proof holds for what was visible then, and does not complete a day.
 */
export const SETTLE_LAG_MS = 15 * MS_PER_MINUTE;

/** A larger distance between two clocks, or between an instant and a clock, is not an inaccuracy of either. */
const TOLERATED_MS = 5 * MS_PER_MINUTE;

/**
 * The time by both clocks, in UTC epoch milliseconds. If one of them is wrong, the earlier one still claims nothing
 * that has not happened.
 */
export interface BothClocks {
  /** The earlier of the two. */
  readonly nowMs: number;
  /** The later of the two: an instant after it is ahead of both clocks. */
  readonly latestMs: number;
  /** This machine's clock. */
  readonly localMs: number;
  /** The source's clock at its last answer; null where its answers report none. */
  readonly serverMs: number | null;
}

/** Both clocks, from this machine's and that of the source at its last answer. */
export function bothClocks(localMs: number, serverMs: number | null): BothClocks {
  const [nowMs, latestMs] = [Math.min(localMs, serverMs ?? localMs), Math.max(localMs, serverMs ?? localMs)];
  return { nowMs, latestMs, localMs, serverMs };
}

/** Whether an instant is ahead of now by more than clocks are inaccurate. */
export function isAhead(instantMs: number, nowMs: number): boolean {
  return instantMs > nowMs + TOLERATED_MS;
}

/** @throws {EdrlakeError} `RANGE_INVALID` for a beginning that has not come yet by the earlier of both clocks */
export function refuseFuture(what: string, startMs: number, clocks: BothClocks): void {
  if (startMs <= clocks.nowMs) return;
  throw new EdrlakeError('RANGE_INVALID', `${what} ${isoInstant(startMs)} has not come yet: ${clocksText(clocks)}`, {
    hint: isAhead(clocks.latestMs, clocks.nowMs)
      ? 'Synchronise the clock of this machine if it is the wrong one, else correct the date.'
      : 'Correct the date: look at the year first.',
  });
}

/**
 * The part of each range that is before now, in their order; null for a range that has nothing before it.
 * @throws {EdrlakeError} `RANGE_INVALID` where no range has
 */
export function beforeNow(ranges: readonly TimeRange[], clocks: BothClocks): (TimeRange | null)[] {
  const { nowMs } = clocks;
  const parts = ranges.map(({ startMs, endMs }) =>
    startMs < nowMs ? { startMs, endMs: Math.min(endMs, nowMs) } : null,
  );
  const first = ranges[0];
  if (first === undefined || parts.some((part) => part !== null)) return parts;
  throw new EdrlakeError(
    'RANGE_INVALID',
    `the range begins at ${isoInstant(first.startMs)}, which has not come yet: ${clocksText(clocks)}`,
    { hint: 'Correct the dates: look at the year first.' },
  );
}

/** `it is 2026-11-28T10:00:00.000Z`, or what each clock says where the two are apart. */
export function clocksText({ localMs, serverMs, latestMs, nowMs }: BothClocks): string {
  if (serverMs === null || !isAhead(latestMs, nowMs)) return `it is ${isoInstant(localMs)}`;
  return `the clock of this machine says ${isoInstant(localMs)}, that of the gateway ${isoInstant(serverMs)}`;
}
