import { type TimeRange, worstOutcome } from '@edrlake/core';
import { z } from 'zod';
import { agreementOf, type DayVerdict, joinDays, type ReconciledDay, repair } from '../reconcile/reconcile.ts';
import { reconcileAndRemember } from '../reconcile/reconcile-and-remember.ts';
import { GAP_COMPARED_DAYS, refuteLate, settleRecounted } from '../reconcile/repair-recounted.ts';
import type { RegisteredTask, TaskContext } from '../workflow/definition/define-pipeline.ts';
import { type ExportTaskOutput, outputOf } from './export-tasks.ts';
import { lastDays, readInput, runServicesOf, type TaskTools } from './task-tools.ts';

/** What a comparison leaves in the journal: the number of days for each status, and the days that do not match. */
export interface ReconcileTaskOutput {
  readonly outcome: 'done' | 'mismatch' | 'rejected';
  readonly requests: number;
  readonly days: Readonly<Partial<Record<DayVerdict, number>>>;
  readonly differing: readonly { readonly day: string; readonly verdict: DayVerdict; readonly difference: number }[];
}

const DAYS = z.number().int().min(1).max(3_660);

const ReconcileInput = z.strictObject({
  lastDays: DAYS.default(7),
  /** Whether differing days make the run a mismatch. Off if a repair follows, because its comparison decides. */
  mismatchCounts: z.boolean().default(true),
});

/** What a pipeline gives the `reconcile` task; what is left out has its default. */
export type GivenReconcile = z.input<typeof ReconcileInput>;

/** Compares days between the API and the lake. */
export const reconcileTask: RegisteredTask<z.infer<typeof ReconcileInput>, ReconcileTaskOutput, TaskTools> = {
  meaning: 'compare the last days between the API and the lake',
  parseInput: (input) => readInput(ReconcileInput, input),
  run: async (input, context) => {
    const { provided, services } = context;
    return provided.useLake(async ({ lake, connection }) => {
      const requestsBefore = connection.requestsMade();
      const range = lastDays(input.lastDays, context.run.startedAtMs);
      const ends = { source: connection.source, lake, requestsMade: connection.requestsMade };
      const days = await compare([range], context, ends);
      if (input.mismatchCounts) await refuteLate(ends, days, () => runServicesOf(context));
      const summary = summaryOf(days, connection.requestsMade() - requestsBefore);
      return input.mismatchCounts ? summary : { ...summary, outcome: 'done' };
    }, services);
  },
  describe: async (input) => `the last ${input.lastDays} days, one request where the platform has histograms`,
};

const RepairInput = z.strictObject({
  /** The days to repair, as a reconciliation found them; null: compare the last days first. */
  days: z.array(z.iso.date()).max(3_660).nullable().default(null),
  lastDays: DAYS.default(7),
});

/** What a pipeline gives the `repair` task; what is left out has its default. */
export type GivenRepair = z.input<typeof RepairInput>;

/** What a repair leaves in the journal. */
export interface RepairTaskOutput extends ExportTaskOutput {
  /** Ranges that differed and were fetched again; the journal has them by this name. */
  readonly stretches: number;
}

/** Fetches only the ranges in which the API and the lake differ. */
export const repairTask: RegisteredTask<z.infer<typeof RepairInput>, RepairTaskOutput, TaskTools> = {
  meaning: 'fetch the ranges that differ, then compare again',
  parseInput: (input) => readInput(RepairInput, input),
  run: async (input, context) => {
    const { provided, services } = context;
    if (input.days?.length === 0) return { ...NOTHING, stretches: 0 };
    return provided.useLake(async ({ lake, connection }) => {
      const requestsBefore = connection.requestsMade();
      const ends = { source: connection.source, lake, requestsMade: connection.requestsMade };
      const options = { ...provided.exportOptions, force: false, replace: false };
      const compared =
        input.days === null
          ? [lastDays(input.lastDays, context.run.startedAtMs)]
          : joinDays(input.days, GAP_COMPARED_DAYS);
      const days = await compare(compared, context, ends);
      const { ranges, exported, removedRows } = await repair(ends, days, options, runServicesOf(context));
      const remaining = ranges.length + removedRows === 0 ? days : await compare(compared, context, ends);
      const { open } = await settleRecounted(
        ends,
        remaining.map(({ day }) => day),
        () => runServicesOf(context),
      );
      await refuteLate(ends, remaining, () => runServicesOf(context));
      const output = exported === null ? NOTHING : outputOf(exported);
      return {
        ...output,
        outcome: worstOutcome([
          output.outcome,
          outcomeOf(remaining),
          ...(open.length > 0 ? (['mismatch'] as const) : []),
        ]),
        requests: connection.requestsMade() - requestsBefore,
        stretches: ranges.length,
      };
    }, services);
  },
  describe: async ({ days, lastDays: count }) =>
    days === null ? `differences in the last ${count} days` : `${days.length} days that differ`,
};

const NOTHING: ExportTaskOutput = { outcome: 'done', requests: 0, rows: 0, version: null };

function compare(
  ranges: readonly TimeRange[],
  { services, provided }: TaskContext<TaskTools>,
  ends: Parameters<typeof reconcileAndRemember>[0],
): Promise<readonly ReconciledDay[]> {
  return reconcileAndRemember(ends, { ranges, by: 'day' }, services, provided.newRunId());
}

function outcomeOf(days: readonly ReconciledDay[]): ReconcileTaskOutput['outcome'] {
  const agreement = agreementOf(days);
  return agreement === 'match' ? 'done' : agreement;
}

function summaryOf(days: readonly ReconciledDay[], requests: number): ReconcileTaskOutput {
  const counts: Partial<Record<DayVerdict, number>> = {};
  for (const { verdict } of days) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return {
    outcome: outcomeOf(days),
    requests,
    days: counts,
    differing: days
      .filter(({ verdict }) => verdict !== 'match')
      .map(({ day, verdict, difference }) => ({ day, verdict, difference })),
  };
}
