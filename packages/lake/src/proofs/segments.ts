import type { TimeRange, WindowProof } from '@edrlake/core';
import { type FilterAtom, filterAtoms, holdsAtom } from './window-filters.ts';

/** A stretch of time in which the same windows lie, and who has the last word in it. */
export interface Segment<Proof extends WindowProof = WindowProof> {
  readonly range: TimeRange;
  /** Proofs whose windows hold the segment, newest first. */
  readonly proofs: readonly Proof[];
  /** Those of them that decide about some of its events because no newer one does, newest first. */
  readonly deciding: readonly Deciding<Proof>[];
  /** Whether every event of the segment has a proof that decides. */
  readonly isTiled: boolean;
}

/** A proof that has the last word on some events of a segment. */
export interface Deciding<Proof extends WindowProof = WindowProof> {
  readonly proof: Proof;
  /** Whether it decides about all of its events in the segment; else newer windows took some of them over. */
  readonly isWhole: boolean;
}

/**
 * Divides time into the stretches between all ends of windows (and the given boundaries). Stretches without a window are
 * left out. Of overlapping windows the newer one counts, event by event: windows that are cut by type or agent decide
 * only about what passes their cuts. What is unverified counts only where no other window lies.
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
  // Nothing older than a window without cuts has a say.
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

/** Whether the segment holds every event the API counted in it, as far as the newest proofs know. */
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
