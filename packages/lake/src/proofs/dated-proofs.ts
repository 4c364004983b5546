import { isAhead, MS_PER_HOUR, SETTLE_LAG_MS, type TimeRange, type Window, type WindowProof } from '@edrlake/core';
import { sameScope } from './window-filters.ts';

/** A proof limited to the time before it was counted: its window ends at that moment at the latest. */
export interface DatedProof extends WindowProof {
  /** The range that was asked for, which may extend beyond the moment of counting. */
  readonly askedRange: TimeRange;
  /** Events before this instant had settled when they were counted. */
  readonly settledMs: number;
}

/** Processes that work in parallel may commit in another order than their proofs were made in, by up to this time. */
const OUT_OF_ORDER_MS = MS_PER_HOUR;

/**
 * Clips each proof to what had happened when it was made; proofs with nothing before that moment are left out.
 *
 * A proof dated ahead of now, or well after one that was committed later, was made by a wrong clock. It was made after
 * the last earlier proof with a credible date, so it is clipped to that date; without one it proves nothing. A mismatch
 * remains a mismatch, even by a wrong clock.
 * @param proofs in the order they were committed; the result keeps it
 * @param settleLagMs how long before the moment of counting the proven parts end
 * @param asked of which axis and scope they are returned; the others only show which clock was wrong. null: all
 */
export function datedProofs(
  proofs: readonly WindowProof[],
  nowMs: number,
  settleLagMs = 0,
  asked: Pick<Window, 'axis' | 'scope'> | null = null,
): DatedProof[] {
  const believed = believedDates(proofs, nowMs);
  const dated: DatedProof[] = [];
  let lastBelievedMs = Number.NEGATIVE_INFINITY;
  for (const [position, proof] of proofs.entries()) {
    const isProven = proof.verdict === 'proven';
    const isBelieved = believed[position] === true;
    const momentMs = Math.min(isProven && !isBelieved ? lastBelievedMs : countedAtOf(proof), nowMs);
    if (isBelieved) lastBelievedMs = Math.max(lastBelievedMs, countedAtOf(proof));
    const { window } = proof;
    const { startMs, endMs } = window.range;
    const untilMs = Math.min(endMs, isProven ? momentMs - settleLagMs : momentMs);
    const isAsked = asked === null || (window.axis === asked.axis && sameScope(window.scope, asked.scope));
    if (untilMs <= startMs || !isAsked) continue;
    const clipped = untilMs === endMs ? window : { ...window, range: { startMs, endMs: untilMs } };
    dated.push({ ...proof, window: clipped, askedRange: window.range, settledMs: momentMs - SETTLE_LAG_MS });
  }
  return dated;
}

/** For each proof, whether neither the current time nor a later commit contradicts its date. */
function believedDates(proofs: readonly WindowProof[], nowMs: number): boolean[] {
  const believed: boolean[] = [];
  let earliestLaterMs = Number.POSITIVE_INFINITY;
  for (const proof of proofs.toReversed()) {
    const countedMs = countedAtOf(proof);
    believed.push(!isAhead(countedMs, nowMs) && countedMs <= earliestLaterMs + OUT_OF_ORDER_MS);
    earliestLaterMs = Math.min(earliestLaterMs, proof.verifiedAtMs);
  }
  return believed.reverse();
}

/** The moment before which no part of the proof was counted. */
export function countedAtOf({ countedAtMs, verifiedAtMs }: WindowProof): number {
  return Math.min(countedAtMs ?? verifiedAtMs, verifiedAtMs);
}
