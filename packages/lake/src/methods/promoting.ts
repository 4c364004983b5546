import type { TableSpec } from '@edrlake/core';
import type { CommitContext, CommitTools } from '../log/commit-context.ts';
import type { DetailsReport, EventDetails } from '../maintenance/add-details.ts';
import type { DemoteReport, DemoteRequest } from '../maintenance/demote.ts';
import type { PromoteContext, PromoteReport } from '../maintenance/promote.ts';
import type { PromoteRequest } from '../maintenance/promotion-request.ts';
import { loadWithDuckDb } from '../storage/load-duckdb.ts';

/** What a lake has beyond the listed records of its dataset: columns of its own, and details of single events. */
export interface Promoting {
  /** The tables of the newest version: those of the dataset, with the promoted columns after its own. */
  tables(): Promise<readonly TableSpec[]>;
  /** Makes a path of `extra` a column, over all history; see `promote`. */
  promote(request: PromoteRequest, context: PromoteContext): Promise<PromoteReport>;
  /** Undoes it; see `demote`. */
  demote(request: DemoteRequest, context: PromoteContext): Promise<DemoteReport>;
  /** Adds to stored events what the API says about each alone; see `addDetails`. */
  addDetails(
    details: readonly EventDetails[],
    run: { readonly runId: string; readonly atMs: number },
  ): Promise<DetailsReport>;
}

/** The promoted columns of an open lake; the code that changes them is loaded when it is used. */
export function promoting(
  tools: CommitTools,
  write: <T>(work: (context: CommitContext) => Promise<T>) => Promise<T>,
  afterCommit: () => Promise<void>,
): Promoting {
  return {
    tables: async () => {
      await tools.log.refresh();
      return tools.tables;
    },
    promote: (request, run) =>
      write(async (context) => {
        const { promote } = await loadWithDuckDb(() => import('../maintenance/promote.ts'));
        const report = await promote(context, request, run);
        if (report.version !== null) await afterCommit();
        return report;
      }),
    demote: (request, run) =>
      write(async (context) => {
        const { demote } = await loadWithDuckDb(() => import('../maintenance/demote.ts'));
        const report = await demote(context, request, run);
        await afterCommit();
        return report;
      }),
    addDetails: (details, run) =>
      write(async (context) => {
        const { addDetails } = await loadWithDuckDb(() => import('../maintenance/add-details.ts'));
        const report = await addDetails(context, details, run);
        if (report.version !== null) await afterCommit();
        return report;
      }),
  };
}
