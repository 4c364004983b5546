import {
  countedTwice,
  intersect,
  NO_FILTER,
  rangeOfDays,
  type TimeAxis,
  type TimeRange,
  type WindowProof,
} from '@edrlake/core';
import type { Snapshot } from '../log/snapshot.ts';
import { instantOn, isCountedApart, type LoggedOtherVersion } from '../proofs/other-versions.ts';
import { segmentsOf } from '../proofs/segments.ts';
import { sameScope } from '../proofs/window-filters.ts';

/**
 * For each range, how many records the API is known to count more than once: what it counts in addition to the records
 * in the lake. Known from windows that no newer one overlaps. A window counts where it is inside the range; where only
 * a part of it is, those of its days count that are inside, if the proof lists them by day. Also known from
 * versions that the API listed besides stored ones with other times. Ranges may overlap.
 * @param eventType only records of this type; then only days that the proof lists count
 */
export function countedTwiceIn(
  snapshot: Snapshot,
  ranges: readonly TimeRange[],
  axis: TimeAxis,
  eventType: string | null = null,
): number[] {
  const proofs = snapshot.proofs.filter(({ window }) => window.axis === axis && sameScope(window.scope, NO_FILTER));
  const twice = proofs.filter((proof) => countedTwice(proof) > 0 && proof.verdict === 'proven');
  const listed = listedApart(snapshot, axis).filter((version) => eventType === null || version.eventType === eventType);
  if (twice.length + listed.length === 0) return ranges.map(() => 0);
  const known = twice.length === 0 ? [] : stillDeciding(proofs, twice);
  return ranges.map((range) => {
    const near = known.filter(({ window }) => intersect(window.range, range) !== null);
    const apart = listed.filter((version) => {
      const ms = instantOn(axis, version) ?? Number.NaN;
      return range.startMs <= ms && ms < range.endMs;
    });
    return near.reduce((sum, proof) => sum + countedTwiceBy(proof, range, eventType), apart.length);
  });
}

function listedApart({ otherVersions, proofs }: Snapshot, axis: TimeAxis): LoggedOtherVersion[] {
  return otherVersions.filter((version) => version.isListed && isCountedApart(version, axis, proofs));
}

function countedTwiceBy(proof: WindowProof, range: TimeRange, eventType: string | null): number {
  const { window, duplicates, duplicatesPerDay = {} } = proof;
  const twice = countedTwice(proof);
  if (eventType === null && isInside(window.range, range)) return twice;
  // Where the API counts only some of them twice, it is unknown which.
  if (window.axis !== 'event' || twice !== duplicates) return 0;
  let sum = 0;
  for (const [day, byType] of Object.entries(duplicatesPerDay)) {
    const part = intersect(window.range, rangeOfDays(day));
    if (part === null || !isInside(part, range)) continue;
    for (const [type, records] of Object.entries(byType)) {
      if (eventType === null || eventType === type) sum += records;
    }
  }
  return sum;
}

/**
 * How many records the API lists more than once according to the newest proofs, whether it counts them twice or not.
 * Windows of both axes may have found the same ones, so the larger number of the two axes counts.
 */
export function listedTwiceIn(snapshot: Snapshot): number {
  const onAxis = (axis: TimeAxis) => {
    const proofs = snapshot.proofs.filter(({ window }) => window.axis === axis && sameScope(window.scope, NO_FILTER));
    const twice = proofs.filter(({ duplicates = 0, verdict }) => duplicates > 0 && verdict === 'proven');
    const apart = listedApart(snapshot, axis).length;
    if (twice.length === 0) return apart;
    return stillDeciding(proofs, twice).reduce((sum, { duplicates = 0 }) => sum + duplicates, apart);
  };
  return Math.max(onAxis('event'), onAxis('processed'));
}

function stillDeciding(proofs: readonly WindowProof[], of: readonly WindowProof[]): WindowProof[] {
  const overtaken = new Set<WindowProof>();
  const near = proofs.filter(({ window }) => of.some((proof) => intersect(proof.window.range, window.range) !== null));
  for (const { proofs: here, deciding } of segmentsOf(near)) {
    const whole = new Set(deciding.filter(({ isWhole }) => isWhole).map(({ proof }) => proof));
    for (const proof of here) if (!whole.has(proof)) overtaken.add(proof);
  }
  return of.filter((proof) => !overtaken.has(proof));
}

function isInside(inner: TimeRange, outer: TimeRange): boolean {
  return outer.startMs <= inner.startMs && inner.endMs <= outer.endMs;
}
