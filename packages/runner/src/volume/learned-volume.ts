import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Day,
  dayOf,
  MS_PER_DAY,
  MS_PER_HOUR,
  makeFolder,
  NO_FILTER,
  SETTLE_LAG_MS,
  startOfDayMs,
  sum,
  writeAtomic,
} from '@edrlake/core';
import { type DayCoverage, type Lake, provenDaysOf, type Snapshot, scopeText } from '@edrlake/lake';
import { findQuiet, JUDGED_DAYS, LEARNED_WEEKS, type QuietReport } from './find-quiet.ts';
import { eventsOf, HOURS, type SourceHours } from './hourly-volume.ts';

const FILE = '_runs/volume.json';

/** Days that are kept: those that are judged, and the weeks before the oldest of them. */
const KEPT_DAYS = LEARNED_WEEKS * 7 + JUDGED_DAYS;

/** Rows of the one query that counts; a lake with more kinds of events is not judged. */
const MOST_ROWS = 200_000;

/** Events are processed some time after they happened: the last hours before the watermark are not whole yet. */
const STILL_ARRIVING_MS = 2 * MS_PER_HOUR;

/** What was counted, and what was reported of it. Derived: without the file it is counted again. */
interface LearnedVolume {
  readonly days: ReadonlyMap<Day, LearnedDay>;
  /** When a finding was reported first, by its key. */
  readonly reported: Readonly<Record<string, number>>;
}

interface LearnedDay {
  /** Rows of the day then: another number means that it is to be counted again. */
  readonly rows: number;
  readonly sources: readonly SourceHours[];
}

/** As it is on disk. */
interface StoredVolume {
  readonly days: Readonly<
    Record<Day, { readonly rows: number; readonly sources: readonly (readonly [string, string, readonly number[]])[] }>
  >;
  readonly reported: Readonly<Record<string, number>>;
}

/** null without the file, or if it cannot be understood. */
async function readLearned({ directory }: Pick<Lake, 'directory'>): Promise<LearnedVolume | null> {
  const text = await readFile(join(directory, FILE), 'utf8').catch(() => 'null');
  try {
    const { days, reported } = JSON.parse(text) as StoredVolume;
    const read = Object.entries(days).map(([day, { rows, sources }]): [Day, LearnedDay] => {
      return [day, { rows, sources: sources.map(([type, platform, hours]) => ({ type, platform, hours })) }];
    });
    // Damage is found by the sum: hours that are no numbers, or other ones, are not the rows of the day.
    const whole = read.filter(([, { rows, sources }]) => eventsIn(sources) === rows);
    return { days: new Map(whole), reported: { ...reported } };
  } catch {
    return null;
  }
}

function eventsIn(sources: readonly SourceHours[]): number {
  return sum(sources, ({ hours }) => eventsOf(hours));
}

async function writeLearned(
  { directory }: Pick<Lake, 'directory'>,
  { days, reported }: LearnedVolume,
  uniqueName: string,
): Promise<void> {
  const stored: StoredVolume = {
    days: Object.fromEntries(
      [...days].map(([day, { rows, sources }]) => [
        day,
        { rows, sources: sources.map(({ type, platform, hours }) => [type, platform, hours] as const) },
      ]),
    ),
    reported,
  };
  const path = join(directory, FILE);
  await makeFolder(join(directory, '_runs'));
  await writeAtomic(path, JSON.stringify(stored), { temporary: `${path}.${uniqueName}.part`, syncs: 'nothing' });
}

/**
 * Counts the events of the last nine weeks by hour, type and platform, as far as the days have changed since they were
 * counted: one query over two or three columns of these days, and nothing where no day has changed.
 * @throws {EdrlakeError} as a query
 */
export async function learnVolume(
  lake: Lake,
  { nowMs, signal, uniqueName }: { readonly nowMs: number; readonly signal: AbortSignal; readonly uniqueName: string },
): Promise<void> {
  const learned = await readLearned(lake);
  const wanted = recentRows(await lake.snapshot(), nowMs);
  const changed = [...wanted].filter(([day, rows]) => learned?.days.get(day)?.rows !== rows);
  const isSame = learned !== null && changed.length === 0 && learned.days.size === wanted.size;
  if (isSame) return;
  const counted = await countByHour(
    lake,
    changed.map(([day]) => day),
    signal,
  );
  const days = new Map<Day, LearnedDay>();
  for (const [day, rows] of wanted) {
    const before = learned?.days.get(day);
    const sources = before?.rows === rows ? before.sources : (counted.get(day) ?? []);
    // A commit came between: the next time counts it.
    if (eventsIn(sources) === rows) days.set(day, { rows, sources });
  }
  await writeLearned(lake, { days, reported: learned?.reported ?? {} }, uniqueName);
}

/** Rows of the days from nine weeks before the newest one, which is today at the latest. */
function recentRows({ files }: Pick<Snapshot, 'files'>, nowMs: number): ReadonlyMap<Day, number> {
  const rows = new Map<Day, number>();
  for (const { partition, rowCount } of files.events ?? []) {
    const day = partition.slice(partition.indexOf('=') + 1);
    if (day <= dayOf(nowMs)) rows.set(day, (rows.get(day) ?? 0) + rowCount);
  }
  const newest = [...rows.keys()].sort().at(-1);
  if (newest === undefined) return rows;
  const first = dayOf(startOfDayMs(newest) - KEPT_DAYS * MS_PER_DAY);
  return new Map([...rows].filter(([day]) => day >= first).sort());
}

async function countByHour(
  lake: Lake,
  days: readonly Day[],
  signal: AbortSignal,
): Promise<ReadonlyMap<Day, readonly SourceHours[]>> {
  const sources = new Map<Day, Map<string, SourceHours & { readonly hours: number[] }>>();
  if (days.length === 0) return new Map();
  const columns = lake.dataset.tables.find(({ name }) => name === 'events')?.columns.map(({ name }) => name) ?? [];
  const text = (name: string) => (columns.includes(name) ? `coalesce(${name}, '')` : "''");
  const list = days.map((day) => `DATE '${day}'`).join(', ');
  const { rows } = await lake.query(
    `SELECT event_date::VARCHAR AS day, hour(event_time) AS hour, ${text('event_type')} AS type, ` +
      `${text('platform')} AS platform, count(*) AS events FROM events WHERE event_date IN (${list}) ` +
      `GROUP BY ALL LIMIT ${MOST_ROWS}`,
    { signal },
  );
  for await (const chunk of rows) {
    for (const [day, hour, type, platform, events] of chunk) {
      const ofDay = sources.get(String(day)) ?? new Map<string, SourceHours & { readonly hours: number[] }>();
      sources.set(String(day), ofDay);
      const key = JSON.stringify([type, platform]);
      const source = ofDay.get(key) ?? {
        ...{ type: String(type), platform: String(platform), hours: new Array<number>(HOURS).fill(0) },
      };
      ofDay.set(key, source);
      source.hours[Number(hour)] = Number(events);
    }
  }
  return new Map([...sources].map(([day, ofDay]) => [day, [...ofDay.values()]]));
}

/** What is known of a lake besides its volume. */
export interface ProvenVolume {
  readonly snapshot: Pick<Snapshot, 'files'>;
  readonly lines: readonly DayCoverage[];
  /** Up to where the lake was synced by processing time, as far as it had settled; null where it was not. */
  readonly followedUntilMs: number | null;
  readonly nowMs: number;
}

/**
 * What is quiet in a lake, from the volume that was learned last: the proven days alone, and behind them the hours of
 * the day to which a sync has come. Reads one file. null where nothing was learned.
 */
export async function readQuiet(lake: Lake, about: ProvenVolume): Promise<QuietReport | null> {
  const learned = await readLearned(lake);
  return learned === null ? null : quietIn(lake, learned, about);
}

async function quietIn(lake: Lake, learned: LearnedVolume, about: ProvenVolume): Promise<QuietReport> {
  const { snapshot, lines, followedUntilMs, nowMs } = about;
  const current = recentRows(snapshot, nowMs);
  const ofAll = lines.filter(({ scope }) => scope === scopeText(NO_FILTER));
  const proven = provenDaysOf(ofAll, await lake.provenRanges('processed', NO_FILTER, SETTLE_LAG_MS), nowMs);
  const provenUntilMs = proven.at(-1)?.endMs ?? 0;
  const arrivedMs = followedUntilMs === null ? 0 : Math.min(followedUntilMs, nowMs) - STILL_ARRIVING_MS;
  const tailMs = Math.floor(arrivedMs / MS_PER_HOUR) * MS_PER_HOUR;
  const isTail = (dayMs: number) => dayMs === provenUntilMs && tailMs > provenUntilMs;
  const volume = new Map<Day, readonly SourceHours[]>();
  for (let ms = provenUntilMs - KEPT_DAYS * MS_PER_DAY; ms <= provenUntilMs; ms += MS_PER_DAY) {
    const day = dayOf(ms);
    const isProven = proven.some(({ startMs, endMs }) => startMs <= ms && ms < endMs);
    const { rows, sources } = learned.days.get(day) ?? { rows: 0, sources: [] };
    // A day that has changed since is unknown until it is counted again.
    if ((isProven || isTail(ms)) && rows === (current.get(day) ?? 0)) volume.set(day, sources);
  }
  const isTailKnown = volume.has(dayOf(provenUntilMs));
  return findQuiet(volume, isTailKnown ? Math.min(tailMs, provenUntilMs + MS_PER_DAY) : provenUntilMs);
}

/** A finding as text that says whether it was reported before. */
function findingKey(finding: QuietReport['findings'][number]): string {
  const { kind, source } = finding;
  return JSON.stringify([kind, kind === 'low' ? finding.day : null, source.type, source.platform]);
}

/** The findings that were not reported yet. A silence that ended is reported again when it comes back. */
export async function unreported(
  lake: Pick<Lake, 'directory'>,
  { findings }: QuietReport,
): Promise<QuietReport['findings']> {
  const { reported = {} } = (await readLearned(lake)) ?? {};
  return findings.filter((finding) => reported[findingKey(finding)] === undefined);
}

/** Notes that all findings of a report have been reported, and forgets those that are over. */
export async function markReported(
  lake: Pick<Lake, 'directory'>,
  { findings }: QuietReport,
  atMs: number,
  uniqueName: string,
): Promise<void> {
  const learned = await readLearned(lake);
  if (learned === null) return;
  const reported = Object.fromEntries(
    findings.map((finding) => [findingKey(finding), learned.reported[findingKey(finding)] ?? atMs]),
  );
  await writeLearned(lake, { ...learned, reported }, uniqueName);
}
