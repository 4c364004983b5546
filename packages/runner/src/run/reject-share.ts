import type { RejectReason, RejectRule, WindowProof } from '@edrlake/core';
import type { ExportOptions } from './types.ts';

/** The share of rejects above which a window, or a whole export, is not taken as proven. */
export const DEFAULT_MAX_REJECT_SHARE = 0.01;

/** Fewer rejects than this never count. */
const MIN_REJECTS = 10;

/** Reasons kept of one export; there are few kinds of them. */
const MAX_REASONS = 20;

/** Records that came, and those of them that could not become rows. */
export interface RejectCount {
  readonly fetched: number;
  readonly rejected: number;
}

/** Whether the share of rejects is above the allowed one, even for a single reject. */
export function isAboveShare({ fetched, rejected }: RejectCount, maxShare: number): boolean {
  return rejected > fetched * maxShare;
}

/** Whether there are too many rejects: above the allowed share, and not just a few. */
export function hasTooManyRejects(count: RejectCount, maxShare: number): boolean {
  return count.rejected >= MIN_REJECTS && isAboveShare(count, maxShare);
}

/** What judges the rejects of an export with these options. */
export function rejectRuleOf({
  maxRejectShare = DEFAULT_MAX_REJECT_SHARE,
  edrlakeVersion = null,
}: Pick<ExportOptions, 'maxRejectShare' | 'edrlakeVersion'>): RejectRule {
  return { maxRejectShare, edrlake: edrlakeVersion };
}

/** Proofs as they are committed, and whether the run has too many rejects with them. */
export interface JudgedProofs {
  readonly proofs: readonly WindowProof[];
  readonly isRunAboveShare: boolean;
}

/**
 * Judges the proofs of a batch together with everything the run has fetched before. If the whole has too many rejects,
 * a window with a large share of them is not proven, even with few of them. Judged at each commit, so that a run that
 * dies leaves nothing proven that its records contradict.
 */
export function judgeTogether(proofs: readonly WindowProof[], before: RejectCount, maxShare: number): JudgedProofs {
  const count = {
    fetched: proofs.reduce((sum, { fetched }) => sum + fetched, before.fetched),
    rejected: proofs.reduce((sum, { rejected }) => sum + rejected, before.rejected),
  };
  if (!hasTooManyRejects(count, maxShare)) return { proofs, isRunAboveShare: false };
  const judged = proofs.map((proof): WindowProof => {
    return proof.verdict === 'proven' && isAboveShare(proof, maxShare) ? { ...proof, verdict: 'rejected' } : proof;
  });
  return { proofs: judged, isRunAboveShare: true };
}

/** Adds up reasons by their text, the most frequent first, each with its first sample. */
export function joinReasons(one: readonly RejectReason[], other: readonly RejectReason[]): readonly RejectReason[] {
  const joined = new Map<string, RejectReason>();
  for (const reason of [...one, ...other]) {
    const before = joined.get(reason.reason);
    joined.set(reason.reason, { ...(before ?? reason), count: reason.count + (before?.count ?? 0) });
  }
  return [...joined.values()].sort((a, b) => b.count - a.count).slice(0, MAX_REASONS);
}
