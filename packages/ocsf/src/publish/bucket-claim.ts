import { randomUUID } from 'node:crypto';
import {
  claimPlace,
  EdrlakeError,
  type FoundClaim,
  MS_PER_MINUTE,
  ownerOf,
  type ProcessTable,
  systemClock,
  systemProcesses,
} from '@edrlake/core';
import type { ObjectStore } from '@edrlake/lake';
import { targetHeld } from './state.ts';

/** A claim that was not renewed for this long counts for nothing, also where its process lives. */
const EXPIRY_MS = 15 * MS_PER_MINUTE;

/** After this time without a renewal, a claim is renewed before the next write. */
const RENEW_MS = MS_PER_MINUTE;

/** After this time another process may be about to take over, so that the claim is not simply renewed. */
const CERTAIN_MS = 5 * MS_PER_MINUTE;

/** The claim of this process to a prefix of a bucket. */
export interface BucketClaim {
  /**
   * Called before each write: makes sure that no other process has taken over since.
   * @throws {EdrlakeError} `LEASE_LOST`
   */
  confirm(): Promise<void>;
  release(): Promise<void>;
}

/**
 * Claims a prefix for this process: an object `owner.<number>.json`, created by a conditional write. The process table
 * says whether a process of this machine lives; of one elsewhere, the age of its claim decides, by the clock of the
 * bucket alone.
 * @param prefix of the claims, with a slash at its end
 * @throws {EdrlakeError} `PUBLISH_REFUSED` where another process has it, `STORE_UNREACHABLE`
 */
export async function claimBucket(
  objects: ObjectStore,
  prefix: string,
  { address, processes = systemProcesses }: { readonly address: string; readonly processes?: ProcessTable },
): Promise<BucketClaim> {
  // Of two claims of one process, each has its own text.
  const text = JSON.stringify({ ...processes.current(), instance: randomUUID() });
  const keyOf = (number: number) => `${prefix}owner.${number}.json`;
  const claimsNow = async (own: number | null): Promise<FoundClaim[]> => {
    const listed = (await objects.list(`${prefix}owner.`)).flatMap((object) => {
      const number = Number(/\.(\d{1,9})\.json$/.exec(object.key)?.[1] ?? Number.NaN);
      return Number.isNaN(number) ? [] : [{ ...object, number }];
    });
    const nowMs = listed.find(({ number }) => number === own)?.changedAtMs;
    if (own !== null && nowMs === undefined) throw lost();
    const found: FoundClaim[] = [];
    for (const { key, number, changedAtMs } of listed) {
      const content = await objects.get(key);
      if (content === null) continue;
      const owner = ownerOf(content.toString());
      const isExpired = nowMs !== undefined && nowMs - changedAtMs > EXPIRY_MS;
      const state = isExpired ? 'dead' : owner === null ? 'elsewhere' : processes.stateOf(owner);
      const file = `${address}/${key.slice(key.lastIndexOf('/_') + 1)}`;
      // Its age shows once there is an object of now to compare it with.
      found.push({ number, owner, file, state: nowMs === undefined && state !== 'dead' ? 'unknown' : state });
    }
    return found;
  };
  const claim = (mine: number | null) =>
    claimPlace(
      {
        claims: claimsNow,
        create: async (number) => {
          const outcome = await objects.putIfAbsent(keyOf(number), text);
          if (typeof outcome === 'object') throw outcome.doubt;
          return outcome === 'created';
        },
        remove: (number) => objects.delete(keyOf(number)),
      },
      mine === null ? targetHeld : lost,
      (number) => number === mine,
    );
  let number = await claim(null);
  let renewedAtMs = systemClock.nowMs();
  return {
    confirm: async () => {
      const startedAtMs = systemClock.nowMs();
      const ageMs = startedAtMs - renewedAtMs;
      if (ageMs >= 0 && ageMs < RENEW_MS) return;
      if (ageMs >= 0 && ageMs < CERTAIN_MS) await objects.put(keyOf(number), text);
      else number = await claim(number);
      renewedAtMs = startedAtMs;
    },
    release: async () => {
      // Where another process took over, its number may be the same by now.
      if ((await objects.get(keyOf(number)))?.toString() === text) await objects.delete(keyOf(number));
    },
  };
}

function lost(): EdrlakeError {
  return new EdrlakeError('LEASE_LOST', 'another process publishes there by now, because this one was stopped', {
    disposition: 'stop',
    hint: 'Run the command again when the other one has ended.',
  });
}
