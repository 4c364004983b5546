// How processes share one rate limiter without a lock. The state is the file with the highest number in one folder:
//
//   ┌─► read the newest version n
//   │     build n + 1: remove dead processes, apply own notes (answers that came meanwhile), then the change
//   │     link n + 1  ── succeeds ──► the change has happened; notes are cleared
//   └──── fails: another process wrote n + 1
//
// A compare-and-swap: of processes that build on one version exactly one wins, and the others build again on its
// result. So a change may be applied several times and must only touch the draft. A process that dies between two steps
// blocks no other.

import { randomUUID } from 'node:crypto';
import type { Clock, OwnerState, ProcessOwner } from '@edrlake/core';
import { openCasFile } from './cas-file.ts';
import { type Change, copyOf, openLedger } from './limiter-ledger.ts';
import { formatState, type Holder, type RequestPriority, type SharedState, type StateUpdate } from './shared-state.ts';

/** This process, and which other processes are alive. */
export interface LimiterLiveness {
  readonly owner: ProcessOwner;
  /** `elsewhere`: its process cannot be seen from here, and its lease, if it has one, has not expired. */
  readonly stateOf: (owner: ProcessOwner) => OwnerState;
}

/** The shared state of a rate limiter, with an entry for this process, wherever it is kept. */
export interface LimiterState {
  readonly id: string;
  /**
   * Applies the notes so far and then `change`, in one step that other processes see whole. `change` may be called
   * several times and must only touch the draft.
   * @returns null when other processes were faster each time; then nothing has changed, and the notes are still to be
   * applied
   * @throws {EdrlakeError} `LAKE_UNWRITABLE`, `STORE_UNREACHABLE`, `STORE_REFUSED`; the notes are kept
   */
  update<T>(change: Change<T>): T | null | Promise<T | null>;
  /** Notes a change, to be applied with the next update. */
  note(change: (draft: StateUpdate) => void): void;
  /** Applies the notes, if there are any; where that fails they are kept. */
  flush(): void | Promise<void>;
  /** The latest state that is known, a copy. */
  look(): SharedState;
  /** No update may follow. */
  close(): void;
}

/** Attempts of an update. Each failure means that another process succeeded, so a row of this many is very unlikely. */
const MAX_ATTEMPTS = 100;
/** How long it may take to notice that another process of this host is dead. */
const FRESH_MS = 500;
/**
 * Silence after which a process of an older version elsewhere, without a lease, counts as dead: no request takes as
 * long.
 */
const SILENT_MS = 600_000;

/**
 * The state in a folder. Its updates take a fraction of a millisecond and are done when they return.
 * @param onForgotten is called whenever a stored state, or a part of it, is not plausible
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`
 */
export function openSharedLimiterFile(
  directory: string,
  priority: RequestPriority,
  liveness: LimiterLiveness,
  clock: Clock,
  onForgotten: () => void,
): LimiterState {
  const { owner } = liveness;
  const id = `${owner.pid}-${randomUUID()}`;
  const versions = openCasFile(directory, id);
  const isGone = watchOthers(id, liveness, versions.forget, clock);
  const ledger = openLedger({ id, owner, priority, isGone, clock, onForgotten });
  const read = () => {
    const { version, text } = versions.latest();
    ledger.adopt(version, text);
  };
  function update<T>(change: Change<T>): T | null {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const built = ledger.build(change);
      const version = ledger.known().version + 1;
      const outcome = versions.put({ version, text: formatState(built.state) });
      if (outcome !== 'put') read();
      if (outcome === 'put' || (outcome === 'unsure' && ledger.isAncestor(built))) {
        ledger.accept(built, outcome === 'put' ? { version, state: built.state } : ledger.known());
        return built.result;
      }
    }
    return null;
  }

  read();
  return {
    id,
    note: ledger.note,
    update,
    flush: () => {
      update(() => true);
    },
    look() {
      try {
        read();
      } catch {
        // The last known state is good enough to read; the next write reports the error.
      }
      return copyOf(ledger.known().state);
    },
    close: () => {},
  };
}

/** Checks each of the other processes no more often than needed, because it reads the process table. */
function watchOthers(
  ownId: string,
  liveness: LimiterLiveness,
  forget: (id: string) => void,
  clock: Clock,
): (holder: Holder) => boolean {
  const seen = new Map<string, { readonly isGone: boolean; readonly atMs: number }>();

  function look({ id, owner, seenAtMs }: Holder, nowMs: number): boolean {
    const state = liveness.stateOf(owner);
    if (state === 'elsewhere') return owner.instance === undefined && Math.abs(nowMs - seenAtMs) > SILENT_MS;
    if (state === 'dead') forget(id);
    return state === 'dead';
  }

  return (holder) => {
    if (holder.id === ownId) return false;
    const nowMs = clock.nowMs();
    const before = seen.get(holder.id);
    if (before !== undefined && Math.abs(nowMs - before.atMs) < FRESH_MS) return before.isGone;
    for (const [id, { atMs }] of seen) if (Math.abs(nowMs - atMs) > SILENT_MS) seen.delete(id);
    const isGone = look(holder, nowMs);
    seen.set(holder.id, { isGone, atMs: nowMs });
    return isGone;
  };
}
