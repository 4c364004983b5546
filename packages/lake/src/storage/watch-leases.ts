import { type OwnerState, type ProcessOwner, systemProcesses } from '@edrlake/core';
import { FOLDERS, leasePath, parseLeaseName } from './layout.ts';
import { localStore, type Store } from './store.ts';

/** How often a lease is renewed. */
export const BEAT_MS = 3_000;

/** Beats of the observer without a sign of the holder, after which the lease has expired: half a minute. */
export const EXPIRY_BEATS = 10;

/** Beats that are enough where the file system's clock already shows that the lease is overdue. */
const STALE_BEATS = 2;

/** A lease as it was when the folder was last read. */
interface Seen {
  readonly beat: number;
  /** Consecutive reads, a beat apart, without a renewal. */
  readonly unchanged: number;
  readonly isStale: boolean;
  readonly owner: ProcessOwner | null;
}

/**
 * Which holders appear to be alive, for commands that only read: of those that cannot be seen from here, those whose
 * lease was renewed less than half a minute ago. Changes nothing on disk.
 */
export async function lookAtLeases(
  lake: string | Store,
  nowMs: number,
): Promise<{ readonly isOwnerAlive: (owner: ProcessOwner) => boolean }> {
  const store = typeof lake === 'string' ? localStore(lake) : lake;
  const names = (await store.list(FOLDERS.leases)).map(parseLeaseName).filter((name) => name !== null);
  const things = await store.look(names.map(({ instance, beat }) => leasePath(instance, beat)));
  const isRenewed = (position: number) => nowMs - (things[position]?.changedAtMs ?? 0) <= BEAT_MS * EXPIRY_BEATS;
  const renewed = new Set(names.flatMap(({ instance }, position) => (isRenewed(position) ? [instance] : [])));
  return {
    isOwnerAlive: (owner) => {
      const state = systemProcesses.stateOf(owner);
      return state === 'alive' || (state === 'elsewhere' && renewed.has(owner.instance ?? ''));
    },
  };
}

/** The holders of all leases, including dead ones. */
export async function leaseOwners(store: Store): Promise<ProcessOwner[]> {
  const names = (await store.list(FOLDERS.leases)).filter((name) => parseLeaseName(name) !== null);
  const texts = await Promise.all(names.map((name) => store.read(`${FOLDERS.leases}/${name}`)));
  return texts.flatMap((text) => parseOwner(text) ?? []);
}

/** Counts for how many beats the lease of each other process was not renewed. */
export function watchLeases(store: Store, ownInstance: string) {
  let table = new Map<string, Seen>();
  let looks = 0;
  /** Instances that were asked for and had no lease, with the number of reads at that time. */
  const absentSince = new Map<string, number>();

  /** @param isBeat whether a beat has passed since the last such call */
  async function look(isBeat: boolean, ownPath: string): Promise<void> {
    const names = (await store.list(FOLDERS.leases)).map(parseLeaseName).filter((name) => name !== null);
    const next = new Map<string, Seen>();
    for (const { instance, beat } of names) {
      if (instance === ownInstance || (next.get(instance)?.beat ?? -1) > beat) continue;
      const before = table.get(instance);
      if (before?.beat === beat) {
        next.set(instance, { ...before, unchanged: before.unchanged + (isBeat ? 1 : 0) });
        continue;
      }
      const path = leasePath(instance, beat);
      const owner = before?.owner ?? parseOwner(await store.read(path));
      next.set(instance, { beat, unchanged: 0, owner, isStale: await isOlder(path, ownPath) });
    }
    table = next;
    looks += 1;
  }

  /** Whether the file system's clock says that the lease is overdue: our own lease was renewed at most a beat ago. */
  async function isOlder(path: string, ownPath: string): Promise<boolean> {
    const [theirs, own] = await store.look([path, ownPath]);
    return theirs != null && own != null && own.changedAtMs - theirs.changedAtMs > BEAT_MS * EXPIRY_BEATS;
  }

  return {
    look,
    /** How often the leases were read. */
    looks: () => looks,
    seen: (instance: string) => table.get(instance) ?? null,
    owners: () => [...table].map(([instance, { owner }]) => ({ ...(owner ?? UNKNOWN), instance })),
    /** @param isFresh whether the leases were read after the question: then a missing lease is gone */
    stateOf(instance: string, isFresh: boolean): OwnerState {
      const seen = table.get(instance);
      if (seen !== undefined) {
        absentSince.delete(instance);
        return seen.unchanged >= (seen.isStale ? STALE_BEATS : EXPIRY_BEATS) ? 'dead' : 'elsewhere';
      }
      // It may be younger than the last read.
      if (isFresh) return 'dead';
      const since = absentSince.get(instance);
      if (since !== undefined && since < looks) return 'dead';
      absentSince.set(instance, looks);
      return 'elsewhere';
    },
  };
}

/** The owner of a lease whose file cannot be read: only renewals show that it is alive. */
const UNKNOWN: ProcessOwner = { host: '', pid: 0, startIdentity: '', namespace: 'unknown' };

/** Reads an owner; null for any other text. */
export function parseOwner(text: string | null): ProcessOwner | null {
  try {
    const found: unknown = text === null ? null : JSON.parse(text);
    return isOwner(found) ? found : null;
  } catch {
    return null;
  }
}

function isOwner(found: unknown): found is ProcessOwner {
  if (typeof found !== 'object' || found === null) return false;
  const { host, pid, startIdentity, namespace = '', instance = '' } = found as Record<string, unknown>;
  const isPid = Number.isSafeInteger(pid) && (pid as number) > 0;
  return isPid && [host, startIdentity, namespace, instance].every((text) => typeof text === 'string');
}
