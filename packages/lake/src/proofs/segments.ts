import type { TimeRange, WindowProof } from '@edrlake/core';
import { type FilterAtom, filterAtoms, holdsAtom } from './window-filters.ts';

/**
 * An interval between neighbouring ends of windows: the same proofs apply to all of it. The newest proof for an event
 * is its effective proof.
 */
export interface Segment<Proof extends WindowProof = WindowProof> {
  readonly range: TimeRange;
  /** Proofs whose windows contain the segment, newest first. */
  readonly proofs: readonly Proof[];
  /** Those that are the effective proof of some events of the segment, newest first. */
  readonly deciding: readonly Deciding<Proof>[];
  /** Whether every event of the segment has an effective proof. */
  readonly isTiled: boolean;
}

/** A proof that is the effective proof of some events of a segment. */
export interface Deciding<Proof extends WindowProof = WindowProof> {
  readonly proof: Proof;
  /** Whether it is effective for all of its events in the segment; false where newer windows replace it for some. */
  readonly isWhole: boolean;
}

/**
 * Divides time at all ends of windows and at the given boundaries. Intervals without a window are left out. Of
 * overlapping windows the newer one is effective, event by event: windows with filters by type or agent apply only to
 * events that pass them. An unverified proof is effective only where no other window is.
 * @param given proofs of one axis and scope, oldest first
 * @param boundariesMs further instants to divide at
 */
export function segmentsOf<Proof extends WindowProof>(
  given: readonly Proof[],
  boundariesMs: Iterable<number> = [],
): Segment<Proof>[] {
  const isUnverified = ({ verdict }: Proof) => verdict === 'unverified';
  const proofs = [...given.filter(isUnverified), ...given.filter((proof) => !isUnverified(proof))];
  const starting = new Map<number, number[]>();
  const instants = new Set(boundariesMs);
  for (const [age, { window }] of proofs.entries()) {
    const { startMs, endMs } = window.range;
    instants.add(startMs).add(endMs);
    const atStart = starting.get(startMs);
    if (atStart === undefined) starting.set(startMs, [age]);
    else atStart.push(age);
  }
  const segments: Segment<Proof>[] = [];
  let active: number[] = [];
  const sorted = [...instants].sort((a, b) => a - b);
  for (const [position, startMs] of sorted.entries()) {
    const endMs = sorted[position + 1];
    if (endMs === undefined) break;
    active = active.filter((age) => (proofs[age]?.window.range.endMs ?? 0) > startMs);
    const begun = starting.get(startMs);
    if (begun !== undefined) active = [...active, ...begun].sort((a, b) => b - a);
    if (active.length === 0) continue;
    const inSegment = active.map((age) => proofs[age]).filter((proof) => proof !== undefined);
    segments.push({ range: { startMs, endMs }, proofs: inSegment, ...decide(inSegment) });
  }
  return segments;
}

function decide<Proof extends WindowProof>(
  newestFirst: readonly Proof[],
): Pick<Segment<Proof>, 'deciding' | 'isTiled'> {
  // A window without filters replaces all older ones.
  const first = newestFirst.findIndex(({ window }) => window.cuts.length === 0);
  const heard = first === -1 ? newestFirst : newestFirst.slice(0, first + 1);
  const [only] = heard;
  if (heard.length === 1 && only?.window.cuts.length === 0) {
    return { deciding: [{ proof: only, isWhole: true }], isTiled: true };
  }
  let open: FilterAtom[] = filterAtoms(heard.map(({ window }) => window));
  const all = open;
  const deciding: Deciding<Proof>[] = [];
  for (const proof of heard) {
    const left = open.filter((atom) => !holdsAtom(proof.window.cuts, atom));
    const taken = open.length - left.length;
    if (taken === 0) continue;
    const held = all.filter((atom) => holdsAtom(proof.window.cuts, atom)).length;
    deciding.push({ proof, isWhole: taken === held });
    open = left;
  }
  return { deciding, isTiled: open.length === 0 };
}

/** Whether the newest proofs say that the lake has every event that the API counted in the segment. */
export function isProven(segment: Segment): boolean {
  return segment.isTiled && segment.deciding.every(({ proof }) => proof.verdict === 'proven');
}

/** Joins ranges that touch. @param ranges oldest first, without overlap */
export function joinRanges(ranges: readonly TimeRange[]): TimeRange[] {
  const joined: TimeRange[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last?.endMs === range.startMs) joined[joined.length - 1] = { startMs: last.startMs, endMs: range.endMs };
    else joined.push(range);
  }
  return joined;
}
