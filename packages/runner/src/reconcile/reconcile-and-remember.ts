import type { TimeRange } from '@edrlake/core';
import { knownClocks } from '../run/read-clocks.ts';
import type { ExportEndpoints, Services } from '../run/types.ts';
import { comparedCommitOf, rememberReconciliation } from './last-results.ts';
import { type ReconciledDay, type ReconcileRequest, reconcile } from './reconcile.ts';

/**
 * Compares the days of some ranges, as `reconcile` does, and remembers the results for `status` and the page, with the
 * newest commit when it began.
 * @param uniqueName names what is written until it is whole
 */
export async function reconcileAndRemember(
  ends: Pick<ExportEndpoints, 'source' | 'lake'>,
  { ranges, by }: Pick<ReconcileRequest, 'by'> & { readonly ranges: readonly TimeRange[] },
  services: Pick<Services, 'clock' | 'signal'>,
  uniqueName: string,
): Promise<readonly ReconciledDay[]> {
  const over = await comparedCommitOf(ends.lake);
  const days: ReconciledDay[] = [];
  for (const range of ranges) days.push(...(await reconcile(ends, { range, by }, services)));
  // By the earlier of both clocks: what matches before a day is over says nothing about the whole day.
  const { nowMs } = knownClocks(ends.source, services);
  await rememberReconciliation(ends.lake, days, { over, atMs: nowMs }, uniqueName);
  return days;
}
