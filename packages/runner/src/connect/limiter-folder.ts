import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type RemainingRequests, readRemainingRequests } from '@edrlake/client/read-remaining';
import { systemProcesses } from '@edrlake/core';

/** Budgets of a lake lie beside its runs; the rest of the name tells one account from another. */
const BUDGET_PREFIX = 'budget-';

/** The folder of an account's requests, `digest` being the account's. */
export function limiterDirectory(lakeDirectory: string, digest: string): string {
  return join(lakeDirectory, '_runs', `${BUDGET_PREFIX}${digest}`);
}

/**
 * What the account that was used last with this lake may still request now, without asking anybody. null where no request
 * was ever made for it.
 * @param userLimit the user's own upper bound, null for none
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
