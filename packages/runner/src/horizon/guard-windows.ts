import {
  dayOf,
  EdrlakeError,
  type FetchedWindow,
  gapsIn,
  type PlannedWindow,
  SETTLE_LAG_MS,
  type TimeAxis,
  type TimeRange,
} from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import { knownClocks } from '../run/read-clocks.ts';
import type { RunContext } from '../run/run-context.ts';
import type { ExportEndpoints, ExportRequest, RunServices, WantedRange } from '../run/types.ts';
import { lookAtHorizon, readHorizon, requestsADay } from './learned-horizon.ts';
import { type Scarcity, scarcestFirst } from './scarcest-first.ts';

/** Windows of a run with limits. */
export interface OrderedWindows {
  /** The most urgent first. */
  readonly windows: readonly PlannedWindow[];
  /** Whether a window that is too large for what is left of the requests gives way to a smaller one behind it. */
  readonly skips: boolean;
}

/** The order of `scarcestFirst`, by what the lake knows of the retention. The same for a run and for its preview. */
export async function inOrderOfLoss(
  windows: readonly PlannedWindow[],
  about: Pick<Scarcity, 'nowMs' | 'pageSize'> & {
    readonly lake: Pick<Lake, 'directory'> | null;
    readonly axis: TimeAxis;
    /** null: any number. */
    readonly maxRequests: number | null;
  },
): Promise<OrderedWindows> {
  const { lake, axis, maxRequests, nowMs, pageSize } = about;
  const retentionMs = lake === null || axis !== 'event' ? null : (await readHorizon(lake)).retentionMs;
  const requestsPerDay =
    lake === null || maxRequests === null ? Number.POSITIVE_INFINITY : await requestsADay(lake, maxRequests, nowMs);
  return {
    windows: scarcestFirst(windows, { retentionMs, nowMs, pageSize, requestsPerDay }),
    skips: retentionMs !== null,
  };
}

/**
 * The request with its ranges divided where the API is known to begin to answer, so that no window with events speaks
 * for the time before. The same for a run and for its preview.
 */
export async function dividedAtKnownHorizon(
  request: ExportRequest,
  lake: Pick<Lake, 'directory'>,
  nowMs: number,
): Promise<ExportRequest> {
  const { retentionMs, oldestMs } = await readHorizon(lake);
  if (request.axis !== 'event' || retentionMs === null) return request;
  const points = [oldestMs, nowMs - retentionMs].filter((at) => at !== null);
  return { ...request, ranges: request.ranges.flatMap((wanted) => divided(wanted, points)) };
}

/** `dividedAtKnownHorizon` of a run: where it is known that the API forgets, it is looked at again once a day. */
export async function dividedAtHorizon(
  ends: ExportEndpoints,
  request: ExportRequest,
  services: RunServices,
): Promise<ExportRequest> {
  if (request.axis !== 'event' || (await readHorizon(ends.lake)).retentionMs === null) return request;
  await lookAtHorizon(ends, services);
  return dividedAtKnownHorizon(request, ends.lake, knownClocks(ends.source, services).nowMs);
}

/** A part has no known count. */
function divided(wanted: WantedRange, points: readonly number[]): readonly WantedRange[] {
  const { startMs, endMs } = wanted.range;
  const inside = points.filter((at) => startMs < at && at < endMs).sort((a, b) => a - b);
  if (inside.length === 0) return [wanted];
  return [startMs, ...inside].map((from, part) => ({ range: { startMs: from, endMs: inside[part] ?? endMs } }));
}

/** Why a window is no evidence; null where nothing speaks against it. */
export type Doubt = (fetched: FetchedWindow) => EdrlakeError | null;

/**
 * Doubts windows without events that reach beyond the horizon: there the API shows none, whether there were any or not.
 * What was proven while the API still answered for it stays proven.
 */
export async function doubtBeyondHorizon(run: RunContext): Promise<Doubt> {
  const { lake, request, source, services } = run;
  const { retentionMs } = await readHorizon(lake);
  if (retentionMs === null || request.axis !== 'event') return () => null;
  const fromMs = knownClocks(source, services).nowMs - retentionMs;
  const proven: readonly TimeRange[] = await lake.provenRanges('event', request.scope, SETTLE_LAG_MS);
  return ({ window, count, recordCount }) => {
    const { range } = window;
    if (count > 0 || recordCount > 0 || range.startMs >= fromMs || gapsIn(range, proven).length === 0) return null;
    return new EdrlakeError(
      'RESPONSE_UNEXPECTED',
      `the API shows no event, but it has been seen to forget: it answers for nothing before ${dayOf(fromMs)}`,
      {
        context: { windowId: window.id },
        hint: 'What happened before is not known any more. Leave out these days, or take them from another source.',
      },
    );
  };
}
