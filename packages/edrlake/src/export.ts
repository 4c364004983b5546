import { EdrlakeError, NO_FILTER, newRunId, refusesProcessedTime, type TimeAxis, toEdrlakeError } from '@edrlake/core';
import type {
  ExportEndpoints,
  ExportOptions,
  ExportPlan,
  ExportReport,
  RunServices,
  SyncReport,
} from '@edrlake/runner';
import { AMOUNT, CALL_CHECKS, COUNT, checkOptions, oneOf, SHARE, SWITCH, TEXT } from './input/checks.ts';
import {
  type CallOptions,
  listenerOf,
  listening,
  momentOf,
  type RangeOptions,
  rangeOf,
  SCOPE_CHECKS,
  type ScopeOptions,
  scopeOf,
  signalOf,
} from './input/options.ts';
import { refuseOtherDataset, refuseReadOnly } from './input/refusals.ts';
import type { Lake } from './lake/types.ts';
import { internalsOf } from './lake.ts';
import { type Source, internalsOf as sourceInternalsOf } from './source.ts';

/** Spooled bytes that are flattened and committed together. Measured: larger batches are no faster and take memory. */
export const BATCH_BYTES = 64 * 1024 * 1024;

/** Late by processing time are events that became visible after others; by event time, all that arrive late. */
const LOOK_BACK_HOURS = { processed: 6, event: 120 } as const;

const MS_PER_HOUR = 3_600_000;

/** How long an event may take to become visible behind younger ones. */
const SETTLE_LAG_MINUTES = 15;

/** Which events to plan or read. */
export interface PlanOptions extends RangeOptions, ScopeOptions, CallOptions {
  /**
   * What the range is about: the time at which events happened on the asset, or at which the platform processed them.
   * Default `event`.
   */
  readonly axis?: TimeAxis;
}

/** How an export works, beyond which events it is about. */
export interface ExportCallOptions extends CallOptions {
  /** Pages in flight at once, at most what the source allows. Default: what the source allows. */
  readonly concurrency?: number;
  /** Downloaded bytes that become one commit: bounds memory and disk. Default 64 MiB. */
  readonly batchBytes?: number;
  /**
   * The share of records, from 0 to 1, that may become rejects in one window and in the whole export without an outcome
   * `rejected`; fewer than ten never count. Default 0.01.
   */
  readonly maxRejectShare?: number;
  /**
   * The id of the run if it is a new one. It must sort by time. Default: made from the clock,
   * `20261122T031200Z-4f2a91`.
   */
  readonly runId?: string;
}

const AXIS = oneOf('event', 'processed');
/** What `PlanOptions` may be, but for its range. */
export const PLAN_CHECKS = { ...CALL_CHECKS, ...SCOPE_CHECKS, axis: AXIS } as const;
/** What `ExportCallOptions` may be. */
export const EXPORT_CHECKS = {
  ...CALL_CHECKS,
  concurrency: COUNT,
  batchBytes: COUNT,
  maxRejectShare: SHARE,
  runId: TEXT,
} as const;

/** Which events to export, and how. */
export interface BackfillOptions extends RangeOptions, ScopeOptions, ExportCallOptions {
  /** Fetches also what the lake has proven already. */
  readonly force?: boolean;
  /** Deletes stored events of the range that the API no longer returns. Not with a filter or state. */
  readonly replace?: boolean;
}

/** What a sync follows. */
export interface SyncOptions extends ScopeOptions, ExportCallOptions {
  /**
   * Where the very first sync begins: a UTC day or an instant. Later ones go on from where the last one ended, so the
   * same call can run every night.
   */
  readonly since?: string | Date;
  /**
   * `processed` finds events however late they arrive. `event`, for platforms that cannot be searched so, finds what is
   * late by less than the look-back. Default `processed`.
   */
  readonly axis?: TimeAxis;
  /** How far behind the watermark counts are compared again. Default 6, or 120 with axis `event`. */
  readonly lookBackHours?: number;
  /** How far behind now a sync ends, because younger events may still be arriving. Default 15. */
  readonly settleLagMinutes?: number;
}

/**
 * What an export of a range would fetch and cost: its windows, events and requests. Sends counts only, and fetches no
 * event. The part of the range in the future is left out.
 * @throws {EdrlakeError} `RANGE_INVALID`, `AUTH_REJECTED`, `FILTER_REJECTED`, or why nothing could be counted
 * @example
 * const { windowPlan, requests } = await plan(source, { from: '2020-08-17', to: '2020-08-19' });
 * console.log(`${windowPlan.events} events, ${requests.planned} requests`);
 */
export async function plan(source: Source, options: PlanOptions): Promise<ExportPlan> {
  const { connection, clock, random, reports } = sourceInternalsOf(source);
  checkOptions('plan', options, PLAN_CHECKS);
  const request = { axis: options.axis ?? 'event', ranges: [{ range: rangeOf(options) }], scope: scopeOf(options) };
  const { planExport } = await import('@edrlake/runner');
  return listening(reports, options, () =>
    planExport(connection.source, request, {
      clock,
      random,
      emit: listenerOf(options),
      signal: signalOf(options),
    }),
  );
}

/**
 * Brings all events of a range into the lake, each exactly once. What the lake has proven already is not fetched. An
 * export that died, or in which windows failed, is gone on with by the next call with the same range and scope.
 *
 * One bad answer fails one window, not the export: look at `outcome` of the report. `done`: everything is in the lake
 * and proven. `partly`: some windows failed, call again. `mismatch`: what came is not what the API counts. `rejected`:
 * too many records could not become rows.
 * @throws {EdrlakeError} what stops every window: `RANGE_INVALID`, `AUTH_REJECTED`, `ACCESS_DENIED`,
 * `FILTER_REJECTED`, `HOST_UNREACHABLE`, `LAKE_UNWRITABLE`, `RUN_BUSY` if another process makes the same export,
 * `INTERRUPTED`. What was committed by then stays.
 * @example
 * const { outcome, events } = await backfill(lake, source, { from: '2020-08-17', to: '2020-08-17' });
 */
export async function backfill(lake: Lake, source: Source, options: BackfillOptions): Promise<ExportReport> {
  checkOptions('backfill', options, { ...EXPORT_CHECKS, ...SCOPE_CHECKS, force: SWITCH, replace: SWITCH });
  const { force = false, replace = false } = options;
  const scope = scopeOf(options);
  if (replace && (scope.filter !== null || scope.state !== null)) {
    throw new EdrlakeError(
      'USAGE',
      'replace deletes what the API does not return, so it takes no filter and no state',
      {
        hint: 'Leave out replace, or filter and state.',
      },
    );
  }
  const request = { axis: 'event', ranges: [{ range: rangeOf(options) }], scope } as const;
  const { exportRange } = await import('@edrlake/runner');
  return exporting('backfill', lake, source, options, (ends, how, services) =>
    exportRange(ends, request, { ...how, force, replace }, services),
  );
}

/**
 * Brings in what is new since the last sync, by processing time: events that arrive days late are found, and are stored
 * on the day they happened. If nothing is new, it costs a login and three requests. Safe to repeat and to interrupt.
 * @throws {EdrlakeError} as `backfill`; `USAGE` for the first sync of a lake without `since`, `CLOCK_WRONG` if the lake
 * is proven beyond what a clock says, `FILTER_REJECTED` where the platform cannot be searched by processing time
 * @example
 * const { exported, watermarkAfterMs } = await sync(lake, source, { since: '2026-11-01' });
 */
export async function sync(lake: Lake, source: Source, options: SyncOptions = {}): Promise<SyncReport> {
  checkOptions('sync', options, {
    ...EXPORT_CHECKS,
    ...SCOPE_CHECKS,
    axis: AXIS,
    lookBackHours: AMOUNT,
    settleLagMinutes: AMOUNT,
  });
  const { since, axis = 'processed', lookBackHours, settleLagMinutes = SETTLE_LAG_MINUTES } = options;
  const request = {
    axis,
    scope: scopeOf(options),
    sinceMs: since === undefined ? null : momentOf('since', since),
    lookBackMs: (lookBackHours ?? LOOK_BACK_HOURS[axis]) * MS_PER_HOUR,
    settleLagMs: settleLagMinutes * 60_000,
  };
  const { syncNewEvents } = await import('@edrlake/runner');
  return exporting('sync', lake, source, options, (ends, how, services) =>
    syncNewEvents(ends, request, { ...how, force: false, replace: false }, services).catch((thrown: unknown) => {
      throw axis === 'processed' && request.scope === NO_FILTER ? withAxisHint(thrown) : thrown;
    }),
  );
}

/** How exports of one call work. */
export type ExportMeans = Pick<ExportOptions, 'concurrency' | 'batchBytes' | 'maxRejectShare'>;

/** Does some exporting in the turn of the lake, with the source on its account and the listener of the call. */
export async function exporting<T>(
  what: string,
  lake: Lake,
  source: Source,
  options: ExportCallOptions,
  work: (ends: ExportEndpoints, how: ExportMeans, services: RunServices) => Promise<T>,
): Promise<T> {
  const { stored, clock, random, reports, inTurn } = internalsOf(lake);
  refuseReadOnly(lake.isReadOnly, what);
  const { connection, dataset, concurrency, reports: requests, join } = sourceInternalsOf(source);
  refuseOtherDataset(stored.dataset, dataset);
  const { maxRejectShare, batchBytes = BATCH_BYTES } = options;
  const signal = signalOf(options);
  const how = {
    concurrency: Math.min(options.concurrency ?? concurrency, concurrency),
    batchBytes,
    ...(maxRejectShare !== undefined && { maxRejectShare }),
  };
  return listening([reports, requests], options, () =>
    inTurn(async () => {
      signal.throwIfAborted();
      await join(lake);
      const ends = { source: connection.source, lake: stored, requestsMade: connection.requestsMade };
      const runId = options.runId ?? newRunId({ clock, random });
      return work(ends, how, { clock, random, signal, emit: listenerOf(options), newRunId: runId });
    }),
  );
}

/** A platform that does not know processing times refuses the filter. */
function withAxisHint(thrown: unknown): EdrlakeError {
  const error = toEdrlakeError(thrown);
  if (!refusesProcessedTime(error)) return error;
  return new EdrlakeError(error.code, `the platform refuses to search by processing time: ${error.message}`, {
    cause: error,
    context: error.context,
    hint: "Set timeTokens.processed to the name that the platform uses, or follow event time with axis: 'event'.",
  });
}
