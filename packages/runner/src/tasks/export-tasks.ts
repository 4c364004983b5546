import {
  bothClocks,
  type Clock,
  EdrlakeError,
  MS_PER_HOUR,
  MS_PER_MINUTE,
  NO_FILTER,
  parseRange,
  refuseFuture,
  refusesProcessedTime,
  startOfDayMs,
  sum,
  worstOutcome,
} from '@edrlake/core';
import { z } from 'zod';
import { exportRange } from '../export/export-flow.ts';
import { planExport } from '../export/plan-export.ts';
import { stalledText } from '../run/stalled-windows.ts';
import type { ExportReport } from '../run/types.ts';
import { syncNewEvents } from '../sync/sync.ts';
import type { RegisteredTask } from '../workflow/definition/define-pipeline.ts';
import { dayRangeInput, readInput, runServicesOf, type TaskTools } from './task-tools.ts';

/** What an export leaves in the journal of a pipeline. */
export interface ExportTaskOutput {
  readonly outcome: ExportReport['outcome'];
  readonly requests: number;
  /** Events that are new or changed in the lake. */
  readonly rows: number;
  readonly version: number | null;
  /** Windows that three runs or more have asked for without a new event, and why. Absent: none. */
  readonly noProgress?: readonly string[];
}

const BackfillInput = z.strictObject({
  ...dayRangeInput,
  force: z.boolean().default(false),
  replace: z.boolean().default(false),
});

/** What a pipeline gives the `backfill` task; what is left out has its default. */
export type GivenBackfill = z.input<typeof BackfillInput>;

/** Exports whole days by event time. */
export const backfillTask: RegisteredTask<z.infer<typeof BackfillInput>, ExportTaskOutput, TaskTools> = {
  meaning: 'export whole days',
  parseInput: (input) => readInput(BackfillInput, input),
  run: async (input, context) => {
    const { provided, services } = context;
    return provided.useLake(async ({ lake, connection }) => {
      const ends = { source: connection.source, lake, requestsMade: connection.requestsMade };
      const request = {
        axis: 'event',
        ranges: [{ range: parseRange(input.from, input.to) }],
        scope: NO_FILTER,
      } as const;
      const { force, replace } = input;
      return outputOf(
        await exportRange(ends, request, { ...provided.exportOptions, force, replace }, runServicesOf(context)),
      );
    }, services);
  },
  describe: async (input, { provided, services }) =>
    provided.askSource(async (source) => {
      const request = {
        axis: 'event',
        ranges: [{ range: parseRange(input.from, input.to) }],
        scope: NO_FILTER,
      } as const;
      const { windowPlan, requests } = await planExport(source, request, services);
      return `${windowPlan.events} events from ${input.from} to ${input.to}: ${requests.planned} requests`;
    }),
};

const SyncInput = z.strictObject({
  /**
   * `event` on platforms that cannot select by processing time; `lookBackHours` then spans the days by which events are
   * late.
   */
  axis: z.enum(['processed', 'event']).default('processed'),
  /** Where the first sync begins; later ones go on from the watermark. */
  since: z.iso.date().nullable().default(null),
  lookBackHours: z
    .number()
    .min(0)
    .max(24 * 30)
    .default(6),
  settleLagMinutes: z
    .number()
    .min(0)
    .max(24 * 60)
    .default(15),
});

/** What a pipeline gives the `sync` task; what is left out has its default. */
export type GivenSync = z.input<typeof SyncInput>;

/** Follows what the platform has processed since the last sync. */
export const syncTask: RegisteredTask<z.infer<typeof SyncInput>, ExportTaskOutput, TaskTools> = {
  meaning: 'bring in what was processed since the last sync',
  parseInput: (input) => readInput(SyncInput, input),
  run: async (input, context) => {
    const { provided, services } = context;
    refuseFutureDay('since', input.since, services);
    return provided.useLake(async ({ lake, connection }) => {
      const requestsBefore = connection.requestsMade();
      const ends = { source: connection.source, lake, requestsMade: connection.requestsMade };
      const request = {
        axis: input.axis,
        scope: NO_FILTER,
        sinceMs: input.since === null ? null : startOfDayMs(input.since),
        lookBackMs: input.lookBackHours * MS_PER_HOUR,
        settleLagMs: input.settleLagMinutes * MS_PER_MINUTE,
      };
      const options = { ...provided.exportOptions, force: false, replace: false };
      const report = await syncNewEvents(ends, request, options, runServicesOf(context)).catch((thrown) => {
        throw input.axis === 'processed' ? explained(thrown) : thrown;
      });
      const requests = connection.requestsMade() - requestsBefore;
      const outputs = [report.resumed, report.exported, report.again]
        .filter((exported) => exported !== null)
        .map(outputOf);
      const joined = joinOutputs(outputs);
      const outcome = worstOutcome([
        joined.outcome,
        ...(report.lostFiles.length > 0 ? (['mismatch'] as const) : []),
        ...(report.rejected.length > 0 ? (['rejected'] as const) : []),
      ]);
      return { ...joined, outcome, requests };
    }, services);
  },
  describe: async ({ since, lookBackHours, settleLagMinutes }, { services }) => {
    refuseFutureDay('since', since, services);
    const atFirst = since === null ? '' : ` (at first: from ${since})`;
    return `from the watermark less ${lookBackHours} h${atFirst} to now less ${settleLagMinutes} min`;
  },
};

/** Checked before anything is opened: a typing error must not create a lake. */
function refuseFutureDay(name: string, day: string | null, { clock }: { readonly clock: Clock }): void {
  if (day !== null) refuseFuture(name, startOfDayMs(day), bothClocks(clock.nowMs(), null));
}

/**
 * A platform without processing times refuses the filter. The journal keeps no hints, so the message says what to do.
 */
function explained(thrown: unknown): unknown {
  if (!(thrown instanceof EdrlakeError) || !refusesProcessedTime(thrown)) return thrown;
  return new EdrlakeError(
    'FILTER_REJECTED',
    'the platform refuses to search by processing time. edrlake doctor finds the name of its token; if it has none, ' +
      "follow event time: --param byEventTime=true for nightly, axis: 'event' and lookBackHours: 120 in a sync task " +
      'of your own',
    { cause: thrown, context: thrown.context },
  );
}

/** Windows without progress that are named. */
const NAMED_STALLED = 20;

/**
 * An export as plain data for a pipeline's journal. Windows without progress make it a mismatch, though they only
 * failed: trying them again brings nothing.
 */
export function outputOf({ outcome, requestsMade, events, version, stalled = [] }: ExportReport): ExportTaskOutput {
  const output = { requests: requestsMade, rows: events.new + events.changed, version };
  if (stalled.length === 0) return { outcome, ...output };
  return { outcome: 'mismatch', ...output, noProgress: stalled.slice(0, NAMED_STALLED).map(stalledText) };
}

/** Several exports as one: the worst outcome, and sums. No export at all is `done`. */
function joinOutputs(outputs: readonly ExportTaskOutput[]): ExportTaskOutput {
  const outcomes = outputs.map(({ outcome }) => outcome);
  const noProgress = outputs.flatMap((output) => output.noProgress ?? []);
  return {
    outcome: worstOutcome(outcomes),
    requests: sum(outputs, ({ requests }) => requests),
    rows: sum(outputs, ({ rows }) => rows),
    version: outputs.at(-1)?.version ?? null,
    ...(noProgress.length > 0 && { noProgress }),
  };
}
