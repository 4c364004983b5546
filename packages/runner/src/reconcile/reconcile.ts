import {
  type Day,
  type EventSource,
  intersect,
  MS_PER_DAY,
  NO_FILTER,
  rangeOfDays,
  startOfDayMs,
  type TimeRange,
  wholeDaysOf,
} from '@edrlake/core';
import type { DayCoverage, InspectedDay } from '@edrlake/lake';
import { hasLostData } from '../doubt/doubt-zeros.ts';
import { exportRange } from '../export/export-flow.ts';
import type { ExportEndpoints, ExportOptions, ExportReport, RunServices, Services, WantedRange } from '../run/types.ts';
import { compareConfirmed } from './confirm-days.ts';
import { daysToList } from './count-days.ts';
import { type DifferingRange, differingRanges } from './diff-ranges.ts';

/**
 * Status of a day in a comparison of the API with the lake.
 * - `match`: the lake holds at least what the API has now. `difference` is the surplus, which retention has removed
 * there.
 * - `late`: the API has more than when the day was fetched.
 * - `missing`: the lake holds fewer than the API had when the day was fetched, or has lost events that are not back.
 * - `rejected`: all records are there, but too many could not become rows.
 * - `duplicate`: an id is stored more than once.
 * - `unverified`: the API has events of a day that was never fetched, or its count does not add up with those of the
 * neighbouring days; or, of a type with equal numbers, the day has lost events of types that are not known.
 */
export type DayVerdict = 'match' | 'rejected' | 'late' | 'missing' | 'duplicate' | 'unverified';

/** One line of a comparison. */
export interface ReconciledDay {
  readonly day: Day;
  /** null: all types together. */
  readonly eventType: string | null;
  /** What the API counts now, without known duplicates of its counting. */
  readonly inApi: number;
  /** Those duplicates: records of the day whose event is stored once, as another record or under another time. */
  readonly countedTwice: number;
  /** The count when the day was fetched. null if it never was, and by type, because proofs have no types. */
  readonly whenFetched: number | null;
  /** Rows in the footers of the files, and rejects of the day. */
  readonly inLake: number;
  /** Distinct ids among the rows. */
  readonly distinctIds: number;
  readonly lostFiles: readonly string[];
  /** Only by type: the day holds fewer events than it once did, and of which types is not known. */
  readonly lossOfDay?: true;
  readonly verdict: DayVerdict;
  /** Events of the lake minus events of the API. */
  readonly difference: number;
}

/** Which days to compare, and how finely. */
export interface ReconcileRequest {
  readonly range: TimeRange;
  readonly by: 'day' | 'type';
}

/**
 * Compares every day of a range: what the API counts now, and the rows and ids that the data files hold now. Stored
 * counters decide nothing. Days in order; with `by: 'type'` one line for each day and type. Of more than ten years,
 * only days with events or rows.
 *
 * Costs one request for any number of days with histograms (with `by: 'type'` one for each type). Without them, one for
 * each day with rows and one for each range between. No match may rest on a single number that is too small, so there
 * is one request more for days that the API counts as empty, or lower than the lake. A range that the API counts as
 * empty takes its first page too, unless the lake knows its days to be empty; where no day has an event, one more count
 * shows whether the API counts any at all.
 */
export async function reconcile(
  { source, lake }: Pick<ExportEndpoints, 'source' | 'lake'>,
  request: ReconcileRequest,
  services: Pick<Services, 'clock' | 'signal'>,
): Promise<readonly ReconciledDay[]> {
  const range = wholeDaysOf(request.range);
  const inspected = await lake.inspectDays(range, request.by);
  const fetched = (await lake.coverage(range)).filter(({ scope }) => scope === 'all');
  const lossDays = new Set((await lake.snapshot()).losses.map(({ day }) => day));
  const heldOn = recordsByDay(inspected);
  const lines: ReconciledDay[] = [];
  for (const eventType of request.by === 'type' ? await typesOf(source, range, inspected, services.signal) : [null]) {
    const stored = new Map(inspected.filter((line) => line.eventType === eventType).map((line) => [line.day, line]));
    const compare = async (counts: ReadonlyMap<Day, number>): Promise<readonly ReconciledDay[]> => {
      const days = daysToList(range, [...counts.keys(), ...stored.keys(), ...fetched.map(({ day }) => day)]);
      const twice = await lake.countedTwice(
        days.map((day) => rangeOfDays(day)),
        'event',
        eventType,
      );
      return days.map((day, position) => {
        const known = lineOn(fetched, day) ?? null;
        const hasLoss = lossDays.has(day) || (eventType !== null && isShort(heldOn.get(day) ?? 0, known));
        const counted = counts.get(day) ?? 0;
        const countedTwice = Math.min(counted, twice[position] ?? 0);
        return judge(
          { day, eventType, inApi: counted - countedTwice, countedTwice },
          { known, hasLoss },
          stored.get(day),
        );
      });
    };
    const asked = { eventType, daysWithRows: [...stored.keys()] };
    const isLost = () => hasLostData({ source, lake }, services);
    lines.push(...(await compareConfirmed(source, range, asked, compare, isLost, services.signal)));
  }
  return lines.sort((a, b) => (a.day < b.day ? -1 : a.day > b.day ? 1 : 0));
}

function judge(
  counted: Pick<ReconciledDay, 'day' | 'eventType' | 'inApi' | 'countedTwice'>,
  about: {
    readonly known: Pick<DayCoverage, 'counted' | 'undated' | 'verdict'> | null;
    /** Whether rows of the day were lost and have not come back: as many others do not stand in for them. */
    readonly hasLoss: boolean;
  },
  stored: InspectedDay | undefined,
): ReconciledDay {
  const { known, hasLoss } = about;
  const isOfType = counted.eventType !== null;
  const { rowCount = 0, rejectedCount = 0, distinctIds = 0, lostFiles = [] } = stored ?? {};
  // Proofs have no types.
  const whenFetched = isOfType ? null : (known?.counted ?? null);
  // A reject without a readable time has no day in the files; its proof counts it on the first day of its window.
  const inLake = rowCount + rejectedCount + (isOfType ? 0 : (known?.undated ?? 0));
  const difference = inLake - counted.inApi;
  const verdict = (): DayVerdict => {
    if (distinctIds < rowCount) return 'duplicate';
    if (lostFiles.length > 0 || (whenFetched !== null && inLake < whenFetched)) return 'missing';
    // Equal numbers of a type do not show that the day has lost no event of it.
    if (hasLoss) return isOfType && difference >= 0 ? 'unverified' : 'missing';
    const isRejected = known?.verdict === 'rejected' && (!isOfType || rejectedCount > 0);
    if (difference >= 0) return isRejected ? 'rejected' : 'match';
    return whenFetched === null && inLake === 0 ? 'unverified' : 'late';
  };
  const found = { ...counted, whenFetched, inLake, distinctIds, lostFiles, verdict: verdict(), difference };
  return isOfType && hasLoss ? { ...found, lossOfDay: true } : found;
}

/** Whether a day holds fewer records of all types together than were counted when it was fetched. */
function isShort(held: number, known: DayCoverage | null): boolean {
  return known !== null && known.counted !== null && held + known.undated < known.counted;
}

/** Rows and rejects of each day, of all types together. */
function recordsByDay(inspected: readonly InspectedDay[]): ReadonlyMap<Day, number> {
  const held = new Map<Day, number>();
  for (const { day, rowCount, rejectedCount } of inspected) {
    held.set(day, (held.get(day) ?? 0) + rowCount + rejectedCount);
  }
  return held;
}

/**
 * The coverage of a day: its own line, or the line of several empty days.
 * @param lines oldest first
 */
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

/** Types that the API or the lake has in the range. */
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

/**
 * The result of all days: `mismatch` needs a repair; with `rejected` everything is there, but some records cannot be
 * read.
 */
export function agreementOf(days: readonly ReconciledDay[]): 'match' | 'mismatch' | 'rejected' {
  if (days.some(({ verdict }) => verdict !== 'match' && verdict !== 'rejected')) return 'mismatch';
  return days.some(({ verdict }) => verdict === 'rejected') ? 'rejected' : 'match';
}

/** What a repair did. */
export interface RepairReport {
  /** Ranges that differed and were fetched again, oldest first. */
  readonly ranges: readonly TimeRange[];
  readonly forgottenFiles: readonly string[];
  /** Rows that were removed because their event was stored more than once. */
  readonly removedRows: number;
  /** null if nothing differed. */
  readonly exported: ExportReport | null;
}

/**
 * Repairs the days that do not match: drops missing data files from the log, finds the ranges in which the API and the
 * lake differ, and fetches only those. A day that holds less than when it was fetched, and all that the API has now, is
 * fetched as a whole: only a new proof can say so. Of an event that is stored more than once, the newest copy stays.
 * Stored events that the API no longer returns stay.
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
  const differing: DifferingRange[] = [];
  for (const range of joinDays(broken.map(({ day }) => day))) {
    differing.push(...(await differingRanges(source, lake, { axis: 'event', range, scope: NO_FILTER }, services)));
  }
  const counted = differing.map(({ range, inApi }) => ({ range, knownCount: inApi }));
  const wanted = [...counted, ...fetchedAgain(broken, differing)].sort((a, b) => a.range.startMs - b.range.startMs);
  const ranges = wanted.map(({ range }) => range);
  if (wanted.length === 0) return { ranges, forgottenFiles, removedRows, exported: null };
  const exported = await exportRange(ends, { axis: 'event', ranges: wanted, scope: NO_FILTER }, options, services);
  return { ranges, forgottenFiles, removedRows, exported };
}

/** Days of which rows are missing although the API has no more than the lake. */
function fetchedAgain(days: readonly ReconciledDay[], differing: readonly DifferingRange[]): WantedRange[] {
  const missing = days.filter(({ verdict }) => verdict === 'missing').map(({ day }) => rangeOfDays(day));
  const equal = missing.filter((day) => differing.every(({ range }) => intersect(range, day) === null));
  return equal.map((range) => ({ range }));
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

/**
 * Days as ranges; neighbouring days are one range.
 * @param maxGapDays the most days between two of them that still make one range: fewer requests compare it
 */
export function joinDays(days: readonly Day[], maxGapDays = 0): TimeRange[] {
  const ranges: TimeRange[] = [];
  for (const day of [...new Set(days)].sort()) {
    const startMs = startOfDayMs(day);
    const last = ranges.at(-1);
    if (last !== undefined && startMs - last.endMs <= maxGapDays * MS_PER_DAY)
      ranges[ranges.length - 1] = { startMs: last.startMs, endMs: startMs + MS_PER_DAY };
    else ranges.push({ startMs, endMs: startMs + MS_PER_DAY });
  }
  return ranges;
}
