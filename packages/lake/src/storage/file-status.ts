import { lstatSync, type Stats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { errnoOf, systemClock, unreadable } from '@edrlake/core';
import { mapAtOnce } from './at-once.ts';

/** A file or a folder. */
export interface StoredThing {
  /** 0 for a folder. */
  readonly bytes: number;
  /** When its content or its name last changed, by the file system's clock. */
  readonly changedAtMs: number;
}

/** Files and folders examined in parallel. */
export const LOOK_CONCURRENCY = 32;

/** Asking for this long keeps timers and signals waiting: this file system is slow, and others are asked for it. */
const SLOW_GROUP_MS = 50;

/**
 * What is at each of these absolute paths, in the same order; null where nothing is.
 *
 * Many files are asked for in this thread, group by group: through other threads each costs four times the CPU time.
 * Those threads only pay where the file system is slow, or hangs.
 */
export async function lookAtAll(locations: readonly string[]): Promise<(StoredThing | null)[]> {
  const things: (StoredThing | null)[] = [];
  let isSlow = locations.length <= LOOK_CONCURRENCY;
  while (things.length < locations.length && !isSlow) {
    const startedAtMs = systemClock.nowMs();
    const group = locations.slice(things.length, things.length + LOOK_CONCURRENCY);
    things.push(...group.map((location) => lookNow(location)));
    isSlow = systemClock.nowMs() - startedAtMs > SLOW_GROUP_MS;
    await setImmediate();
  }
  return [...things, ...(await mapAtOnce(locations.slice(things.length), LOOK_CONCURRENCY, lookAt))];
}

function lookNow(location: string): StoredThing | null {
  try {
    const found = lstatSync(location, { throwIfNoEntry: false });
    return found === undefined ? null : thingOf(found);
  } catch (thrown) {
    return absentOr(location, thrown);
  }
}

/** What is at an absolute path; null where nothing is. @throws {EdrlakeError} `LAKE_CORRUPT` */
export async function lookAt(location: string): Promise<StoredThing | null> {
  try {
    return thingOf(await lstat(location));
  } catch (thrown) {
    return absentOr(location, thrown);
  }
}

function thingOf(found: Stats): StoredThing {
  return { bytes: found.isDirectory() ? 0 : found.size, changedAtMs: Math.max(found.mtimeMs, found.ctimeMs) };
}

function absentOr(location: string, thrown: unknown): null {
  if (['ENOENT', 'ENOTDIR'].includes(errnoOf(thrown))) return null;
  throw unreadable(`${location} cannot be looked at`, thrown);
}
