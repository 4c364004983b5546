import { type Dataset, NO_FILTER, SETTLE_LAG_MS } from '@edrlake/core';
import type { CommitTools } from '../log/commit-context.ts';
import { isSamePoint } from '../log/log-point.ts';
import { type Snapshot, snapshotOf } from '../log/snapshot.ts';
import type { ViewSource } from '../query/views.ts';
import { type DayCoverage, provenRangesOf, scopeText } from '../verify/coverage.ts';
import { provenDaysOf } from '../verify/proven-days.ts';
import { matchesFile } from './lake-hunts.ts';

/** What the views of a version show. */
export async function viewSourceOf(
  { store, log, tables, clock }: CommitTools,
  { processes }: Dataset,
  coverage: readonly DayCoverage[],
  snapshot: Snapshot,
): Promise<ViewSource> {
  const { schemas } = await log.refresh();
  const nowMs = clock.nowMs();
  const followed = provenRangesOf(snapshot, { axis: 'processed', scope: NO_FILTER }, nowMs, SETTLE_LAG_MS);
  const ofAll = coverage.filter(({ scope }) => scope === scopeText(NO_FILTER));
  const provenDays = provenDaysOf(ofAll, followed, nowMs);
  const reader = { store, schemas };
  const huntMatches = await matchesFile(store);
  return { reader, tables, ...(processes && { processes }), snapshot, coverage, provenDays, huntMatches };
}

/** The newest snapshot, made once for each version. */
export function cachedSnapshot(log: CommitTools['log'], { tables }: Dataset): () => Promise<Snapshot> {
  const tableNames = tables.map(({ name }) => name);
  let cached: Snapshot | null = null;
  return async () => {
    const state = await log.refresh();
    if (cached === null || !isSamePoint(state, cached)) cached = snapshotOf(state, tableNames);
    return cached;
  };
}
