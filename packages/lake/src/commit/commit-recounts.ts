import type { CommitTools } from '../log/commit-context.ts';
import { isRefuting, type Recount } from '../proofs/recounts.ts';
import { buildLogEntry, NO_COUNTS, NO_INDEX_CHANGE } from './build-log-entry.ts';
import { commitWithRetry } from './optimistic-retry.ts';

/**
 * Commits what recounts found, without touching a file. A version that another writer committed since the days were
 * counted may hold what was missing, so a day that is refuted by it is left out, and counted again by the next recount.
 * @param countedOn the version of the lake whose rows were compared
 * @returns what was recorded
 * @throws {EdrlakeError} as `commitWithRetry`
 */
export async function commitRecounts(
  tools: CommitTools,
  runId: string,
  recounts: readonly Recount[],
  countedOn: number,
): Promise<readonly Recount[]> {
  const { outcome } = await commitWithRetry(tools, async (state, names) => {
    const sound = state.version === countedOn ? recounts : recounts.filter((recount) => !isRefuting(recount));
    if (sound.length === 0) return { entry: null, moves: [], outcome: sound };
    const change = { added: [], removed: [], ids: NO_INDEX_CHANGE, proofs: [], losses: [], recounts: sound };
    return { outcome: sound, ...buildLogEntry(tools, state, names, { runId, counts: NO_COUNTS, ...change }) };
  });
  return outcome;
}
