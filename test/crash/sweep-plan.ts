import type { Random } from '@edrlake/core';

/** The options of `fault-hook.mjs`. */
export interface FaultPlan {
  /** Only operations below it count; ends with a slash. */
  readonly root: string;
  /** Counts only operations that match, such as `link _log/`. */
  readonly matching: string;
  /** From 1; 0 for none. */
  readonly step: number;
  readonly action: FaultAction;
  /** The file that records every step; null for none. */
  readonly stepsFile: string | null;
}

export type FaultAction =
  | 'none'
  | 'kill-before'
  | 'kill-after'
  | 'stop-before'
  | 'ENOSPC'
  | 'EIO'
  | 'EACCES'
  | 'EMFILE';

/** The commands that are swept, each on a lake made for it. */
export const COMMANDS = ['backfill', 'sync', 'compact', 'vacuum', 'repair', 'nightly'] as const;
export type SweptCommand = (typeof COMMANDS)[number];

/**
 * Leases and the shared rate limiter are renewed by time, so their steps have no fixed number; they have tests of their
 * own.
 */
export const COUNTED = '^(?!.*(_leases|/budget-))';

const KILLS: readonly FaultAction[] = ['kill-before', 'kill-after'];
const ERRORS: readonly FaultAction[] = ['ENOSPC', 'EIO', 'EACCES', 'EMFILE'];

/** One disturbed run of a command. */
export interface Trial {
  readonly command: SweptCommand;
  readonly step: number;
  readonly action: FaultAction;
  /** The operation at this step in an undisturbed run. */
  readonly what: string;
}

/** @param steps the operations of an undisturbed run, in order: `rename events/…` */
export function allTrials(command: SweptCommand, steps: readonly string[]): Trial[] {
  return steps.flatMap((what, position) =>
    [...KILLS, ...ERRORS].map((action) => ({ command, step: position + 1, action, what })),
  );
}

/** The trials, kills and errors in turn, each kind of operation equally likely. */
export function sampledTrials(command: SweptCommand, steps: readonly string[], count: number, random: Random): Trial[] {
  const byKind = new Map<string, number[]>();
  for (const [position, what] of steps.entries()) {
    const kind = what.split(' ')[0] ?? '';
    byKind.set(kind, [...(byKind.get(kind) ?? []), position]);
  }
  const kinds = [...byKind.values()];
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  return Array.from({ length: count }, (_, n) => {
    const position = pick(pick(kinds));
    return { command, step: position + 1, action: pick(n % 2 === 0 ? KILLS : ERRORS), what: steps[position] ?? '' };
  });
}
