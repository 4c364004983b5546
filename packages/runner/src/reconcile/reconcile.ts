import { type Day, type EventSource, MS_PER_DAY, NO_FILTER, startOfDayMs, type TimeRange } from '@edrlake/core';
import type { DayCoverage, InspectedDay } from '@edrlake/lake';
import { exportRange } from '../export/export-flow.ts';
import type { ExportEndpoints, ExportOptions, ExportReport, RunServices, Services } from '../run/types.ts';
import { compareConfirmed } from './confirm-days.ts';
import { daysToTell, rangeOfDay } from './count-days.ts';
import { type DifferingRange, differingRanges } from './diff-ranges.ts';

/**
 * How a day stands between the API and the lake.
 * `match`: the lake holds at least what the API has now; `difference` says how many more, which retention has taken away there.
 * `late`: the API has more than when the day was fetched. `missing`: the lake holds fewer than the API had when it was fetched.
 * `rejected`: all of it is there, but too many of its records could not become rows. `duplicate`: an id is stored more than
 * once. `unverified`: the API has events of a day that was never fetched, or its count, by which nothing is missing, does not add
 * up with that of the days around.
 */
export type DayVerdict = 'match' | 'rejected' | 'late' | 'missing' | 'duplicate' | 'unverified';

/** One line of a comparison. */
export interface ReconciledDay {
  readonly day: Day;
  /** null: all types together. */
  readonly eventType: string | null;
  /** What the API counts now, without what it is known to count twice. */
  readonly inApi: number;
  /** What it counted when the day was fetched; null where it never was, and by type, because proofs know no types. */
  readonly whenFetched: number | null;
  /** Rows in the files' footers and rejects of the day. */
  readonly inLake: number;
  /** Different ids among the rows. */
  readonly distinctIds: number;
  readonly lostFiles: readonly string[];
  readonly verdict: DayVerdict;
  /** Events the lake lacks (negative) or has more of than the API. */
  readonly difference: number;
}

/** Which days to compare, and how finely. */
export interface ReconcileRequest {
  readonly range: TimeRange;
  readonly by: 'day' | 'type';
}

/**
 * Compares every day of a range: what the API counts now with the rows and ids that the data files hold now. Counters of our
 * own decide nothing. Days in order; with `by: 'type'` one line a day and type. Of more than ten years only days that hold
 * something, here or there. One request for any number of days where the platform has histograms (and one a type with `by:
 * 'type'`), else one for each day that holds something and one for each stretch between them; and one more where the API counts
 * nothing, or less than the lake holds, because no match may rest on one number that is too small. A stretch of days that the
 * API counts nothing in takes its first page as well, unless the lake knows the days to be empty.
 */
export async function reconcile(
  { source, lake }: Pick<ExportEndpoints, 'source' | 'lake'>,
  request: ReconcileRequest,
  services: Pick<Services, 'signal'>,
): Promise<readonly ReconciledDay[]> {
  const range = wholeDays(request.range);
  const inspected = await lake.inspectDays(range, request.by);
  const fetched = (await lake.coverage(range)).filter(({ scope }) => scope === 'all');
  const lines: ReconciledDay[] = [];
  for (const eventType of request.by === 'type' ? await typesOf(source, range, inspected, services.signal) : [null]) {
    const stored = new Map(inspected.filter((line) => line.eventType === eventType).map((line) => [line.day, line]));
    const compare = async (counts: ReadonlyMap<Day, number>): Promise<readonly ReconciledDay[]> => {
      const days = daysToTell(range, [...counts.keys(), ...stored.keys(), ...fetched.map(({ day }) => day)]);
      const twice = await lake.countedTwice(days.map(rangeOfDay), 'event', eventType);
      return days.map((day, position) => {
        const known = eventType === null ? (lineOn(fetched, day) ?? null) : null;
        const inApi = Math.max(0, (counts.get(day) ?? 0) - (twice[position] ?? 0));
        return judge(day, eventType, inApi, known, stored.get(day));
      });
    };
    const asked = { eventType, daysWithRows: [...stored.keys()] };
    lines.push(...(await compareConfirmed(source, range, asked, compare, services.signal)));
  }
  return lines.sort((a, b) => (a.day < b.day ? -1 : a.day > b.day ? 1 : 0));
}

function judge(
  day: Day,
  eventType: string | null,
  inApi: number,
  known: Pick<DayCoverage, 'counted' | 'undated' | 'verdict'> | null,
  stored: InspectedDay | undefined,
): ReconciledDay {
  const { rowCount = 0, rejectedCount = 0, distinctIds = 0, lostFiles = [] } = stored ?? {};
  const whenFetched = known?.counted ?? null;
  // Rejects whose time cannot be read are of no day in the files; the proofs put them on the first day of their window.
  const inLake = rowCount + rejectedCount + (known?.undated ?? 0);
  const difference = inLake - inApi;
  const verdict = (): DayVerdict => {
    if (distinctIds < rowCount) return 'duplicate';
    if (lostFiles.length > 0 || (whenFetched !== null && inLake < whenFetched)) return 'missing';
    if (difference >= 0) return known?.verdict === 'rejected' ? 'rejected' : 'match';
    return whenFetched === null && inLake === 0 ? 'unverified' : 'late';
  };
  return { day, eventType, inApi, whenFetched, inLake, distinctIds, lostFiles, verdict: verdict(), difference };
}

/** What the lake says of a day: a line of its own, or that of several days that hold nothing. @param lines oldest first */
function lineOn(lines: readonly DayCoverage[], day: Day): DayCoverage | undefined {
  let [low, high] = [0, lines.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((lines[middle]?.lastDay ?? '') < day) low = middle + 1;
    else high = middle;
  }
  const line = lines[low];
  return line !== undefined && line.day <= day ? line : undefined;
}

/** Types the API or the lake has in the range. */
async function typesOf(
  source: EventSource,
  range: TimeRange,
  inspected: readonly InspectedDay[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const query = { axis: 'event', range, cuts: [], scope: NO_FILTER } as const;
  const inApi = (await source.groups(query, 'type', 100, signal)).map(({ value }) => value);
  const inLake = inspected.map(({ eventType }) => eventType).filter((type) => type !== null);
  return [...new Set([...inApi, ...inLake])].sort();
}

/** How days stand together: a `mismatch` needs mending; what is only `rejected` is all there, but cannot be read. */
export function agreementOf(days: readonly ReconciledDay[]): 'match' | 'mismatch' | 'rejected' {
  if (days.some(({ verdict }) => verdict !== 'match' && verdict !== 'rejected')) return 'mismatch';
  return days.some(({ verdict }) => verdict === 'rejected') ? 'rejected' : 'match';
}

/** What a repair did. */
export interface RepairReport {
  /** Stretches that differed and were fetched again, oldest first. */
  readonly stretches: readonly TimeRange[];
  readonly forgottenFiles: readonly string[];
  /** Rows that went because their event was stored more than once. */
  readonly removedRows: number;
  /** null where nothing differed. */
  readonly exported: ExportReport | null;
}

/**
 * Mends the days that do not match: forgets data files that are gone, finds the stretches of each day in which the API and
 * the lake differ, and fetches only those. Of an event that is stored more than once the newest copy stays. Stored events that
 * the API no longer returns stay.
 */
export async function repair(
  ends: ExportEndpoints,
  days: readonly ReconciledDay[],
  options: ExportOptions,
  services: RunServices,
): Promise<RepairReport> {
  const { source, lake } = ends;
  const broken = days.filter(({ verdict }) => !['match', 'rejected'].includes(verdict));
  const lostFiles = broken.flatMap((day) => day.lostFiles);
  const forgottenFiles = lostFiles.length > 0 ? await lake.forgetLostFiles(services.newRunId, lostFiles) : [];
  const removedRows = await removeCopies(lake, broken, services.newRunId);
  const stretches: DifferingRange[] = [];
  for (const range of joinDays(broken.map(({ day }) => day))) {
    stretches.push(...(await differingRanges(source, lake, { axis: 'event', range, scope: NO_FILTER }, services)));
  }
  const ranges = stretches.map(({ range }) => range);
  if (stretches.length === 0) return { stretches: ranges, forgottenFiles, removedRows, exported: null };
  const wanted = stretches.map(({ range, inApi }) => ({ range, knownCount: inApi }));
  const exported = await exportRange(ends, { axis: 'event', ranges: wanted, scope: NO_FILTER }, options, services);
  return { stretches: ranges, forgottenFiles, removedRows, exported };
}

async function removeCopies(
  lake: ExportEndpoints['lake'],
  days: readonly ReconciledDay[],
  runId: string,
): Promise<number> {
  const ranges = joinDays(days.filter(({ verdict }) => verdict === 'duplicate').map(({ day }) => day));
  const [first, last] = [ranges[0], ranges.at(-1)];
  if (first === undefined || last === undefined) return 0;
  return (await lake.deduplicate(runId, { startMs: first.startMs, endMs: last.endMs })).removedRows;
}

function wholeDays({ startMs, endMs }: TimeRange): TimeRange {
  return {
    startMs: Math.floor(startMs / MS_PER_DAY) * MS_PER_DAY,
    endMs: Math.ceil(endMs / MS_PER_DAY) * MS_PER_DAY,
  };
}

/** Days as ranges, those that follow each other as one. */
function joinDays(days: readonly Day[]): TimeRange[] {
  const ranges: TimeRange[] = [];
  for (const day of [...new Set(days)].sort()) {
    const startMs = startOfDayMs(day);
    const last = ranges.at(-1);
    if (last?.endMs === startMs) ranges[ranges.length - 1] = { startMs: last.startMs, endMs: startMs + MS_PER_DAY };
    else ranges.push({ startMs, endMs: startMs + MS_PER_DAY });
  }
  return ranges;
}
