import { gapsIn, type PlannedWindow, type TimeRange, type WindowProof } from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import type { ExportRequest } from './export-types.ts';

/**
 * The windows which the lake holds in full: proven windows tile their range, and the rows stored in it, counted now from
 * the data files, are as many as the API counts now. An event that changed without changing the count is not noticed;
 * `--force` fetches everything.
 *
 * Under a filter the rows of a range cannot be counted in the lake, so only a window proven under its very id counts.
 */
export async function provenWindows(
  windows: readonly PlannedWindow[],
  request: ExportRequest,
  lake: Lake,
): Promise<ReadonlySet<PlannedWindow>> {
  const { proofs } = await lake.snapshot();
  const { filter, state } = request.scope;
  const isProven =
    filter === null && state === null ? await provenByRows(windows, request, lake, proofs) : provenById(proofs);
  return new Set(windows.filter(isProven));
}

function provenById(proofs: readonly WindowProof[]): (planned: PlannedWindow) => boolean {
  const newest = new Map(proofs.map((proof) => [proof.window.id, proof]));
  return ({ window, count }) => {
    const proof = newest.get(window.id);
    return proof?.verdict === 'proven' && proof.counted === count;
  };
}

async function provenByRows(
  windows: readonly PlannedWindow[],
  request: ExportRequest,
  lake: Lake,
  proofs: readonly WindowProof[],
): Promise<(planned: PlannedWindow) => boolean> {
  const covered = await lake.provenRanges(request.axis, request.scope);
  const countByRange = sumByRange(windows);
  const ranges = [...countByRange.values()]
    .map(({ range }) => range)
    .filter((range) => gapsIn(range, covered).length === 0);
  const stored = await lake.countStored(ranges, request.axis);
  const complete = new Set<string>();
  for (const [position, range] of ranges.entries()) {
    const rejected = rejectedIn(range, request, proofs);
    const counted = countByRange.get(rangeKey(range))?.count;
    if (rejected !== null && (stored[position] ?? 0) + rejected === counted) complete.add(rangeKey(range));
  }
  return ({ window }) => complete.has(rangeKey(window.range));
}

/** Windows cut by type or agent share one range and are proven, or fetched again, together. */
function sumByRange(windows: readonly PlannedWindow[]): Map<string, { range: TimeRange; count: number }> {
  const sums = new Map<string, { range: TimeRange; count: number }>();
  for (const { window, count } of windows) {
    const sum = sums.get(rangeKey(window.range)) ?? { range: window.range, count: 0 };
    sums.set(rangeKey(window.range), { range: window.range, count: sum.count + count });
  }
  return sums;
}

/**
 * Records of the range that became rejects, of which the data files know no time. null where a window with rejects only
 * partly overlaps the range, so that nobody can tell how many of them lie inside.
 */
function rejectedIn(range: TimeRange, request: ExportRequest, proofs: readonly WindowProof[]): number | null {
  const newest = new Map<string, WindowProof>();
  for (const proof of proofs) {
    const { axis, scope } = proof.window;
    if (axis !== request.axis || scope.filter !== request.scope.filter || scope.state !== request.scope.state) continue;
    newest.set(proof.window.id, proof);
  }
  let rejected = 0;
  for (const { window, rejected: count } of newest.values()) {
    if (count === 0) continue;
    if (window.range.endMs <= range.startMs || window.range.startMs >= range.endMs) continue;
    const inside = window.range.startMs >= range.startMs && window.range.endMs <= range.endMs;
    if (!inside) return null;
    rejected += count;
  }
  return rejected;
}

function rangeKey(range: TimeRange): string {
  return `${range.startMs}-${range.endMs}`;
}
