import { join } from 'node:path';
import { type Deprecation, NO_FILTER, SETTLE_LAG_MS, sum } from '@edrlake/core';
import {
  type DayCoverage,
  type HuntState,
  type IndexState,
  isOfLostHistory,
  type Lake,
  type ListState,
  type LogPoint,
  type LoggedFile,
  lookAtLeases,
  type ObjectCosts,
  type PublicationState,
  type RejectReason,
} from '@edrlake/lake';
import { remainingRequests } from '../connect/limiter-folder.ts';
import { type Calendar, calendarOf } from '../days/calendar.ts';
import { lostDays } from '../days/gate.ts';
import { type Horizon, readHorizon } from '../horizon/learned-horizon.ts';
import { lastReconciliations } from '../reconcile/last-results.ts';
import { followedUpTo, syncedRange } from '../sync/watermark.ts';
import type { QuietReport } from '../volume/find-quiet.ts';
import { readQuiet } from '../volume/learned-volume.ts';
import type { RunLook } from '../workflow/state/run-state.ts';
import { lastDeprecation } from './request-history.ts';
import { lastRun } from './run-history.ts';
import type { RunSummary } from './run-report.ts';

/** One table's data files. */
export interface TableStatus {
  readonly table: string;
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
}

/** What a lake holds and how far it is proven. */
export interface LakeStatus {
  readonly directory: string;
  readonly version: number;
  readonly committedAtMs: number | null;
  readonly tables: readonly TableStatus[];
  /** Oldest first, one line for each day and scope, or for days that hold nothing and were proven together. */
  readonly days: readonly DayCoverage[];
  readonly calendar: Calendar;
  /** Records that the API lists more than once, which are stored once. */
  readonly listedTwice: number;
  /** Data files that are gone or cut; their days are not complete. */
  readonly lostFiles: readonly string[];
  /** Why records became rejects that the lake keeps, the most frequent reason first. */
  readonly rejects: readonly RejectReason[];
  /** When the newest event happened; null without events, or where their file is gone. */
  readonly newestEventAtMs: number | null;
  /** Up to where the lake was synced, by processing time or else by event time; null before the first sync. */
  readonly watermarkMs: number | null;
  /**
   * Everything before it is proven: the watermark, or the end of the last complete day where the sync has proven
   * nothing. null where nothing is.
   */
  readonly freshUntilMs: number | null;
  readonly lastRun: RunSummary | null;
  /** How far back the API answers, as far as the lake has learned it. */
  readonly horizon: Horizon;
  /** How far the tables in other table formats are; empty where none were published in the lake. */
  readonly publications: readonly PublicationState[];
  /** The index that hunts use, and how many data files it is about; null: there is none. */
  readonly valueIndex: IndexState | null;
  /** The lists that are always hunted; null: there are none. */
  readonly standingHunts: StandingStatus | null;
  /** What is below the volume that the lake has led to expect; null where that was never learned. */
  readonly quiet: QuietReport | null;
  /** What the last commit and the last run cost in an object store; null for a lake on a disk, and before the first. */
  readonly objectStore: ObjectCosts | null;
  /** Requests that may be made now with the account that was used last; null where none was ever made for this lake. */
  readonly budget: RequestLimitStatus | null;
  /** What the API said last about the end of an endpoint that is asked for this lake; null: nothing. */
  readonly deprecation: Deprecation | null;
}

/** How far standing hunts have come, and what they have found. */
export interface StandingStatus extends Pick<HuntState, 'version' | 'pending'> {
  /** Whether the log does not have that version: an older log was restored since. */
  readonly isOfLostHistory: boolean;
  /** By name. */
  readonly lists: readonly (Pick<ListState, 'name' | 'matches' | 'hosts' | 'foundAtMs'> & {
    readonly indicators: number;
  })[];
  readonly matches: number;
}

/** What is left of the requests that an account may make. */
export interface RequestLimitStatus {
  readonly requestsLeft: number;
  readonly requests: number;
  readonly windowSeconds: number;
}

/**
 * Reads the log, the journals, the account of requests and the newest events. Changes nothing.
 * @param about the user's own limit of requests, now, and whom to ask for runs whose state an engine keeps
 */
export async function readLakeStatus(
  lake: Lake,
  about: { readonly userLimit: Parameters<typeof remainingRequests>[1]; readonly nowMs: number } & Pick<
    RunLook,
    'askEngine'
  >,
): Promise<LakeStatus> {
  const snapshot = await lake.snapshot();
  const days = await lake.coverage();
  const comparisons = await lastReconciliations(lake);
  const { nowMs } = about;
  const processed = await syncedRange(lake, 'processed', NO_FILTER, nowMs);
  const byEvent = await syncedRange(lake, 'event', NO_FILTER, nowMs);
  const settled = await syncedRange(lake, 'processed', NO_FILTER, nowMs, SETTLE_LAG_MS);
  const followed = followedUpTo(settled) === null ? null : settled;
  const lostFiles = days.some(({ verdict }) => verdict === 'mismatched') ? await lake.lostFiles() : [];
  const calendar = calendarOf({ lines: days, comparisons, lost: lostDays(lostFiles), followed, nowMs });
  const budget = await remainingRequests(lake.directory, about.userLimit, nowMs);
  const { askEngine } = about;
  const look = { ...(await lookAtLeases(lake.directory, nowMs)), ...(askEngine && { askEngine }) };
  return {
    directory: lake.address,
    version: snapshot.version,
    committedAtMs: snapshot.committedAtMs,
    tables: Object.entries(snapshot.files).map(([table, files]) => tableStatus(table, files)),
    days,
    calendar,
    listedTwice: await lake.listedTwice(),
    lostFiles,
    rejects: await lake.rejectReasons(),
    newestEventAtMs: await lake.newestEventMs(),
    watermarkMs: processed?.endMs ?? byEvent?.endMs ?? null,
    freshUntilMs: followedUpTo(processed) ?? followedUpTo(byEvent) ?? endOfCompleteDays(calendar),
    lastRun: await lastRun(join(lake.directory, '_runs'), look),
    horizon: await readHorizon(lake),
    publications: await lake.publications(),
    valueIndex: await lake.valueIndex(),
    standingHunts: await standingStatus(lake, snapshot),
    quiet: await readQuiet(lake, { snapshot, lines: days, followedUntilMs: settled?.endMs ?? null, nowMs }),
    objectStore: await lake.objectCosts(),
    budget: budget === null ? null : { requestsLeft: budget.requestsLeft, ...budget.limit },
    deprecation: await lastDeprecation(lake.directory, nowMs),
  };
}

function endOfCompleteDays({ spans }: Calendar): number | null {
  return spans.findLast(({ state }) => state === 'complete')?.endMs ?? null;
}

function tableStatus(table: string, files: readonly LoggedFile[]): TableStatus {
  return {
    table,
    rows: sum(files, ({ rowCount }) => rowCount),
    files: files.length,
    bytes: sum(files, ({ fileBytes }) => fileBytes),
  };
}

/** Reads one document of the lake. @returns null where no list is hunted */
async function standingStatus(lake: Pick<Lake, 'standingHunts'>, snapshot: LogPoint): Promise<StandingStatus | null> {
  const state = await lake.standingHunts();
  if (state === null || state.lists.length === 0) return null;
  const lists = state.lists.map(({ name, indicators, matches, hosts, foundAtMs }) => ({
    ...{ name, indicators: indicators.length, matches, hosts, foundAtMs },
  }));
  const matches = sum(lists, (list) => list.matches);
  const { version, pending } = state;
  return { version, pending, isOfLostHistory: isOfLostHistory(snapshot, state), lists, matches };
}
