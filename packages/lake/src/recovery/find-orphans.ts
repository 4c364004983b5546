import { type ProcessOwner, systemProcesses } from '@edrlake/core';
import { OWNER_SUFFIX } from '../commit/apply-commit.ts';
import { FOLDERS, isManifestName } from '../storage/layout.ts';
import type { Lease } from '../storage/lease.ts';
import { PARTIAL_SUFFIX, type Store } from '../storage/store.ts';
import { parseOwner } from '../storage/watch-leases.ts';

/**
 * Paths in the spool that belong to no live process: pages of runs, and work folders of open lakes with their owner
 * files. A process elsewhere without a lease, as older versions have it, cannot be known to be alive, so callers also
 * check the age of a path.
 * @param lease null where the lake is open for reading
 */
export async function findOrphans(store: Store, lease: Lease | null): Promise<string[]> {
  const abandoned: string[] = [];
  const isAbandoned = async (owner: ProcessOwner | null): Promise<boolean> => {
    if (owner === null) return true;
    const state = await (lease?.lookAt(owner) ?? systemProcesses.stateOf(owner));
    return state === 'dead' || (state === 'elsewhere' && owner.instance === undefined);
  };
  for (const name of await store.list(FOLDERS.spool)) {
    const path = `${FOLDERS.spool}/${name}`;
    if (path === FOLDERS.work || isManifestName(name) || name.endsWith(PARTIAL_SUFFIX)) continue;
    const owner = await lastOwnerIn(store, `${FOLDERS.runs}/${name}.jsonl`);
    if (await isAbandoned(owner)) abandoned.push(path);
  }
  for (const name of await store.list(FOLDERS.work)) {
    if (name.endsWith(PARTIAL_SUFFIX)) continue;
    const folder = name.endsWith(OWNER_SUFFIX) ? name.slice(0, -OWNER_SUFFIX.length) : name;
    const owner = parseOwner(await store.read(`${FOLDERS.work}/${folder}${OWNER_SUFFIX}`));
    if (await isAbandoned(owner)) abandoned.push(`${FOLDERS.work}/${name}`);
  }
  return abandoned;
}

/**
 * The process that worked on a run last: each start, the first and every resumption, leaves a journal line with its
 * `owner`.
 */
async function lastOwnerIn(store: Store, journal: string): Promise<ProcessOwner | null> {
  const lines = (await store.read(journal))?.split('\n') ?? [];
  const line = lines.findLast((candidate) => candidate.includes('"owner":{'));
  try {
    if (line === undefined) return null;
    return parseOwner(JSON.stringify((JSON.parse(line) as { owner?: unknown } | null)?.owner ?? null));
  } catch {
    // Torn by a crash: that process never started its work.
    return null;
  }
}
