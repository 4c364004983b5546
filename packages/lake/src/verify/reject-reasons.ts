import type { CommitContext } from '../log/commit-context.ts';
import { rowsOf, tableNamed, tableRowsSql } from '../log/table-rows.ts';
import { REJECTS } from '../storage/layout.ts';
import { readPresent } from './with-latest-snapshot.ts';

/** Why records became rejects, in the fixed wording of the table, and how many such records the lake keeps. */
export interface RejectReason {
  readonly reason: string;
  readonly records: number;
}

/** What the files of rejects hold, the most frequent reason first. Files that are missing or broken are left out. */
export function rejectReasons(context: CommitContext): Promise<RejectReason[]> {
  return readPresent(
    context,
    ({ files }) => files[REJECTS] ?? [],
    async (files, { schemas }) => {
      const rows = tableRowsSql({ store: context.store, schemas }, tableNamed(context.tables, REJECTS), files);
      const sql = `SELECT reason, count(*)::INTEGER AS records FROM (${rows}) GROUP BY reason`;
      const found = await rowsOf(context.connection, sql);
      return mostFrequentFirst(new Map(found.map(({ reason, records }) => [String(reason), Number(records)])));
    },
  );
}

/** Counted reasons in the order in which they are shown. */
export function mostFrequentFirst(counts: ReadonlyMap<string, number>): RejectReason[] {
  return [...counts]
    .map(([reason, records]) => ({ reason, records }))
    .sort((a, b) => b.records - a.records || (a.reason < b.reason ? -1 : 1));
}
