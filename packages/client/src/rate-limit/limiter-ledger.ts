import type { Clock, ProcessOwner } from '@edrlake/core';
import { removeDeadHolders } from './fair-queue.ts';
import {
  emptyState,
  type Holder,
  IDLE,
  parseState,
  type RequestPriority,
  type SharedState,
  type StateUpdate,
} from './shared-state.ts';
import { boundedState } from './shared-state-bounds.ts';

/** A change of the shared state. It may be made several times and must only touch the draft. */
export type Change<T> = (draft: StateUpdate) => T;

/** The state as it was read or written last. */
export interface KnownState {
  readonly version: number;
  readonly state: SharedState;
}

/** The next state, with a change made. */
export interface BuiltState<T> {
  readonly state: SharedState;
  readonly mine: StateUpdate['mine'];
  readonly result: T;
  /** How many of the notes are in it. */
  readonly noted: number;
}

/** What one process knows of the shared state and of its own part in it, wherever the state is kept. */
export interface LimiterLedger {
  readonly id: string;
  known(): KnownState;
  /** Takes over what was read. */
  adopt(version: number, text: string): void;
  /** Notes a change, to be made with the next state that is written. */
  note(change: (draft: StateUpdate) => void): void;
  hasNotes(): boolean;
  build<T>(change: Change<T>): BuiltState<T>;
  /** A state that was built is the newest one now; or has been, and what is known was read since. */
  accept(built: BuiltState<unknown>, known: KnownState): void;
  /** Whether the known state contains what was just written, or was built on it. */
  isAncestor(built: BuiltState<unknown>): boolean;
}

/** Clocks of several hosts differ; one that is behind by less than this uses the time of those ahead. */
const CLOCK_TOLERANCE_MS = 60_000;

/** What a ledger needs to know. */
interface LedgerSettings {
  readonly id: string;
  readonly owner: ProcessOwner;
  readonly priority: RequestPriority;
  readonly isGone: (holder: Holder, nowMs: number) => boolean;
  readonly clock: Clock;
  /** Called whenever a stored state, or a part of it, is not plausible. */
  readonly onForgotten: () => void;
}

/** A ledger that knows of no state yet. */
export function openLedger({ id, owner, priority, isGone, clock, onForgotten }: LedgerSettings): LimiterLedger {
  let notes: ((draft: StateUpdate) => void)[] = [];
  let mine: StateUpdate['mine'] = IDLE;
  let revision = 0;
  let known: KnownState = { version: 0, state: emptyState() };

  function withEntry(holders: readonly Holder[], { mine: entry, nowMs }: StateUpdate): readonly Holder[] {
    const others = holders.filter((holder) => holder.id !== id);
    if (entry === null) return others;
    return [...others, { id, owner, priority, revision: revision + 1, seenAtMs: nowMs, ...entry }];
  }

  return {
    id,
    known: () => known,
    adopt(version, text) {
      // An unreadable state is treated as unknown: the headers of the next answer report what is left.
      const state = parseState(text);
      const bounded = state === null ? emptyState() : boundedState(state, clock.nowMs());
      if (bounded !== null && version > 0) onForgotten();
      known = { version, state: bounded ?? state ?? emptyState() };
    },
    note: (change) => {
      notes.push(change);
    },
    hasNotes: () => notes.length > 0,
    build(change) {
      const state = copyOf(known.state);
      const ownNowMs = clock.nowMs();
      const { lastNowMs } = state.slidingWindow;
      const nowMs = lastNowMs - ownNowMs <= CLOCK_TOLERANCE_MS ? Math.max(ownNowMs, lastNowMs) : ownNowMs;
      removeDeadHolders(state, (holder) => isGone(holder, nowMs), nowMs);
      // This process knows its own requests in flight best; its entry may be missing because the state was lost.
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
      return { state, mine: draft.mine, result, noted: notes.length };
    },
    accept(built, now) {
      known = now;
      revision++;
      mine = built.mine;
      notes = notes.slice(built.noted);
    },
    isAncestor: ({ mine: wanted }) => {
      const entry = known.state.holders.find((holder) => holder.id === id);
      return wanted === null ? entry === undefined : entry?.revision === revision + 1;
    },
  };
}

/** Its lists are never changed in place. */
export function copyOf(state: SharedState): SharedState {
  return { ...state, slidingWindow: { ...state.slidingWindow } };
}
