import type { QueryScope, RejectRule, TimeAxis, TimeRange } from '@edrlake/core';
import type { Snapshot } from '../log/snapshot.ts';
import { countedAtOf, datedProofs } from '../proofs/dated-proofs.ts';
import { segmentsOf } from '../proofs/segments.ts';

/** A range of which everything was delivered, and too many records could not become rows. */
export interface RejectedRange {
  readonly range: TimeRange;
  /** When it was counted, to be fetched; of several windows the earliest. UTC epoch milliseconds. */
  readonly countedAtMs: number;
  /** What judged its windows; null where an older edrlake did. */
  readonly judgedBy: RejectRule | null;
}

/**
 * The ranges of an axis and scope in which the newest proofs are proven or `rejected`, at least one of them rejected;
 * oldest first, apart from each other, divided where other windows decide.
 */
export function rejectedRangesOf(
  snapshot: Snapshot,
  asked: { readonly axis: TimeAxis; readonly scope: QueryScope },
  nowMs: number,
): RejectedRange[] {
  return segmentsOf(datedProofs(snapshot.proofs, nowMs, 0, asked)).flatMap(({ range, isTiled, deciding }) => {
    const verdicts = new Set(deciding.map(({ proof }) => proof.verdict));
    if (!isTiled || !verdicts.has('rejected') || verdicts.has('mismatch') || verdicts.has('unverified')) return [];
    const rejected = deciding.map(({ proof }) => proof).filter(({ verdict }) => verdict === 'rejected');
    const countedAtMs = rejected.reduce((earliest, proof) => Math.min(earliest, countedAtOf(proof)), nowMs);
    return [{ range, countedAtMs, judgedBy: rejected[0]?.judgedBy ?? null }];
  });
}
