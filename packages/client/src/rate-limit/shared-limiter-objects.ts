// How processes on several machines share one rate limiter: as in a folder (shared-limiter-file.ts), with conditional
// writes of an object store in the place of link(2). Each version is an object of its own, written if there is none:
// of those that build on one version exactly one wins. Requests go one after the other, so most updates are one write.

import { randomUUID } from 'node:crypto';
import type { Clock, EdrlakeError } from '@edrlake/core';
import { openCasFile } from './cas-file.ts';
import { type Change, copyOf, openLedger } from './limiter-ledger.ts';
import type { LimiterLiveness, LimiterState } from './shared-limiter-file.ts';
import { formatState, type Holder, type RequestPriority } from './shared-state.ts';

/** Numbered texts beside a lake in an object store. */
export interface VersionStore {
  /** The newest version that is there, not older than one that is known; null where there is none. */
  latest(from: number): Promise<{ readonly version: number; readonly text: string } | null>;
  /**
   * @returns an error where all attempts were without an answer that says whether it was written
   * @throws {EdrlakeError} where the store refuses
   */
  putIfAbsent(version: number, text: string): Promise<'put' | 'taken' | EdrlakeError>;
  /** Removes versions that were overtaken at least a quarter of an hour ago. */
  removeOld(): Promise<void>;
  close(): void;
}

/** Attempts of an update. Each failure means that another process succeeded. */
const MAX_ATTEMPTS = 50;

/**
 * A version older than this is not built on before the newest one was read: its successors may have been removed, and
 * its number would seem to be free. They are kept for three times as long.
 */
const KNOWN_FOR_MS = 300_000;

/** How many versions are written before older ones are removed. */
const REMOVE_EVERY = 100;

/** An answer is often followed by its end, and by the next request: they are written together. */
const FLUSH_MS = 100;

/** A process with requests under way is heard of at least this often. */
const SIGN_MS = 20_000;

/** Silence after which it counts as dead, by the clock of the one that listens: clocks of machines differ. */
const SILENT_MS = 60_000;

/**
 * Opens the state in an object store. The first read has been done when it resolves.
 * @param directory of this machine, where those look who only want to know what is left
 * @param onForgotten is called whenever a stored state, or a part of it, is not plausible
 * @throws {EdrlakeError} `STORE_UNREACHABLE`, `STORE_REFUSED`, here and from updates
 */
export async function openSharedLimiterObjects(
  store: VersionStore,
  directory: string,
  priority: RequestPriority,
  { owner, stateOf }: LimiterLiveness,
  clock: Clock,
  onForgotten: () => void,
): Promise<LimiterState> {
  const id = `${owner.pid}-${randomUUID()}`;
  const isSilent = listenTo(clock);
  const isGone = (holder: Holder) => holder.id !== id && (isSilent(holder) || stateOf(holder.owner) === 'dead');
  const ledger = openLedger({ id, owner, priority, isGone, clock, onForgotten });
  const copies = openCasFile(directory, id);
  let readAtMs = Number.NEGATIVE_INFINITY;
  let signs: AbortController | null = null;
  const closed = new AbortController();
  let tail: Promise<unknown> = Promise.resolve();

  function keepCopy(text: string): void {
    try {
      copies.put({ version: copies.latest().version + 1, text });
    } catch {
      // No request depends on it.
    }
  }

  async function read(): Promise<void> {
    const found = await store.latest(ledger.known().version);
    if (found !== null) ledger.adopt(found.version, found.text);
    readAtMs = clock.nowMs();
  }

  async function attempt<T>(change: Change<T>): Promise<{ readonly result: T } | null> {
    if (Math.abs(clock.nowMs() - readAtMs) > KNOWN_FOR_MS) await read();
    const built = ledger.build(change);
    const version = ledger.known().version + 1;
    const outcome = await store.putIfAbsent(version, formatState(built.state));
    if (outcome !== 'put') await read();
    if (outcome === 'taken') return null;
    // The store is read but takes nothing: to go on would be to wait without an end.
    if (outcome !== 'put' && !ledger.isAncestor(built)) throw outcome;
    ledger.accept(built, outcome === 'put' ? { version, state: built.state } : ledger.known());
    readAtMs = clock.nowMs();
    keepCopy(formatState(ledger.known().state));
    // What cannot be removed now is removed the next time.
    if (version % REMOVE_EVERY === 0) await store.removeOld().catch(() => undefined);
    return built;
  }

  async function update<T>(change: Change<T>): Promise<T | null> {
    for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
      const done = await attempt(change);
      if (done !== null) {
        keepSigns();
        return done.result;
      }
    }
    return null;
  }

  /** While requests are under way, others are to see that this process is alive. */
  function keepSigns(): void {
    const isRunning = ledger.known().state.holders.some((holder) => holder.id === id && holder.running > 0);
    if (!isRunning) signs?.abort();
    if (!isRunning) signs = null;
    if (!isRunning || signs !== null) return;
    const own = new AbortController();
    signs = own;
    clock.sleep(SIGN_MS, own.signal).then(
      () => {
        signs = null;
        // What cannot be written is written with the next request.
        inTurn(() => update(() => true)).catch(() => undefined);
      },
      () => undefined,
    );
  }

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = tail.then(work);
    tail = done.catch(() => undefined);
    return done;
  }

  await read();
  return {
    id,
    note: ledger.note,
    update: (change) => inTurn(() => update(change)),
    flush: async () => {
      await clock.sleep(FLUSH_MS, closed.signal).catch(() => undefined);
      if (!closed.signal.aborted && ledger.hasNotes()) await inTurn(() => update(() => true));
    },
    look: () => copyOf(ledger.known().state),
    close: () => {
      closed.abort();
      signs?.abort();
      store.close();
    },
  };
}

/** Whether nothing was heard of a holder for too long. Each update of its own has another number. */
function listenTo(clock: Clock): (holder: Holder) => boolean {
  const heard = new Map<string, { readonly revision: number; readonly atMs: number }>();
  return ({ id, revision }) => {
    const nowMs = clock.nowMs();
    for (const [other, { atMs }] of heard) if (Math.abs(nowMs - atMs) > 10 * SILENT_MS) heard.delete(other);
    const last = heard.get(id);
    if (last?.revision === revision) return Math.abs(nowMs - last.atMs) > SILENT_MS;
    heard.set(id, { revision, atMs: nowMs });
    return false;
  };
}
