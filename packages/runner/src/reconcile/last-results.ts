import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Day, writeAtomic } from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import type { DayVerdict, ReconciledDay } from './reconcile.ts';

/** The newest result for a day. */
export interface LastReconciliation {
  readonly verdict: DayVerdict;
  readonly inApi: number;
  readonly difference: number;
  readonly atMs: number;
}

const FILE = '_runs/reconciliation.json';

/**
 * The last reconciliation of every day that had one. Empty without a file, or if it cannot be read: nothing depends on
 * it.
 */
export async function lastReconciliations(
  lake: Pick<Lake, 'directory'>,
): Promise<ReadonlyMap<Day, LastReconciliation>> {
  const text = await readFile(join(lake.directory, FILE), 'utf8').catch(() => '{}');
  try {
    return new Map(Object.entries(JSON.parse(text) as Record<Day, LastReconciliation>));
  } catch {
    return new Map();
  }
}

/** Stores what a reconciliation found, over earlier results for the same days. Atomic; the last writer wins. */
export async function rememberReconciliation(
  lake: Pick<Lake, 'directory'>,
  days: readonly Pick<ReconciledDay, 'day' | 'eventType' | 'verdict' | 'inApi' | 'difference'>[],
  atMs: number,
  uniqueName: string,
): Promise<void> {
  const kept = new Map(await lastReconciliations(lake));
  for (const { day, eventType, verdict, inApi, difference } of days) {
    if (eventType === null) kept.set(day, { verdict, inApi, difference, atMs });
  }
  const path = join(lake.directory, FILE);
  const text = JSON.stringify(Object.fromEntries([...kept].sort(([a], [b]) => (a < b ? -1 : 1))));
  // A power cut may lose it: the next reconciliation writes it again.
  await writeAtomic(path, text, { temporary: `${path}.${uniqueName}.part`, syncs: 'nothing' });
}

/** Forgets all of them: they say nothing about a lake whose log is another one. */
export async function forgetReconciliations(directory: string): Promise<void> {
  await rm(join(directory, FILE), { force: true });
}
