import { commitRecounts } from '../commit/commit-recounts.ts';
import type { CommitTools } from '../log/commit-context.ts';
import type { Recount } from '../proofs/recounts.ts';
import type { ViewKeeper } from '../query/view-file.ts';

/** The part of a lake that keeps later counts of its proven days. */
export interface Recounting {
  /**
   * Records what later counts of days found; one that refutes its day takes away its completeness until a recount
   * agrees or all of the day is proven anew. All of them in one commit.
   * @param countedOn the version of the lake whose rows were compared
   * @returns those that were recorded: without differences that a version after `countedOn` may have made up for
   */
  recordRecounts(runId: string, recounts: readonly Recount[], countedOn: number): Promise<readonly Recount[]>;
}

/** @param change runs a change when its turn has come */
export function recounting(
  tools: CommitTools,
  change: <T>(work: () => Promise<T>) => Promise<T>,
  views: Pick<ViewKeeper, 'refresh'>,
): Recounting {
  return {
    recordRecounts: (runId, recounts, countedOn) =>
      change(async () => {
        const recorded = await commitRecounts(tools, runId, recounts, countedOn);
        // Views of proven days must not show a refuted one. They are a cache: closing reports what cannot be written.
        await views.refresh().catch(() => undefined);
        return recorded;
      }),
  };
}
