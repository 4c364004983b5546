import type { Random } from '@edrlake/core';
import { systemError } from '../world/errors.ts';
import type { Interference, Task } from '../world/scheduler.ts';
import type { SimulatedProcess } from '../world/simulated-process.ts';

/** The operation that a fault waits for: the n-th of a kind in its process, counted from 1; `any` counts all. */
interface OperationMatch {
  readonly kind: string;
  readonly nth: number;
}

/** A fault of one operation of a process. */
export type OperationFault = OperationMatch &
  (
    | { readonly what: 'death' | 'power-cut'; readonly when: 'before' | 'half' | 'after' }
    | { readonly what: 'interrupt' }
    | { readonly what: 'error'; readonly code: ErrorCode; readonly times: number }
  );

/** The simulated errors of the system. */
export type ErrorCode = keyof typeof FAILING;

const WRITING = ['create', 'write', 'mkdir', 'link', 'rename', 'sync', 'duckdb'];

/** The operations that can fail with each error. */
export const FAILING = {
  ENOSPC: WRITING,
  EDQUOT: WRITING,
  EROFS: [...WRITING, 'unlink', 'rmdir'],
  EIO: [...WRITING, 'unlink', 'rmdir', 'read', 'list', 'stat', 'open'],
  EACCES: ['create', 'open', 'list', 'mkdir', 'rename', 'unlink', 'link', 'read'],
  EMFILE: ['create', 'open', 'list', 'read'],
} as const satisfies Record<string, readonly string[]>;

/** The parts of the world that a fault needs. */
interface FaultyWorld {
  end(process: SimulatedProcess): void;
  interrupt(process: SimulatedProcess): void;
  cutPower(random: Random): void;
}

/** How often each fault happened. */
export interface FaultTally {
  deaths: number;
  powerCuts: number;
  interrupts: number;
  errors: number;
}

interface Plan {
  readonly fault: OperationFault;
  isUsed: boolean;
  timesLeft: number;
}

/** Triggers planned faults at their operations. */
export class OperationFaults implements Interference {
  readonly tally: FaultTally = { deaths: 0, powerCuts: 0, interrupts: 0, errors: 0 };
  private readonly world: FaultyWorld;
  private readonly random: Random;
  private readonly plans = new Map<SimulatedProcess, Plan[]>();
  private readonly counts = new Map<SimulatedProcess, Map<string, number>>();
  private afterwards: (() => void) | null = null;

  constructor(world: FaultyWorld, random: Random) {
    this.world = world;
    this.random = random;
  }

  plan(process: SimulatedProcess, faults: readonly OperationFault[]): void {
    const plans = faults.map((fault) => ({
      fault,
      isUsed: false,
      timesLeft: fault.what === 'error' ? fault.times : 0,
    }));
    this.plans.set(process, plans);
  }

  before(task: Task): (() => unknown) | null {
    const { owner, kind } = task;
    if (owner === null || kind === null) return null;
    const plans = this.plans.get(owner);
    if (plans === undefined) return null;
    const counts = this.counts.get(owner) ?? new Map<string, number>();
    this.counts.set(owner, counts);
    for (const counted of [kind, 'any']) counts.set(counted, (counts.get(counted) ?? 0) + 1);
    for (const plan of plans) {
      if (!plan.isUsed && counts.get(plan.fault.kind) === plan.fault.nth) {
        plan.isUsed = true;
        if (plan.fault.what !== 'error') return this.happen(plan.fault, task, owner);
      }
      if (plan.isUsed && plan.timesLeft > 0 && plan.fault.what === 'error') {
        if (!canFail(task, plan.fault.code)) continue;
        plan.timesLeft -= 1;
        this.tally.errors += 1;
        return failing(plan.fault.code, task);
      }
    }
    return null;
  }

  after(): void {
    const act = this.afterwards;
    this.afterwards = null;
    act?.();
  }

  private happen(
    fault: Exclude<OperationFault, { what: 'error' }>,
    task: Task,
    owner: SimulatedProcess,
  ): (() => unknown) | null {
    if (fault.what === 'interrupt') {
      this.tally.interrupts += 1;
      this.world.interrupt(owner);
      return null;
    }
    const act = () => {
      if (fault.what === 'death') {
        this.tally.deaths += 1;
        this.world.end(owner);
      } else {
        this.tally.powerCuts += 1;
        this.world.cutPower(this.random);
      }
    };
    if (fault.when === 'before') {
      act();
      return null;
    }
    this.afterwards = act;
    return fault.when === 'half' ? (task.half ?? null) : null;
  }
}

/** DuckDB statements that write files can fail because of the disk. */
function canFail(task: Task, code: ErrorCode): boolean {
  const { kind, label } = task;
  if (kind === 'duckdb') return (FAILING[code] as readonly string[]).includes(kind) && /COPY|CHECKPOINT/.test(label);
  return (FAILING[code] as readonly string[]).includes(kind ?? '');
}

function failing(code: ErrorCode, { kind, label }: Task): () => never {
  return () => {
    if (kind === 'duckdb') throw new Error(`IO Error: Could not write file: ${MESSAGES[code]}`);
    throw systemError(code, CALLS[kind ?? ''] ?? kind ?? '', label);
  };
}

/** Names of the system's calls, where they are not those of the operations. */
const CALLS: Readonly<Record<string, string>> = { create: 'open', list: 'scandir', sync: 'fsync', stat: 'lstat' };

const MESSAGES: Readonly<Record<ErrorCode, string>> = {
  ENOSPC: 'No space left on device',
  EDQUOT: 'Disk quota exceeded',
  EROFS: 'Read-only file system',
  EIO: 'Input/output error',
  EACCES: 'Permission denied',
  EMFILE: 'Too many open files',
};
