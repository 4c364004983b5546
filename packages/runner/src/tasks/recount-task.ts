import { z } from 'zod';
import { HORIZON_REQUESTS, lookAtHorizon } from '../horizon/learned-horizon.ts';
import { RECOUNT_REQUESTS, type RecountReport, recountSealedDays } from '../reconcile/recount.ts';
import { RECOUNT_AFTER_DAYS } from '../reconcile/sealed-days.ts';
import type { RegisteredTask } from '../workflow/definition/define-pipeline.ts';
import { readInput, runServicesOf, type TaskTools } from './task-tools.ts';

const RecountInput = z.strictObject({
  maxRequests: z.number().int().min(2).max(10_000).default(RECOUNT_REQUESTS),
  /** Whether days that differ make the run a mismatch. Off if a repair follows, because its comparison decides. */
  mismatchCounts: z.boolean().default(true),
});

/** What a pipeline gives the `recount` task; what is left out has its default. */
export type GivenRecount = z.input<typeof RecountInput>;

/** What a recount leaves in the journal. */
export interface RecountTaskOutput extends Omit<RecountReport, 'late' | 'nextDueAtMs'> {
  readonly outcome: 'done' | 'mismatch';
  /** The days that are not complete any more; `difference` as in a comparison, below zero. */
  readonly differing: readonly { readonly day: string; readonly verdict: 'late'; readonly difference: number }[];
}

/**
 * Counts proven days again, on a schedule that thins out with their age. Once a day it also looks how far back the API
 * answers, where its allowance has room.
 */
export const recountTask: RegisteredTask<z.infer<typeof RecountInput>, RecountTaskOutput, TaskTools> = {
  meaning: 'count proven days again that are due',
  parseInput: (input) => readInput(RecountInput, input),
  run: async ({ maxRequests, mismatchCounts }, context) =>
    context.provided.useLake(async ({ lake, connection }) => {
      const ends = { source: connection.source, lake, requestsMade: connection.requestsMade };
      const requestsBefore = connection.requestsMade();
      const report = await recountSealedDays(ends, { within: null, maxRequests }, runServicesOf(context));
      const isAllowed = report.requests + HORIZON_REQUESTS <= maxRequests;
      if (isAllowed) await lookAtHorizon(ends, runServicesOf(context));
      const { late, nextDueAtMs: _, ...counts } = report;
      const differing = late.map(({ day, inApi, inLake }) => ({
        day,
        verdict: 'late' as const,
        difference: inLake - inApi,
      }));
      const requests = connection.requestsMade() - requestsBefore;
      return { ...counts, requests, outcome: mismatchCounts && late.length > 0 ? 'mismatch' : 'done', differing };
    }, context.services),
  describe: async ({ maxRequests }) =>
    `days proven ${RECOUNT_AFTER_DAYS.join(', ')} days ago, at most ${maxRequests} requests`,
};
