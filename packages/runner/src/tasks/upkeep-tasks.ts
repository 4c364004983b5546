import { MS_PER_DAY, TABLE_FORMATS } from '@edrlake/core';
import type { CompactReport, PublishReport, VacuumReport } from '@edrlake/lake';
import { OCSF_LAYOUTS, OCSF_VERSIONS } from '@edrlake/ocsf/names';
import { z } from 'zod';
import type { RegisteredTask } from '../workflow/definition/define-pipeline.ts';
import { readInput, type TaskTools } from './task-tools.ts';
import type { BuiltInTypes } from './task-types.ts';

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

const PublishInput = z.strictObject({
  formats: z.array(z.enum(TABLE_FORMATS)).min(1),
  to: z.string().min(1).nullable().default(null),
});

/** What a pipeline gives the `publish` task; what is left out has its default. */
export type GivenPublish = z.input<typeof PublishInput>;

/** Publishes the tables in other table formats. */
export const publishTask: RegisteredTask<z.infer<typeof PublishInput>, PublishReport[], TaskTools> = {
  meaning: 'publish the tables in other table formats',
  parseInput: (input) => readInput(PublishInput, input),
  run: async ({ formats, to }, { provided, services }) =>
    provided.useLake(async ({ lake }) => {
      const reports: PublishReport[] = [];
      const options = to === null ? {} : { to };
      for (const format of formats) reports.push(await lake.publish(format, options, { signal: services.signal }));
      return reports;
    }, services),
  describe: async ({ formats }) => `as ${formats.join(' and ')}`,
};

const PublishOcsfInput = z
  .strictObject({
    to: z.string().min(1),
    version: z.enum(OCSF_VERSIONS).default('1.3.0'),
    layout: z.enum(OCSF_LAYOUTS).default('plain'),
    region: z
      .string()
      .regex(/^[a-z0-9-]+$/)
      .nullable()
      .default(null),
    accountId: z
      .string()
      .regex(/^[A-Za-z0-9_-]+$/)
      .nullable()
      .default(null),
  })
  .refine(({ layout, region }) => layout !== 'security-lake' || region !== null, {
    path: ['region'],
    error: 'expected the region of the bucket for the layout security-lake',
  });

/** What a pipeline gives the `publish-ocsf` task; what is left out has its default. */
export type GivenPublishOcsf = z.input<typeof PublishOcsfInput>;

/** Publishes the days that changed since the last time as OCSF. */
export const publishOcsfTask: RegisteredTask<
  z.infer<typeof PublishOcsfInput>,
  BuiltInTypes['publish-ocsf']['output'],
  TaskTools
> = {
  meaning: 'publish the events as OCSF classes',
  parseInput: (input) => readInput(PublishOcsfInput, input),
  run: async ({ to, region, ...choice }, { provided, services }) =>
    provided.useLake(async ({ lake }) => {
      // Pipelines without it do not load its facts of the schema.
      const { publishOcsf } = await import('@edrlake/ocsf');
      const about = { ...provided.placeOf(to), region: region ?? '', range: null, dryRun: false };
      const report = await publishOcsf(lake, { ...choice, ...about, signal: services.signal });
      const { directory, lakeVersion, days, typedShare } = report;
      return { directory, lakeVersion, published: days.published, unchanged: days.unchanged, typedShare };
    }, services),
  describe: async ({ to, version }) => `as OCSF ${version} into ${to}`,
};
