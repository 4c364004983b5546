import { isAhead, SETTLE_LAG_MS, type TimeRange, type WindowProof } from '@edrlake/core';

/** A proof as far as the moment of its counting bears it: its window ends there at the latest. */
export interface DatedProof extends WindowProof {
  /** What was asked for, which may reach beyond the moment of counting. */
  readonly askedRange: TimeRange;
  /** What lies before this instant had settled when it was counted. */
  readonly settledMs: number;
}

/**
 * The proofs clipped to what had happened when they were made; those that had nothing before it are left out. Proofs that
 * are dated ahead of now were made by a wrong clock, and when they were really made is not known: what they call proven is
 * not believed, what they call wrong still is.
 * @param proofs in any order, which stays
 * @param settleLagMs how long before the moment of counting the proven parts end
 */
export function datedProofs(proofs: readonly WindowProof[], nowMs: number, settleLagMs = 0): DatedProof[] {
  return proofs.flatMap((proof) => {
    const isProven = proof.verdict === 'proven';
    const countedMs = countedAtOf(proof);
    if (isProven && isAhead(countedMs, nowMs)) return [];
    const momentMs = Math.min(countedMs, nowMs);
    const { window } = proof;
    const { startMs, endMs } = window.range;
    const provenUntilMs = Math.min(endMs, isProven ? momentMs - settleLagMs : momentMs);
    if (provenUntilMs <= startMs) return [];
    const range = { startMs, endMs: provenUntilMs };
    return [{ ...proof, window: { ...window, range }, askedRange: window.range, settledMs: momentMs - SETTLE_LAG_MS }];
  });
}

/** The moment before which nothing of the proof was counted. */
export function countedAtOf({ countedAtMs, verifiedAtMs }: WindowProof): number {
  return Math.min(countedAtMs ?? verifiedAtMs, verifiedAtMs);
}
