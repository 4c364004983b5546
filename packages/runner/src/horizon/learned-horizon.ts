import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MS_PER_DAY, MS_PER_HOUR, makeFolder, NO_FILTER, sum, writeAtomic } from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import { brokenAnswer } from '@edrlake/pager';
import { readClocks } from '../run/read-clocks.ts';
import type { ExportEndpoints, RunServices } from '../run/types.ts';
import { type HorizonObservation, KEPT_OBSERVATIONS, oldestOf, retentionOf } from './retention.ts';

const FILE = '_runs/horizon.json';

/** What a look costs at most, without a login. */
export const HORIZON_REQUESTS = 2;

/** Between two looks; nightly runs do not begin to the minute. */
const LOOK_AFTER_MS = 20 * MS_PER_HOUR;

/**
 * Between two looks at a source that has never shown an event, for a lake without one: there is nothing yet that it
 * could forget.
 */
const LOOK_AFTER_NOTHING_MS = 7 * MS_PER_DAY;

/** Days of the one histogram. An event with an older time has a wrong clock, and would hide that the horizon moves. */
const LOOK_BACK_DAYS = 1_100;

/** Requests of runs with a limit, from which the next ones are expected. */
const KEPT_SPENDINGS = 14;

/** What a run with a limit had to spend. */
interface Spending {
  readonly atMs: number;
  readonly requests: number;
}

/** As it is on disk. Only looks at one source: another account may have another retention. */
interface StoredHorizon {
  readonly source: string;
  readonly observations: readonly HorizonObservation[];
  readonly spent: readonly Spending[];
  /** When the newest look was that found no event; absent: the newest one found some, or there was none. */
  readonly emptyAtMs?: number;
}

/** What a lake has learned about how far back the API answers. */
export interface Horizon {
  /** How long after an event the API still answers for it; null: not known. */
  readonly retentionMs: number | null;
  /** Where the oldest hour with events began at the last look; null: there was none. */
  readonly oldestMs: number | null;
  /** When it was looked at last; null: never. */
  readonly lookedAtMs: number | null;
}

const NOTHING: StoredHorizon = { source: '', observations: [], spent: [] };

/** Reads what is known. A file that is damaged, or of another form, is as none: it is learned again. */
export async function readHorizon(lake: Pick<Lake, 'directory'>): Promise<Horizon> {
  const { observations } = await readStored(lake);
  const last = observations.at(-1);
  return {
    retentionMs: retentionOf(observations),
    oldestMs: last?.oldestMs ?? null,
    lookedAtMs: last?.atMs ?? null,
  };
}

/**
 * Looks how far back the API answers, with two histograms, at most once a day: by day, and of the oldest day by hour.
 * An answer that is broken or empty is no look, and fails nothing: this is no proof. An empty one is asked for again
 * after a day, and where neither source nor lake has ever shown an event, after a week.
 * @returns whether it looked
 */
export async function lookAtHorizon({ source, lake }: ExportEndpoints, services: RunServices): Promise<boolean> {
  if (source.histogram === null) return false;
  const stored = await readStored(lake);
  const known = stored.source === source.name ? stored : { ...NOTHING, spent: stored.spent };
  const last = known.observations.at(-1);
  const ownMs = services.clock.nowMs();
  const isSince = (atMs: number | undefined, ms: number) => atMs !== undefined && Math.abs(ownMs - atMs) < ms;
  if (isSince(last?.atMs, LOOK_AFTER_MS) || isSince(known.emptyAtMs, LOOK_AFTER_MS)) return false;
  const hasShownNone = last === undefined && isSince(known.emptyAtMs, LOOK_AFTER_NOTHING_MS);
  if (hasShownNone && !(await hasEvents(lake))) return false;
  const atMs = (await readClocks(source, services)).nowMs;
  const today = Math.floor(atMs / MS_PER_DAY) * MS_PER_DAY;
  // Whole days: some platforms divide a range into equal parts only, which of days until now would be seconds.
  const range = { startMs: today - LOOK_BACK_DAYS * MS_PER_DAY, endMs: today };
  const query = { axis: 'event', range, cuts: [], scope: NO_FILTER } as const;
  try {
    const dayMs = oldestOf(await source.histogram(query, MS_PER_DAY, services.signal));
    if (dayMs === null) {
      await writeStored(lake, { ...known, source: source.name, emptyAtMs: atMs }, services.newRunId);
      return true;
    }
    const day = { startMs: dayMs, endMs: dayMs + MS_PER_DAY };
    const oldestMs = oldestOf(await source.histogram({ ...query, range: day }, MS_PER_HOUR, services.signal)) ?? dayMs;
    // A clock that was ahead leaves looks of the future behind.
    const earlier = known.observations.filter((each) => each.atMs < atMs);
    const observations = [...earlier, { atMs, oldestMs }].slice(-KEPT_OBSERVATIONS);
    const { emptyAtMs: _, ...found } = known;
    await writeStored(lake, { ...found, source: source.name, observations }, services.newRunId);
  } catch (thrown) {
    brokenAnswer(thrown);
  }
  return true;
}

/**
 * The requests that runs with a limit can spend in a day: as the last ones did, or where this is the first, one such
 * run a day.
 */
export async function requestsADay(lake: Pick<Lake, 'directory'>, requests: number, nowMs: number): Promise<number> {
  const before = (await readStored(lake)).spent.filter(({ atMs }) => atMs < nowMs);
  const days = (nowMs - (before[0]?.atMs ?? nowMs)) / MS_PER_DAY;
  return days === 0 ? requests : sum(before, (each) => each.requests) / days;
}

/** Notes what a run with a limit may spend, so that the next ones know what to expect. */
export async function noteAllowance(
  lake: Pick<Lake, 'directory'>,
  requests: number,
  { clock, newRunId }: Pick<RunServices, 'clock' | 'newRunId'>,
): Promise<void> {
  const atMs = clock.nowMs();
  const stored = await readStored(lake);
  const spent = [...stored.spent.filter((each) => each.atMs < atMs), { atMs, requests }].slice(-KEPT_SPENDINGS);
  await writeStored(lake, { ...stored, spent }, newRunId);
}

async function hasEvents(lake: Lake): Promise<boolean> {
  const { files } = await lake.snapshot();
  return Object.values(files).some((ofTable) => ofTable.length > 0);
}

async function readStored({ directory }: Pick<Lake, 'directory'>): Promise<StoredHorizon> {
  const text = await readFile(join(directory, FILE), 'utf8').catch(() => 'null');
  try {
    const { source, observations, spent, emptyAtMs } = JSON.parse(text) as StoredHorizon;
    const looks = observations.filter(({ atMs, oldestMs }) => Number.isFinite(atMs) && Number.isFinite(oldestMs));
    const spendings = spent.filter(({ atMs, requests }) => Number.isFinite(atMs) && requests > 0);
    if (typeof source !== 'string') return NOTHING;
    const empty = Number.isFinite(emptyAtMs) ? { emptyAtMs: Number(emptyAtMs) } : {};
    return { source, observations: looks, spent: spendings, ...empty };
  } catch {
    return NOTHING;
  }
}

/** The file is derived: a lake that cannot be written reports that where it matters. */
async function writeStored({ directory }: Pick<Lake, 'directory'>, stored: StoredHorizon, uniqueName: string) {
  const path = join(directory, FILE);
  await makeFolder(join(directory, '_runs'));
  await writeAtomic(path, `${JSON.stringify(stored)}\n`, { temporary: `${path}.${uniqueName}.part`, syncs: 'nothing' });
}
