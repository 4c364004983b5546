import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type RemainingRequests, readRemainingRequests } from '@edrlake/client/read-remaining';
import { systemProcesses } from '@edrlake/core';

/** The state of a shared limiter is in the folder of the runs. The rest of the name identifies the account. */
const BUDGET_PREFIX = 'budget-';

/**
 * The folder of the shared limiter of an account.
 * @param digest of host and user
 */
export function limiterDirectory(lakeDirectory: string, digest: string): string {
  return join(lakeDirectory, '_runs', `${BUDGET_PREFIX}${digest}`);
}

/**
 * How many requests the most recently used account of this lake may still send now, without sending one. null if no
 * request was ever sent.
 * @param userLimit the limit set by the user, null for none
 */
export async function remainingRequests(
  lakeDirectory: string,
  userLimit: RemainingRequests['limit'] | null,
  nowMs: number,
): Promise<RemainingRequests | null> {
  const names = await readdir(join(lakeDirectory, '_runs')).catch(() => []);
  const found = names
    .filter((name) => name.startsWith(BUDGET_PREFIX))
    .flatMap(
      (name) =>
        readRemainingRequests(join(lakeDirectory, '_runs', name), userLimit, systemProcesses.stateOf, nowMs) ?? [],
    );
  return found.sort((a, b) => b.usedAtMs - a.usedAtMs)[0] ?? null;
}
