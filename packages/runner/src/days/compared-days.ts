import { isAhead } from '@edrlake/core';
import type { DayCoverage } from '@edrlake/lake';
import type { LastReconciliation } from '../reconcile/last-results.ts';

/** What the last comparison with the API said about a day. */
export type DayComparison = Pick<LastReconciliation, 'verdict' | 'atMs' | 'version' | 'inApi'>;

/** What is known of the proofs of the day, and how much the lake holds of it. */
type Verified = Pick<DayCoverage, 'lastVerifiedAtMs' | 'lastVerifiedIn' | 'oldestProof' | 'inLake' | 'rejected'>;

/** What a comparison says against a day. */
const DIFFERENCES: Partial<Record<DayComparison['verdict'], 'late' | 'missing' | 'mismatched'>> = {
  late: 'late',
  missing: 'missing',
  duplicate: 'mismatched',
};

/**
 * What a comparison found against a day, unless something newer says otherwise. A proof is newer that a later commit
 * brought, and that was not made before the comparison ended: a run that was at work meanwhile may commit afterwards
 * what it had counted before. So a clock that was behind cannot hide a difference. A proof of a part of the day says
 * nothing of the rest: then the lake must hold as much as the comparison counted. No proof says that an event is stored
 * once: duplicates stand until another comparison.
 * @param line the proofs of the day; absent where it has none of its own
 */
export function standingDifference(
  compared: DayComparison | null,
  line: Verified | null,
  nowMs: number,
): 'late' | 'missing' | 'mismatched' | null {
  const difference = compared === null ? undefined : DIFFERENCES[compared.verdict];
  if (compared === null || difference === undefined) return null;
  if (compared.verdict === 'duplicate') return difference;
  const last = { atMs: line?.lastVerifiedAtMs ?? 0, version: line?.lastVerifiedIn ?? 0 };
  if (line === null || !isNewer(last, compared, nowMs)) return difference;
  const { oldestProof, inLake, rejected } = line;
  const isAllNewer = oldestProof !== null && isNewer(oldestProof, compared, nowMs);
  return isAllNewer || inLake + rejected >= compared.inApi ? null : difference;
}

function isNewer(
  proof: { readonly atMs: number; readonly version: number },
  { atMs, version }: DayComparison,
  nowMs: number,
): boolean {
  const isByClock = proof.atMs > atMs;
  // An older edrlake noted no version.
  return version === null ? isByClock : proof.version > version && (isByClock || isAhead(atMs, nowMs));
}

/** Whether a comparison found the day equal and nothing is newer, by its commit as well as by the clock. */
export function isFoundEqual({ verdict, atMs, version }: DayComparison, line: Verified | null): boolean {
  if (verdict !== 'match' || version === null) return false;
  return atMs >= (line?.lastVerifiedAtMs ?? 0) && version >= (line?.lastVerifiedIn ?? 0);
}
