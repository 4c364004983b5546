import { MS_PER_DAY } from '@edrlake/core';
import type { CompactReport, VacuumReport } from '@edrlake/lake';
import { z } from 'zod';
import type { RegisteredTask } from '../workflow/definition/define-pipeline.ts';
import { readInput, type TaskTools } from './task-tools.ts';

const CompactInput = z.strictObject({});

/** What a pipeline gives the `compact` task; what is left out has its default. */
export type GivenCompact = z.input<typeof CompactInput>;

/** Merges the many small files of a day into few large ones. */
export const compactTask: RegisteredTask<z.infer<typeof CompactInput>, CompactReport, TaskTools> = {
  meaning: 'merge small files',
  parseInput: (input) => readInput(CompactInput, input),
  run: async (_, { provided, services }) =>
    provided.useLake(({ lake }) => lake.compact({}, { runId: provided.newRunId(), signal: services.signal }), services),
  describe: async () => 'days with many small files',
};

const VacuumInput = z.strictObject({ graceDays: z.number().min(0).default(7) });

/** What a pipeline gives the `vacuum` task; what is left out has its default. */
export type GivenVacuum = z.input<typeof VacuumInput>;

/** Deletes files that no version of the last days needs. */
export const vacuumTask: RegisteredTask<z.infer<typeof VacuumInput>, VacuumReport, TaskTools> = {
  meaning: 'delete what nothing needs any more',
  parseInput: (input) => readInput(VacuumInput, input),
  run: async ({ graceDays }, { provided, services: { signal, ...services } }) =>
    provided.useLake(({ lake }) => lake.vacuum({ graceMs: graceDays * MS_PER_DAY, dryRun: false }, { signal }), {
      ...services,
      signal,
    }),
  describe: async ({ graceDays }) => `older than ${graceDays} days`,
};
