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
import { removeDeadHolders } from './fair-queue.ts';
import {
  emptyState,
  formatState,
  type Holder,
  parseState,
  type RequestPriority,
  type SharedState,
  type StateUpdate,
} from './shared-state.ts';
import { boundedState } from './shared-state-bounds.ts';

/** This process, and which other processes are alive. */
export interface LimiterLiveness {
  readonly owner: ProcessOwner;
  /** `elsewhere`: its process cannot be seen from here, and its lease, if it has one, has not expired. */
  readonly stateOf: (owner: ProcessOwner) => OwnerState;
}

/** The shared state of a rate limiter, with an entry for this process. */
export interface SharedLimiterFile {
  readonly id: string;
  /**
   * Applies the notes so far and then `change`, in one step that other processes see whole. `change` may be called
   * several times and must only touch the draft.
   * @returns null when other processes were faster each time; then nothing has changed, and the notes are still to be
   * applied
   * @throws {EdrlakeError} `LAKE_UNWRITABLE`; the notes are kept
   */
  update<T>(change: (draft: StateUpdate) => T): T | null;
  /** Notes a change, to be applied with the next update. */
  note(change: (draft: StateUpdate) => void): void;
  /** The latest state, a copy; the last known one where it cannot be read. */
  look(): SharedState;
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
/** Clocks of several hosts differ; one that is behind by less than this uses the time of those ahead. */
const CLOCK_TOLERANCE_MS = 60_000;

/**
 * @param onForgotten is called whenever a stored state, or a part of it, is not plausible
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`
 */
export function openSharedLimiterFile(
  directory: string,
  priority: RequestPriority,
  liveness: LimiterLiveness,
  clock: Clock,
  onForgotten: () => void,
): SharedLimiterFile {
  const id = `${liveness.owner.pid}-${randomUUID()}`;
  const versions = openCasFile(directory, id);
  const isGone = watchOthers(id, liveness, versions.forget, clock);
  let notes: ((draft: StateUpdate) => void)[] = [];
  let mine: StateUpdate['mine'] = { unanswered: 0, running: 0, waiting: null };
  let revision = 0;
  let known = readLatest();

  function readLatest(): { readonly version: number; readonly state: SharedState } {
    const { version, text } = versions.latest();
    // An unreadable state is treated as unknown: the headers of the next answer report what is left.
    const state = parseState(text);
    const bounded = state === null ? emptyState() : boundedState(state, clock.nowMs());
    if (bounded !== null && version > 0) onForgotten();
    return { version, state: bounded ?? state ?? emptyState() };
  }

  /** The next state: the known one with `change` applied. */
  function build<T>(change: (draft: StateUpdate) => T): { state: SharedState; mine: StateUpdate['mine']; result: T } {
    const state = copyOf(known.state);
    const ownNowMs = clock.nowMs();
    const { lastNowMs } = state.slidingWindow;
    const nowMs = lastNowMs - ownNowMs <= CLOCK_TOLERANCE_MS ? Math.max(ownNowMs, lastNowMs) : ownNowMs;
    removeDeadHolders(state, isGone, nowMs);
    // This process knows its own requests in flight best; its entry may be missing because the file was lost.
    const entry = state.holders.find((holder) => holder.id === id);
    state.slidingWindow.inFlight += (mine?.unanswered ?? 0) - (entry?.unanswered ?? 0);
    const draft: StateUpdate = { state, mine: mine === null ? null : { ...mine }, nowMs };
    // The own entry is in its place, because it counts for the order of the queue.
    state.holders = withEntry(state.holders, draft);
    for (const note of notes) {
      note(draft);
      state.holders = withEntry(state.holders, draft);
    }
    const result = change(draft);
    state.holders = withEntry(state.holders, draft);
    return { state, mine: draft.mine, result };
  }

  function withEntry(holders: readonly Holder[], { mine: entry, nowMs }: StateUpdate): readonly Holder[] {
    const others = holders.filter((holder) => holder.id !== id);
    if (entry === null) return others;
    return [...others, { id, owner: liveness.owner, priority, revision: revision + 1, seenAtMs: nowMs, ...entry }];
  }

  /** Whether the latest state contains what was just written, or was built on it. */
  function isAncestor(built: { readonly mine: StateUpdate['mine'] }): boolean {
    known = readLatest();
    const entry = known.state.holders.find((holder) => holder.id === id);
    return built.mine === null ? entry === undefined : entry?.revision === revision + 1;
  }

  return {
    id,
    note: (change) => {
      notes.push(change);
    },
    update(change) {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const built = build(change);
        const version = known.version + 1;
        const outcome = versions.put({ version, text: formatState(built.state) });
        if (outcome === 'put') known = { version, state: built.state };
        if (outcome === 'put' || (outcome === 'unsure' && isAncestor(built))) {
          revision++;
          mine = built.mine;
          notes = [];
          return built.result;
        }
        if (outcome === 'taken') known = readLatest();
      }
      return null;
    },
    look() {
      try {
        known = readLatest();
      } catch {
        // The last known state is good enough to read; the next write reports the error.
      }
      return copyOf(known.state);
    },
  };
}

/** Its lists are never changed in place. */
function copyOf(state: SharedState): SharedState {
  return { ...state, slidingWindow: { ...state.slidingWindow } };
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
