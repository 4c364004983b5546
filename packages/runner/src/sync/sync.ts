import { join } from 'node:path';
import {
  type BothClocks,
  clocksText,
  EdrlakeError,
  isAhead,
  isoInstant,
  newRunId,
  type QueryScope,
  refuseFuture,
  type TimeAxis,
  type TimeRange,
} from '@edrlake/core';
import { exportRange } from '../export/export-flow.ts';
import { askedPageSize } from '../run/page-sizes.ts';
import { readClocks } from '../run/read-clocks.ts';
import { rejectRuleOf } from '../run/reject-share.ts';
import { findUnfinishedRequest } from '../run/resume.ts';
import { runLiveness } from '../run/run-liveness.ts';
import type { ExportEndpoints, ExportOptions, ExportReport, RunServices, WantedRange } from '../run/types.ts';
import { type HeldEvents, heldEvents } from './held-events.ts';
import { changedBehind, countOfNew, NOTHING_BEHIND, type ReopenedRange } from './look-back.ts';
import { exposedByMoves } from './moved-events.ts';
import { type RejectRetry, rejectRetries } from './reject-retries.ts';
import { fetchedUpTo, readWatermark, watermarkOf, writeWatermark } from './watermark.ts';

/** What a sync follows, and how far around the watermark it looks. */
export interface SyncRequest {
  /**
   * `processed`; or `event`, on platforms that cannot select by processing time. `lookBackMs` must then span the days
   * by which events are late: later arrivals are not found.
   */
  readonly axis: TimeAxis;
  readonly scope: QueryScope;
  /**
   * Where the first sync begins, in UTC epoch milliseconds on the axis. Later syncs go on from the watermark, so the
   * same command can remain in a crontab. A time in the future is refused, whether it is needed or not.
   */
  readonly sinceMs: number | null;
  /** How far behind the watermark counts are compared again, for events that became visible late. */
  readonly lookBackMs: number;
  /** How far behind now, by the earlier of both clocks, a sync ends: younger events may still be arriving. */
  readonly settleLagMs: number;
}

/** What a sync did. */
export interface SyncReport {
  /** Time on the axis up to which everything is proven; null before the first sync. */
  readonly watermarkBeforeMs: number | null;
  readonly watermarkAfterMs: number | null;
  /**
   * Ranges of which too many records could not become rows, oldest first. They hold the watermark back, and are fetched
   * again when they are due.
   */
  readonly rejected: readonly RejectRetry[];
  /** From where earlier syncs ended to the frozen end; null if nothing has settled since. */
  readonly range: TimeRange | null;
  /** Events of the range that were not fetched, because the lake held them already and the API counts as many. */
  readonly held: number;
  /** Ranges of the look-back in which something had changed. */
  readonly reopened: readonly TimeRange[];
  /** The report of an unfinished sync that this one completed first: killed, or with failed windows. */
  readonly resumed: ExportReport | null;
  /** Both clocks when the end was frozen. */
  readonly clocks: BothClocks;
  /** null where nothing had to be fetched or proven. */
  readonly exported: ExportReport | null;
  /** Of ranges whose counts were equal until events of this sync moved away from them; null for none. */
  readonly again: ExportReport | null;
  /** Data files, of any day, that are missing or truncated: the lake does not hold everything that is proven. */
  readonly lostFiles: readonly string[];
}

/**
 * Exports the events that are new since the last sync: by processing time, regardless of the day of the event. The
 * upper end is frozen before anything is counted, by the earlier of both clocks, so that pages do not drift and a wrong
 * clock skips nothing. It is safe to run again. If nothing is new, it costs a login, two counts and one page that
 * confirms the zero.
 * @throws {EdrlakeError} `USAGE` for a first sync without a beginning, `RANGE_INVALID` for a beginning in the future,
 * `CLOCK_WRONG` if the lake is proven beyond what a clock says; else as `exportRange`
 */
export async function syncNewEvents(
  ends: ExportEndpoints,
  request: SyncRequest,
  options: ExportOptions,
  services: RunServices,
): Promise<SyncReport> {
  const { source, lake } = ends;
  const { axis, scope } = request;
  const before = await readClocks(source, services);
  if (request.sinceMs !== null) refuseFuture('--since', request.sinceMs, before);
  const sinceMs = await firstBeginning(lake, request, before);
  const resumed = await finishUnfinishedSync(ends, request, options, services);
  if (sinceMs !== null) await writeWatermark(lake, axis, scope, sinceMs, services.newRunId);
  const clocks = await readClocks(source, services);
  const watermarkBeforeMs = sinceMs === null ? await watermarkOf(lake, axis, scope, clocks.latestMs) : null;
  const fetchedMs = sinceMs === null ? await fetchedUpTo(lake, axis, scope, clocks.latestMs) : null;
  const startMs = sinceMs ?? beginningOf(resumed, fetchedMs) ?? clocks.nowMs;
  refuseAhead(watermarkBeforeMs, clocks);
  const endMs = Math.max(startMs, clocks.nowMs - request.settleLagMs);
  const isResumedSync = sinceMs === null;
  const followed = { axis, scope, startMs: (await readWatermark(lake, axis, scope)) ?? startMs };
  const rule = rejectRuleOf(options);
  const rejected = isResumedSync ? await rejectRetries(lake, followed, rule) : [];
  const isNew = endMs > startMs;
  const newCount = countOfNew(source, { axis, scope, range: { startMs, endMs } }, services);
  const { reopened, equal, isApiCounting } = isResumedSync
    ? await changedBehind(ends, { endMs: fetchedMs ?? startMs, rejected, newCount }, request, services)
    : NOTHING_BEHIND;
  const due = rejected.filter(({ retryAtMs }) => retryAtMs <= clocks.nowMs).map(({ range }) => ({ range }));
  const held = isNew ? await proveHeld(ends, { startMs, endMs }, request, options, services) : null;
  const fresh = isNew ? (held?.rest ?? [{ range: { startMs, endMs }, knownCount: newCount.known() }]) : [];
  const ranges: readonly WantedRange[] = [...due, ...toFetch(reopened, fresh)].sort(byStart);
  // What was not counted before the look-back was is counted later, and the API may have lost its data by then.
  const isAllKnown = held === null && ranges.every(({ knownCount = null }) => knownCount !== null);
  const wanted = { axis, ranges, scope, isApiCounting: isApiCounting && isAllKnown };
  const exported = ranges.length === 0 ? null : await exportRange(ends, wanted, options, services);
  const exposed = await exposedByMoves(ends, { axis, scope, startMs }, equal, services);
  const again =
    exposed.length === 0
      ? null
      : await exportRange(ends, { axis, ranges: exposed, scope }, options, {
          ...services,
          newRunId: newRunId(services),
        });
  return {
    watermarkBeforeMs,
    watermarkAfterMs: await watermarkOf(lake, axis, scope, clocks.latestMs),
    rejected: await rejectRetries(lake, followed, rule),
    range: isNew ? { startMs, endMs } : null,
    held: held?.events ?? 0,
    reopened: [...(await changedRanges(lake, axis, reopened)), ...exposed.map(({ range }) => range)],
    resumed,
    clocks,
    exported,
    again,
    lostFiles: await lake.lostFiles(),
  };
}

/**
 * Proves what the lake holds of the new range already. Committed before anything is fetched, so that a run which is
 * killed later does not compare it again. null where all of it is to be fetched.
 */
async function proveHeld(
  ends: ExportEndpoints,
  range: TimeRange,
  { axis, scope }: SyncRequest,
  { force, replace }: ExportOptions,
  services: RunServices,
): Promise<HeldEvents | null> {
  if (axis !== 'processed' || scope.filter !== null || scope.state !== null || force || replace) return null;
  const held = await heldEvents(ends, range, services);
  if (held === null || held.proofs.length === 0) return null;
  await ends.lake.commit({ batch: null, proofs: held.proofs, runId: services.newRunId, replace: false });
  return held;
}

/** Those whose counts differed, and those of which the lake held nothing and holds events now. */
async function changedRanges(
  lake: ExportEndpoints['lake'],
  axis: SyncRequest['axis'],
  reopened: readonly ReopenedRange[],
): Promise<readonly TimeRange[]> {
  const ranges = reopened.map(({ range }) => range);
  const isUncertain = reopened.some(({ isChanged }) => !isChanged);
  const stored = isUncertain ? await lake.countStored(ranges, axis) : [];
  return ranges.filter((_, at) => reopened[at]?.isChanged === true || (stored[at] ?? 0) > 0);
}

/**
 * The ranges that a sync fetches, with known counts. A range of which the lake holds nothing, and which ends where the
 * new range begins, is joined with it: if the API has nothing of both, one count and one page confirm it.
 */
function toFetch(reopened: readonly ReopenedRange[], fresh: readonly WantedRange[]): readonly WantedRange[] {
  const [first, ...others] = fresh;
  const last = reopened.at(-1);
  const isJoined = first !== undefined && last?.isChanged === false && last.range.endMs === first.range.startMs;
  const alone = isJoined ? reopened.slice(0, -1) : reopened;
  const ranges: WantedRange[] = alone.map(({ range, inApi }) => ({ range, knownCount: inApi }));
  if (isJoined) return [...ranges, { range: { ...first.range, startMs: last.range.startMs } }, ...others];
  return [...ranges, ...fresh];
}

/**
 * Where the first sync of a lake begins; null for a later one, which has a watermark. A beginning ahead of both clocks
 * is ignored: no sync can have followed from there.
 */
async function firstBeginning(
  lake: ExportEndpoints['lake'],
  { axis, scope, sinceMs }: SyncRequest,
  clocks: BothClocks,
): Promise<number | null> {
  const startMs = await readWatermark(lake, axis, scope);
  if (startMs !== null && !isAhead(startMs, clocks.latestMs)) return null;
  if (sinceMs !== null) return sinceMs;
  if (startMs === null) {
    throw new EdrlakeError('USAGE', 'this lake has never been synced, so there is no watermark to start from', {
      hint: 'Give --since once, for example --since 2026-11-01; later syncs go on from where the last one ended.',
    });
  }
  throw new EdrlakeError(
    'CLOCK_WRONG',
    `this lake is followed from ${isoInstant(startMs)}, which has not come yet, so nothing was ever synced: ` +
      clocksText(clocks),
    {
      hint:
        'Begin again where the first sync was meant to begin, for example: edrlake sync --since 2026-11-01. ' +
        'If the clock of this machine is wrong, synchronise it first.',
    },
  );
}

/**
 * With a watermark ahead of the earlier clock, every sync would report that all is there until that clock has caught
 * up.
 */
function refuseAhead(watermarkMs: number | null, clocks: BothClocks): void {
  if (watermarkMs === null || !isAhead(watermarkMs, clocks.nowMs)) return;
  throw new EdrlakeError(
    'CLOCK_WRONG',
    `the lake is synced up to ${isoInstant(watermarkMs)}, which has not come yet: ${clocksText(clocks)}`,
    {
      hint:
        'Nothing was asked for and nothing is lost. Synchronise the clock of this machine; edrlake doctor says ' +
        'how far it is from that of the gateway. Then run the same command again.',
    },
  );
}

/**
 * Where the new range begins: where earlier syncs ended, or after a request whose windows have just failed again. The
 * watermark stays before those windows, so that the next sync begins there.
 */
function beginningOf(resumed: ExportReport | null, fetchedMs: number | null): number | null {
  return resumed?.outcome === 'partly' ? (resumed.request.ranges.at(-1)?.endMs ?? fetchedMs) : fetchedMs;
}

/** Completes an unfinished sync up to its own frozen end, so that its plan and its pages are used. */
async function finishUnfinishedSync(
  ends: ExportEndpoints,
  { axis, scope }: SyncRequest,
  options: ExportOptions,
  services: RunServices,
): Promise<ExportReport | null> {
  const { source, lake } = ends;
  const subject = { source: source.name, pageSize: askedPageSize(source), request: { axis, scope } };
  const unfinished = await findUnfinishedRequest(
    join(lake.directory, '_runs'),
    subject,
    runLiveness(lake.lease, services.emit),
    services.clock.nowMs(),
  );
  if (unfinished === null) return null;
  const ranges = unfinished.ranges.map((range) => ({ range }));
  return exportRange(ends, { axis, ranges, scope }, options, services);
}

function byStart(one: WantedRange, other: WantedRange): number {
  return one.range.startMs - other.range.startMs;
}
