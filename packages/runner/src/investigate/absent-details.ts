import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomic } from '@edrlake/core';
import type { Lake } from '@edrlake/lake';

/** Event id → when the API said that it has no such event, in epoch milliseconds. */
export type AbsentDetails = Map<string, number>;

const FILE = '_runs/absent-details.json';

/** More are forgotten, the oldest first: they cost a request each. */
const MAX_KEPT = 100_000;

/** What the API did not have since an instant. Empty without a file, or if it cannot be read: nothing depends on it. */
export async function absentDetails(lake: Pick<Lake, 'directory'>, sinceMs: number): Promise<AbsentDetails> {
  const text = await readFile(join(lake.directory, FILE), 'utf8').catch(() => '{}');
  try {
    const all = Object.entries(JSON.parse(text) as Record<string, number>);
    return new Map(all.filter(([, atMs]) => atMs >= sinceMs));
  } catch {
    return new Map();
  }
}

/** Adds to what the API did not have. Atomic; the last writer wins. */
export async function rememberAbsent(
  lake: Pick<Lake, 'directory'>,
  fresh: AbsentDetails,
  uniqueName: string,
): Promise<void> {
  const all = [...(await absentDetails(lake, 0)), ...fresh].sort(([, a], [, b]) => b - a).slice(0, MAX_KEPT);
  const path = join(lake.directory, FILE);
  // A power cut may lose it: then they are asked for again.
  await writeAtomic(path, JSON.stringify(Object.fromEntries(all)), {
    temporary: `${path}.${uniqueName}.part`,
    syncs: 'nothing',
  });
}
