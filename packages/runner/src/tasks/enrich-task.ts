import { z } from 'zod';
import { type EnrichReport, enrich } from '../investigate/enrich.ts';
import type { RegisteredTask } from '../workflow/definition/define-pipeline.ts';
import { readInput, runServicesOf, type TaskTools } from './task-tools.ts';

const EnrichInput = z.strictObject({
  where: z.string().min(1),
  maxRequests: z.number().int().min(1).max(10_000).default(100),
});

/** What a pipeline gives the `enrich` task; what is left out has its default. */
export type GivenEnrich = z.input<typeof EnrichInput>;

/** What an `enrich` task leaves in the journal. Events that are left are for the next run, and no failure. */
export type EnrichTaskOutput = Omit<EnrichReport, 'outcome'>;

/** Adds the details of single events. */
export const enrichTask: RegisteredTask<z.infer<typeof EnrichInput>, EnrichTaskOutput, TaskTools> = {
  meaning: 'ask for the details of stored events that have none',
  parseInput: (input) => readInput(EnrichInput, input),
  run: async ({ where, maxRequests }, context) =>
    context.provided.useLake(async ({ lake, connection }) => {
      const ends = { source: connection.source, lake, requestsMade: connection.requestsMade };
      const request = { where, limit: null, maxRequests, concurrency: context.provided.exportOptions.concurrency };
      const { outcome: _, ...report } = await enrich(ends, request, runServicesOf(context));
      return report;
    }, context.services),
  describe: async ({ where, maxRequests }) => `events where ${where}, at most ${maxRequests} requests`,
};
