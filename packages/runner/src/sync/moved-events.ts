import { gapsIn, type QueryScope, type TimeAxis } from '@edrlake/core';
import { brokenAnswer } from '@edrlake/pager';
import { type CountedRange, differingRanges } from '../reconcile/diff-ranges.ts';
import { knownClocks } from '../run/read-clocks.ts';
import type { ExportEndpoints, Services, WantedRange } from '../run/types.ts';

/** What a sync follows, and where its new range begins. */
interface Followed {
  readonly axis: TimeAxis;
  readonly scope: QueryScope;
  readonly startMs: number;
}

/**
 * The ranges to fetch because equal counts were not equal events: an event had been processed again, and another one,
 * which the lake lacked, had taken its place in the count of the API. It shows once the first of the two is fetched
 * with its later time: then the lake holds fewer events of the range than were compared. Costs a count for each range
 * of which events have moved away, and nothing for all others.
 * @param behind ranges of the look-back that were compared before this sync fetched anything
 */
export async function exposedByMoves(
  { source, lake }: ExportEndpoints,
  { axis, scope, startMs }: Followed,
  behind: readonly CountedRange[],
  services: Pick<Services, 'clock' | 'signal'>,
): Promise<readonly WantedRange[]> {
  if (scope.filter !== null || scope.state !== null) return [];
  const compared =
    axis === 'processed' ? [...behind, ...(await comparedSince(lake, startMs, source, services))] : behind;
  const stored = await lake.countStored(
    compared.map(({ range }) => range),
    axis,
  );
  const wanted: WantedRange[] = [];
  for (const { range: whole } of compared.filter(({ count }, position) => stored[position] !== count)) {
    const seen = wanted.map(({ range }) => range).sort((a, b) => a.startMs - b.startMs);
    for (const range of gapsIn(whole, seen)) {
      try {
        const differing = await differingRanges(source, lake, { axis, range, scope }, services);
        wanted.push(...differing.map((each) => ({ range: each.range, knownCount: each.inApi })));
      } catch (thrown) {
        brokenAnswer(thrown);
        // It is fetched, or its windows fail by themselves.
        wanted.push({ range });
      }
    }
  }
  return wanted.sort((a, b) => a.range.startMs - b.range.startMs);
}

/**
 * What was proven by counts alone, as long as an event that had moved by then may only be fetched now: one that was
 * processed again behind the end of that sync is in the new range of a later one.
 */
async function comparedSince(
  lake: ExportEndpoints['lake'],
  startMs: number,
  source: ExportEndpoints['source'],
  services: Pick<Services, 'clock'>,
): Promise<readonly CountedRange[]> {
  const clocks = knownClocks(source, services);
  const aheadMs = clocks.latestMs - clocks.nowMs;
  const { proofs } = await lake.snapshot();
  return proofs.flatMap(({ window, counted, verdict, comparedOnly, verifiedAtMs }) =>
    comparedOnly === true && verdict === 'proven' && verifiedAtMs + aheadMs >= startMs
      ? [{ range: window.range, count: counted }]
      : [],
  );
}
