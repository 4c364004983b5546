import { isAhead, MS_PER_HOUR, SETTLE_LAG_MS, type TimeRange, type WindowProof } from '@edrlake/core';

/** A proof as far as the moment of its counting bears it: its window ends there at the latest. */
export interface DatedProof extends WindowProof {
  /** What was asked for, which may reach beyond the moment of counting. */
  readonly askedRange: TimeRange;
  /** What lies before this instant had settled when it was counted. */
  readonly settledMs: number;
}

/** Commits of processes that work at the same time follow each other in another order than their proofs were made in. */
const OUT_OF_ORDER_MS = MS_PER_HOUR;

/**
 * The proofs clipped to what had happened when they were made; those that had nothing before it are left out.
 *
 * A proof that is dated ahead of now, or well after one that was committed later, was made by a wrong clock. It was made after
 * the last one before it whose date can be believed, so it is clipped to that; without one nothing of it is believed. What
 * was found wrong stays wrong, whatever the clock said.
 * @param proofs in the order they were committed, which stays
 * @param settleLagMs how long before the moment of counting the proven parts end
 */
export function datedProofs(proofs: readonly WindowProof[], nowMs: number, settleLagMs = 0): DatedProof[] {
  const believed = believedDates(proofs, nowMs);
  let lastBelievedMs = Number.NEGATIVE_INFINITY;
  return proofs.flatMap((proof, position) => {
    const isProven = proof.verdict === 'proven';
    const isBelieved = believed[position] === true;
    const momentMs = Math.min(isProven && !isBelieved ? lastBelievedMs : countedAtOf(proof), nowMs);
    if (isBelieved) lastBelievedMs = Math.max(lastBelievedMs, countedAtOf(proof));
    const { window } = proof;
    const { startMs, endMs } = window.range;
    const untilMs = Math.min(endMs, isProven ? momentMs - settleLagMs : momentMs);
    if (untilMs <= startMs) return [];
    const range = { startMs, endMs: untilMs };
    return [{ ...proof, window: { ...window, range }, askedRange: window.range, settledMs: momentMs - SETTLE_LAG_MS }];
  });
}

/** For each proof whether neither now nor a later commit contradicts its date. */
function believedDates(proofs: readonly WindowProof[], nowMs: number): boolean[] {
  const believed: boolean[] = [];
  let earliestLaterMs = Number.POSITIVE_INFINITY;
  for (const [back, proof] of [...proofs].reverse().entries()) {
    const countedMs = countedAtOf(proof);
    believed[proofs.length - 1 - back] = !isAhead(countedMs, nowMs) && countedMs <= earliestLaterMs + OUT_OF_ORDER_MS;
    earliestLaterMs = Math.min(earliestLaterMs, proof.verifiedAtMs);
  }
  return believed;
}

/** The moment before which nothing of the proof was counted. */
export function countedAtOf({ countedAtMs, verifiedAtMs }: WindowProof): number {
  return Math.min(countedAtMs ?? verifiedAtMs, verifiedAtMs);
}
