import type { OwnerState, ProcessOwner } from './process-owner.ts';

/** What holds a place. */
export interface ClaimHolder {
  /** What to remove by hand where its process has ended and cannot be seen from here. */
  readonly file: string;
  readonly state: OwnerState;
  /** null where the claim does not name a process. */
  readonly owner: ProcessOwner | null;
}

/** One claim of a place. */
export interface FoundClaim extends Omit<ClaimHolder, 'state'> {
  readonly number: number;
  /** `unknown`: decided once this process has a claim of its own to compare with. */
  readonly state: OwnerState | 'unknown';
}

/** Where claims are: names with numbers, of which each can be taken once. */
export interface ClaimPlace {
  /** All claims. @param own the number of this process, once it has one */
  claims(own: number | null): Promise<readonly FoundClaim[]>;
  /** Takes a number. @returns false where another process has it */
  create(number: number): Promise<boolean>;
  remove(number: number): Promise<void>;
}

/** Each further attempt means that another process has claimed or left the place in between. */
const MAX_ATTEMPTS = 20;

/**
 * Claims a place for one process. The claim of a dead process counts for nothing, and is removed. Of processes that
 * claim at the same time at most one succeeds: a number can be taken once, and each looks again after that and gives
 * way to any other. So the later of two sees the earlier one.
 * @param refusal the error for a place that another process has; with null where others claimed it and left it at each
 * of many attempts
 * @returns the number that was taken
 */
export async function claimPlace(
  place: ClaimPlace,
  refusal: (holder: ClaimHolder | null) => Error,
  isMine: (number: number) => boolean = () => false,
): Promise<number> {
  const refuseOthers = (claims: readonly FoundClaim[]) => {
    for (const { number, state, file, owner } of claims) {
      if (state === 'dead' || state === 'unknown' || isMine(number)) continue;
      throw refusal({ file, state, owner });
    }
  };
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const found = await place.claims(null);
    refuseOthers(found);
    const number = Math.max(0, ...found.map((claim) => claim.number)) + 1;
    if (!(await place.create(number))) continue;
    try {
      // The list that the number was chosen by may be old: another number was free meanwhile.
      const now = await place.claims(number);
      refuseOthers(now.filter((claim) => claim.number !== number));
      for (const { number: dead } of now) if (dead !== number) await place.remove(dead);
    } catch (thrown) {
      await place.remove(number);
      throw thrown;
    }
    return number;
  }
  throw refusal(null);
}

/** The process that a claim names; null where it names none. */
export function ownerOf(text: string): ProcessOwner | null {
  try {
    const found = JSON.parse(text) as Partial<ProcessOwner> | null;
    const isOwner = Number.isSafeInteger(found?.pid) && typeof found?.host === 'string';
    return isOwner && typeof found.startIdentity === 'string' ? (found as ProcessOwner) : null;
  } catch {
    return null;
  }
}
