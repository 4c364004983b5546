import type { Random } from '@edrlake/core';
import type { S3Fault } from '../../packages/lake/test/s3-server.ts';
import { FOLDERS, type LakeHomes, OBJECTS_HERE } from '../e2e/lake-home.ts';
import { EDR, FIM, type TrueDataset } from '../e2e/lake-truth.ts';

/** The options of `fault-hook.mjs`. */
export interface FaultPlan {
  /** Only operations below it count; ends with a slash. */
  readonly root: string;
  /** Counts only operations that match, such as `link _log/`. */
  readonly matching: string;
  /** From 1; 0 for none. */
  readonly step: number;
  readonly action: DiskAction | 'none';
  /** The file that records every step; null for none. */
  readonly stepsFile: string | null;
}

/** What happens to one operation on the disk. */
export type DiskAction =
  | 'kill-before'
  | 'kill-after'
  | 'stop-before'
  | 'interrupt'
  | 'ENOSPC'
  | 'EIO'
  | 'EACCES'
  | 'EMFILE'
  /** From this step on. */
  | 'EROFS';

/** What happens to one request to an object store: the process is killed before or after it is done, or it fails. */
export type RequestAction = 'kill-before' | 'kill-after' | S3Fault;

/** The commands that are swept, each on a lake made for it. */
export const COMMANDS = ['backfill', 'sync', 'compact', 'vacuum', 'repair', 'nightly'] as const;
export type SweptCommand = (typeof COMMANDS)[number];

/** What lakes hold, and what writes them. */
export interface Variant {
  readonly dataset: TrueDataset;
  readonly writer: 'duckdb' | 'parquetjs';
  readonly homes: LakeHomes;
  /** Of requests: those that its servers can do. */
  readonly faults: readonly S3Fault[];
  /** The others need DuckDB. */
  readonly commands: readonly SweptCommand[];
}

/** By the name that `npm run crash -- --variants` takes. */
export const VARIANTS: Readonly<Record<string, Variant>> = {
  edr: { dataset: EDR, writer: 'duckdb', homes: FOLDERS, faults: [], commands: COMMANDS },
  fim: { dataset: FIM, writer: 'duckdb', homes: FOLDERS, faults: [], commands: COMMANDS },
  portable: {
    ...{ dataset: EDR, writer: 'parquetjs', homes: FOLDERS, faults: [] },
    commands: ['backfill', 'sync', 'repair'],
  },
  objects: {
    ...{ dataset: EDR, writer: 'duckdb', homes: OBJECTS_HERE },
    faults: ['lost', 'unanswered', 'failed-after', 'late', 'stale-list', 500, 503],
    commands: COMMANDS,
  },
};

/**
 * Leases and the shared rate limiter are renewed by time, and the log of requests is written beside the work, so their
 * steps have no fixed number; they have tests of their own.
 */
export const COUNTED = '^(?!.*(_leases|/budget-|_runs/requests))';

/** An operation on the disk, or a request to the object store, of an undisturbed run. */
export interface Step {
  readonly at: 'disk' | 'store';
  /** Among all of the same place, from 1. */
  readonly number: number;
  /** `rename`, or `PUT _log`. */
  readonly kind: string;
  /** With the path, such as `rename events/…`. */
  readonly what: string;
}

const KILLS = ['kill-before', 'kill-after'] as const;
const ERRORS = ['ENOSPC', 'EIO', 'EACCES', 'EMFILE', 'EROFS'] as const;

/** One disturbed run of a command. */
export interface Trial {
  readonly command: SweptCommand;
  readonly step: Step;
  readonly action: DiskAction | RequestAction;
}

const failuresOf = ({ at }: Step, { faults }: Variant) => (at === 'disk' ? ERRORS : faults);

/** @param steps of an undisturbed run, in order */
export function allTrials(command: SweptCommand, steps: readonly Step[], variant: Variant): Trial[] {
  return steps.flatMap((step) => [...KILLS, ...failuresOf(step, variant)].map((action) => ({ command, step, action })));
}

/** The trials, kills and errors in turn, each kind of operation equally likely; in object stores mostly of requests. */
export function sampledTrials(
  command: SweptCommand,
  steps: readonly Step[],
  count: number,
  { random, variant }: { readonly random: Random; readonly variant: Variant },
): Trial[] {
  const kindsOf = (at: Step['at']) => {
    const byKind = new Map<string, Step[]>();
    for (const step of steps.filter((each) => each.at === at)) {
      byKind.set(step.kind, [...(byKind.get(step.kind) ?? []), step]);
    }
    return [...byKind.values()];
  };
  const [onDisk, inStore] = [kindsOf('disk'), kindsOf('store')];
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  return Array.from({ length: count }, (_, n) => {
    const step = pick(pick(inStore.length > 0 && (onDisk.length === 0 || n % 4 < 3) ? inStore : onDisk));
    return { command, step, action: pick<Trial['action']>(n % 2 === 0 ? KILLS : failuresOf(step, variant)) };
  });
}
