import { randomUUID } from 'node:crypto';
import {
  type Beat,
  EdrlakeError,
  type OwnerState,
  type ProcessOwner,
  type ProcessTable,
  systemBeat,
  systemProcesses,
  turnTaking,
} from '@edrlake/core';
import { FOLDERS, leasePath, parseLeaseName } from './layout.ts';
import { localStore, type Store } from './store.ts';
import { BEAT_MS, EXPIRY_BEATS, watchLeases } from './watch-leases.ts';

/** Begins the name of a lease that is being removed. */
const TAKEN_PREFIX = 'taken-';

/** Attempts to take a lease while its holder renews it. */
const TAKE_ATTEMPTS = 3;

/**
 * A process's claim to its unfinished work in one lake: commits in progress, work folders, runs, places in the shared
 * rate limiter. It is a file `_leases/<instance>.<beat>.json`, renamed to the next beat every few seconds.
 *
 * Within one pid namespace the process table says at once whether a holder is alive. Elsewhere, a process that sees the
 * same name for half a minute may remove the file. It counts that time in beats of its own, so that no clock matters.
 * Only one of removal and renewal can succeed, so a holder that was stopped learns that its lease is lost.
 */
export interface Lease {
  /** Written next to the unfinished work. */
  readonly owner: ProcessOwner;
  /**
   * The state of a holder; `elsewhere` while its process cannot be seen and its lease has not expired. Reads no disk,
   * so it may be a beat behind, but never reports a living holder as dead.
   */
  stateOf(owner: ProcessOwner): OwnerState;
  /** The same, after reading the leases now. */
  lookAt(owner: ProcessOwner): Promise<OwnerState>;
  /**
   * Waits until it is certain whether a holder is alive: for one elsewhere, until its lease is renewed or expires.
   * @param onWait is called once if it has to wait, with the longest time that can take
   */
  untilKnown(owner: ProcessOwner, onWait: (atMostMs: number) => void): Promise<'alive' | 'dead'>;
  /** Resolves after the next beat, when the leases have been read again. */
  nextBeat(): Promise<void>;
  /** Whether another process is at work on the lake, or may be. */
  hasCompany(): Promise<boolean>;
  /** Makes sure that a dead holder cannot renew its lease. @returns false when the holder turned out to be alive */
  take(owner: ProcessOwner): Promise<boolean>;
  /** Removes the leases of dead holders. */
  clear(): Promise<void>;
  /** As of the last renewal. @throws {EdrlakeError} `LEASE_LOST` */
  assertHeld(): void;
  /**
   * Renews it now. @throws {EdrlakeError} `LEASE_LOST` when another process has taken it, and with it the unfinished
   * work
   */
  confirm(): Promise<void>;
  /** Ends it. Calling it twice does no harm. */
  release(): Promise<void>;
}

/** What a lease needs from the machine. */
export interface LeaseTools {
  readonly processes: ProcessTable;
  readonly beat: Beat;
}

/**
 * Opens a lease for work that needs no open lake, such as requests. The folder is created where it is missing.
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`
 */
export function openLakeLease(lakeDirectory: string): Promise<Lease> {
  return openLease(localStore(lakeDirectory), { processes: systemProcesses, beat: systemBeat });
}

/** @throws {EdrlakeError} `LAKE_UNWRITABLE` */
export async function openLease(store: Store, { processes, beat }: LeaseTools): Promise<Lease> {
  const instance = randomUUID();
  const owner: ProcessOwner = { ...processes.current(), instance };
  let beats = 0;
  let isLost = false;
  await store.put(leasePath(instance, beats), JSON.stringify(owner));
  const others = watchLeases(store, instance);
  await others.look(false, leasePath(instance, beats));

  async function renew(): Promise<void> {
    if (isLost) return;
    if (await store.rename(leasePath(instance, beats), leasePath(instance, beats + 1))) {
      beats += 1;
      return;
    }
    // An earlier renewal may have succeeded although it was reported as failed.
    const own = (await store.list(FOLDERS.leases)).map(parseLeaseName).find((name) => name?.instance === instance);
    if (own === undefined || own === null) isLost = true;
    else beats = own.beat;
  }

  // A beat must not overlap other work on the lease.
  const inTurn = turnTaking();
  const waiting: (() => void)[] = [];
  const onBeat = () =>
    inTurn(async () => {
      // A disk that fails for a while does no harm: the lease is lost only when another process takes it.
      await renew().catch(() => undefined);
      await others.look(true, leasePath(instance, beats)).catch(() => undefined);
    });
  let isBusy = false;
  const stop = beat(
    BEAT_MS,
    () => {
      if (isBusy) return;
      isBusy = true;
      void onBeat().finally(() => {
        isBusy = false;
        for (const wake of waiting.splice(0)) wake();
      });
    },
    false,
  );

  const stateOf = (about: ProcessOwner, isFresh = false): OwnerState => {
    if (about.instance === instance) return 'alive';
    const seen = processes.stateOf(about);
    return seen === 'elsewhere' && about.instance !== undefined ? others.stateOf(about.instance, isFresh) : seen;
  };
  const look = () => inTurn(() => others.look(false, leasePath(instance, beats)));
  const lookAt = async (about: ProcessOwner): Promise<OwnerState> => {
    const before = stateOf(about);
    if (before !== 'elsewhere') return before;
    await look();
    return stateOf(about, true);
  };
  const take = async (about: ProcessOwner): Promise<boolean> => {
    if (about.instance === undefined) return true;
    for (let attempt = 0; attempt < TAKE_ATTEMPTS; attempt += 1) {
      await look();
      if (stateOf(about, true) !== 'dead') return false;
      const seen = others.seen(about.instance);
      if (seen === null || (await takeFile(store, about.instance, seen.beat))) return true;
    }
    return false;
  };
  const nextBeat = async (): Promise<void> => {
    const release = beat(BEAT_MS, () => {}, true);
    try {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
    } finally {
      release();
    }
  };

  return {
    owner,
    stateOf: (about) => stateOf(about),
    lookAt,
    nextBeat,
    untilKnown: (about, onWait) => untilKnown({ lookAt, nextBeat, stateOf }, others, about, onWait),
    async hasCompany() {
      await look();
      return others.owners().some((other) => !isSameProcess(other, owner) && stateOf(other) !== 'dead');
    },
    take,
    async clear() {
      for (const dead of others.owners().filter((other) => stateOf(other) === 'dead')) await take(dead);
      const names = await store.list(FOLDERS.leases);
      for (const name of names.filter((each) => each.startsWith(TAKEN_PREFIX))) {
        await store.remove(`${FOLDERS.leases}/${name}`);
      }
    },
    assertHeld() {
      if (isLost) throw leaseLost();
    },
    async confirm() {
      await inTurn(renew);
      if (isLost) throw leaseLost();
    },
    async release() {
      stop();
      await inTurn(async () => {
        for (const wake of waiting.splice(0)) wake();
        if (!isLost) await store.remove(leasePath(instance, beats));
      });
    },
  };
}

async function untilKnown(
  { lookAt, nextBeat, stateOf }: Pick<Lease, 'lookAt' | 'nextBeat' | 'stateOf'>,
  others: Pick<ReturnType<typeof watchLeases>, 'seen' | 'looks'>,
  about: ProcessOwner,
  onWait: (atMostMs: number) => void,
): Promise<'alive' | 'dead'> {
  const first = await lookAt(about);
  if (first !== 'elsewhere') return first;
  const { instance } = about;
  // An older edrlake wrote this owner, without a lease: nothing is renewed.
  if (instance === undefined) return 'dead';
  onWait(BEAT_MS * EXPIRY_BEATS);
  const before = others.seen(instance)?.beat;
  // Beats in a row in which the leases could not be read: nothing is known then, also not that anything has expired.
  for (let blind = 0; ; ) {
    const looks = others.looks();
    await nextBeat();
    blind = others.looks() === looks ? blind + 1 : 0;
    // Reading them once more throws what is in the way.
    const state = blind === EXPIRY_BEATS ? await lookAt(about) : stateOf(about);
    if (state !== 'elsewhere') return state;
    if (others.seen(instance)?.beat !== before) return 'alive';
    if (blind === EXPIRY_BEATS) blind = 0;
  }
}

/** Only one of this and the holder's renewal can succeed. */
async function takeFile(store: Store, instance: string, beat: number): Promise<boolean> {
  const taken = `${FOLDERS.leases}/${TAKEN_PREFIX}${instance}`;
  if (!(await store.rename(leasePath(instance, beat), taken))) return false;
  await store.remove(taken);
  return true;
}

/** The error of a process whose unfinished work another one has taken over. */
export function leaseLost(): EdrlakeError {
  return new EdrlakeError(
    'LEASE_LOST',
    `this process was stopped for more than ${(BEAT_MS * EXPIRY_BEATS) / 1_000} s, and another one has taken over its unfinished work`,
    { hint: 'Run the same command again: what was committed stays, and the rest is done again.' },
  );
}

/** Whether two owners are leases of one process. */
export function isSameProcess(a: ProcessOwner, b: ProcessOwner): boolean {
  return a.pid === b.pid && a.namespace === b.namespace && a.startIdentity === b.startIdentity && a.host === b.host;
}
