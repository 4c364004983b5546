import { newRunId } from '@edrlake/core';
import type { ReconciledDay, RepairReport } from '@edrlake/runner';
import { EXPORT_CHECKS, type ExportCallOptions, exporting } from './export.ts';
import { CALL_CHECKS, checkArgument, checkOptions, oneOf } from './input/checks.ts';
import {
  type CallOptions,
  listenerOf,
  listening,
  optionalRangeOf,
  type RangeOptions,
  signalOf,
} from './input/options.ts';
import { refuseOtherDataset } from './input/refusals.ts';
import type { Lake } from './lake/types.ts';
import { internalsOf } from './lake.ts';
import { type Source, internalsOf as sourceInternalsOf } from './source.ts';

/**
 * Which days to compare. Default: every day the lake knows, up to yesterday. Days that the range touches count whole.
 */
export interface ReconcileOptions extends Partial<RangeOptions>, CallOptions {
  /** `type`: a line for each day and type of event. Default `day`. */
  readonly by?: 'day' | 'type';
}

/** What a comparison found. */
export interface Reconciliation {
  /**
   * `match`: the lake holds what the API has. `mismatch`: some day needs a repair. `rejected`: everything is there, but
   * too many records could not become rows.
   */
  readonly outcome: 'match' | 'mismatch' | 'rejected';
  /** In order of the days, then of the types. */
  readonly days: readonly ReconciledDay[];
  readonly requestsMade: number;
}

/**
 * Compares each UTC day between the API and the lake: what the API counts now, with the rows and ids that the data
 * files hold now. Stored counters decide nothing. One request compares many days; a day on which both sides are not
 * equal costs one more. A proven day of which the API has more is not proven any more, where a count of its own
 * confirms that.
 * @throws {EdrlakeError} `RANGE_INVALID`, `AUTH_REJECTED`, `HOST_UNREACHABLE`, `LAKE_CORRUPT`, `INTERRUPTED`
 * @example
 * const { outcome, days } = await reconcile(lake, source);
 * if (outcome === 'mismatch') await repair(lake, source, days);
 */
export async function reconcile(lake: Lake, source: Source, options: ReconcileOptions = {}): Promise<Reconciliation> {
  const { stored, clock, random, reports, inTurn } = internalsOf(lake);
  const { connection, dataset, reports: requests, join } = sourceInternalsOf(source);
  refuseOtherDataset(stored.dataset, dataset);
  checkOptions('reconcile', options, { ...CALL_CHECKS, by: oneOf('day', 'type') });
  const { by = 'day' } = options;
  const given = optionalRangeOf(options);
  const signal = signalOf(options);
  const [runner, { knownDays }] = await Promise.all([import('@edrlake/runner'), import('@edrlake/runner/history')]);
  return listening([reports, requests], options, () =>
    inTurn(async () => {
      signal.throwIfAborted();
      await join(lake);
      const before = connection.requestsMade();
      const range = given ?? (await knownDays(stored, clock.nowMs()));
      const ends = { source: connection.source, lake: stored, requestsMade: connection.requestsMade };
      const services = { clock, signal };
      const ranges = range === null ? [] : [range];
      const look = async () => (range === null ? [] : runner.reconcile(ends, { range, by }, services));
      const days = lake.isReadOnly
        ? await look()
        : await runner.reconcileAndRemember(ends, { ranges, by }, services, newRunId({ clock, random }));
      if (!lake.isReadOnly) {
        const emit = listenerOf(options);
        const newServices = () => ({ clock, random, emit, signal, newRunId: newRunId({ clock, random }) });
        if (by === 'day') await runner.refuteLate(ends, days, newServices);
      }
      return { outcome: runner.agreementOf(days), days, requestsMade: connection.requestsMade() - before };
    }),
  );
}

const RECONCILED = {
  expected: 'the days of a reconciliation',
  fits: (days: unknown) =>
    Array.isArray(days) && days.every((day: Partial<ReconciledDay> | null) => typeof day?.verdict === 'string'),
};

/**
 * Repairs the days that do not match: drops data files that are gone from the log, finds the ranges in which the API
 * and the lake differ, and fetches only those. Of an event that is stored more than once the newest copy stays. Stored
 * events that the API no longer returns stay. Reconcile again to see the result.
 * @param days of a reconciliation by day
 * @throws {EdrlakeError} as `backfill`
 * @example
 * const { days } = await reconcile(lake, source, { from: '2020-08-17', to: '2020-08-18' });
 * const { exported } = await repair(lake, source, days);
 * console.log(exported === null ? 'nothing differs' : exported.outcome);
 */
export async function repair(
  lake: Lake,
  source: Source,
  days: readonly ReconciledDay[],
  options: ExportCallOptions = {},
): Promise<RepairReport> {
  checkOptions('repair', options, EXPORT_CHECKS);
  checkArgument('repair', 'days', days, RECONCILED);
  const runner = await import('@edrlake/runner');
  return exporting('repair', lake, source, options, (ends, how, services) =>
    runner.repair(ends, days, { ...how, force: false, replace: false }, services),
  );
}
