import type { Day } from '@edrlake/core';
import type { ExportEndpoints, ExportOptions, RunServices } from '../run/types.ts';
import { joinDays, type ReconciledDay, type RepairReport, repair } from './reconcile.ts';
import { reconcileAndRemember } from './reconcile-and-remember.ts';
import { RECOUNT_REQUESTS, recountSealedDays } from './recount.ts';

/** The most days between two days to repair that are compared as well: a request compares all of them. */
export const GAP_COMPARED_DAYS = 7;

/** What became of days that a recount has refuted. */
export interface RecountedRepair {
  readonly repair: RepairReport;
  /** Complete again, oldest first. */
  readonly settled: readonly Day[];
  /** Still refuted, oldest first. */
  readonly open: readonly Day[];
}

/**
 * Fetches what differs of days that a recount has refuted, and counts them again.
 * @param newServices each call gives services with a new run id
 * @throws {EdrlakeError} as `repair`
 */
export async function repairRecounted(
  ends: ExportEndpoints,
  days: readonly Day[],
  options: ExportOptions,
  newServices: () => RunServices,
): Promise<RecountedRepair> {
  const ranges = joinDays(days, GAP_COMPARED_DAYS);
  const services = newServices();
  const lines = await reconcileAndRemember(ends, { ranges, by: 'day' }, services, services.newRunId);
  const repaired = await repair(ends, lines, options, services);
  return { repair: repaired, ...(await settleRecounted(ends, days, newServices)) };
}

/** Counts those of some days again that a recount has refuted. Without a request where there is none. */
export async function settleRecounted(
  ends: ExportEndpoints,
  days: readonly Day[],
  newServices: () => RunServices,
): Promise<Pick<RecountedRepair, 'settled' | 'open'>> {
  const before = await refutedAmong(ends, days);
  for (const within of joinDays(before, GAP_COMPARED_DAYS)) {
    await recountSealedDays(ends, { within, maxRequests: RECOUNT_REQUESTS, onlyRefuted: true }, newServices());
  }
  const open = await refutedAmong(ends, days);
  return { settled: [...new Set(days)].filter((day) => !open.includes(day)).sort(), open };
}

/**
 * Takes the proof from proven days that a comparison found late, where a count of their own says so too: what the log
 * calls proven must not be what is known to lack events. At most `RECOUNT_REQUESTS` requests for days that are near
 * each other; a day for which they do not suffice keeps its proof until the next recount. None where no day is proven.
 * @param days as they were compared; others than late ones, and what is refuted already, are left alone
 */
export async function refuteLate(
  ends: ExportEndpoints,
  days: readonly ReconciledDay[],
  newServices: () => RunServices,
): Promise<void> {
  const late = days.filter(({ verdict }) => verdict === 'late').map(({ day }) => day);
  const refuted = new Set(await refutedAmong(ends, late));
  const doubted = new Set(late.filter((day) => !refuted.has(day)));
  for (const within of joinDays([...doubted], GAP_COMPARED_DAYS)) {
    await recountSealedDays(ends, { within, maxRequests: RECOUNT_REQUESTS, doubted }, newServices());
  }
}

async function refutedAmong({ lake }: ExportEndpoints, days: readonly Day[]): Promise<readonly Day[]> {
  const asked = new Set(days);
  const { recounts } = await lake.snapshot();
  return recounts
    .filter(({ day, counted, held }) => counted > held && asked.has(day))
    .map(({ day }) => day)
    .sort();
}
