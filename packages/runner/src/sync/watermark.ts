import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  EdrlakeError,
  errnoOf,
  isAhead,
  makeFolder,
  type QueryScope,
  type TimeAxis,
  type TimeRange,
  unreadable,
  writeAtomic,
} from '@edrlake/core';
import type { Lake } from '@edrlake/lake';

const FILE = '_runs/follow.json';

/**
 * Where the sync of a scope on an axis began, in UTC epoch milliseconds; null if it never did. Proofs alone do not say
 * it: if the first window of the first sync fails, the proven range begins after it.
 */
export async function readWatermark(
  lake: Pick<Lake, 'directory'>,
  axis: TimeAxis,
  scope: QueryScope,
): Promise<number | null> {
  return (await readAll(lake))[keyOf(axis, scope)] ?? null;
}

/**
 * The processing time up to which the lake is proven to hold everything since the first sync: the end of the proven
 * range that holds its beginning. A window that failed or did not add up holds the watermark back until it is proven.
 * null before the first sync, and if the beginning is in the future.
 * @param settleLagMs how long after an instant it must have been counted to be taken as proven
 */
export async function watermarkOf(
  lake: Lake,
  axis: TimeAxis,
  scope: QueryScope,
  nowMs: number,
  settleLagMs = 0,
): Promise<number | null> {
  return (await syncedRange(lake, axis, scope, nowMs, settleLagMs))?.endMs ?? null;
}

/** From where a sync began to its watermark, as `watermarkOf`; without length where it has proven nothing. */
export async function syncedRange(
  lake: Lake,
  axis: TimeAxis,
  scope: QueryScope,
  nowMs: number,
  settleLagMs = 0,
): Promise<TimeRange | null> {
  const startMs = await readWatermark(lake, axis, scope);
  if (startMs === null || isAhead(startMs, nowMs)) return null;
  const proven = await lake.provenRanges(axis, scope, settleLagMs);
  const endMs = proven.find((range) => range.startMs <= startMs && startMs < range.endMs)?.endMs ?? startMs;
  return { startMs, endMs };
}

/**
 * Up to when a sync has proven what it follows; null where it has proven nothing, so that its watermark only says where
 * it began: its first windows failed, or the log was rebuilt.
 * @param synced as `syncedRange` returns it
 */
export function followedUpTo(synced: TimeRange | null): number | null {
  return synced === null || synced.endMs === synced.startMs ? null : synced.endMs;
}

/**
 * Up to where a sync has fetched everything, proven or rejected: where the next one begins. null before the first sync.
 */
export async function fetchedUpTo(
  lake: Lake,
  axis: TimeAxis,
  scope: QueryScope,
  nowMs: number,
): Promise<number | null> {
  const startMs = await readWatermark(lake, axis, scope);
  if (startMs === null || isAhead(startMs, nowMs)) return null;
  const rejected = (await lake.rejectedRanges(axis, scope)).map(({ range }) => range);
  const fetched = [...(await lake.provenRanges(axis, scope)), ...rejected].sort((a, b) => a.startMs - b.startMs);
  // Of neighbours, the next begins where this one ends.
  return fetched.reduce((upToMs, range) => {
    return range.startMs <= upToMs ? Math.max(upToMs, range.endMs) : upToMs;
  }, startMs);
}

/** Records where the sync of a scope begins, before anything of it is fetched. Atomic; the bytes are synced. */
export async function writeWatermark(
  lake: Pick<Lake, 'directory'>,
  axis: TimeAxis,
  scope: QueryScope,
  startMs: number,
  uniqueName: string,
): Promise<void> {
  const path = join(lake.directory, FILE);
  const unfinished = `${path}.${uniqueName}.part`;
  await makeFolder(join(lake.directory, '_runs'));
  const text = JSON.stringify({ ...(await readAll(lake)), [keyOf(axis, scope)]: startMs });
  await writeAtomic(path, text, { temporary: unfinished, syncs: 'bytes' });
}

async function readAll(lake: Pick<Lake, 'directory'>): Promise<Readonly<Record<string, number>>> {
  const text = await readFile(join(lake.directory, FILE), 'utf8').catch((thrown) => {
    // Only a missing file means that nothing was written. Any other error would let a sync begin again at its --since.
    if (errnoOf(thrown) === 'ENOENT') return '{}';
    throw unreadable(`${FILE} cannot be read`, thrown);
  });
  try {
    const found: unknown = JSON.parse(text);
    if (typeof found === 'object' && found !== null) return found as Record<string, number>;
  } catch {
    // The error is thrown below.
  }
  throw new EdrlakeError('LAKE_CORRUPT', `${FILE} cannot be understood`, {
    context: { path: FILE },
    hint: `Delete ${FILE} in the lake, and give edrlake sync --since once: what is proven stays proven.`,
  });
}

function keyOf(axis: TimeAxis, { filter, state }: QueryScope): string {
  return JSON.stringify([axis, filter, state]);
}
