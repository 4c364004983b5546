import { type Emit, type ProcessOwner, systemProcesses } from '@edrlake/core';
import type { Lease } from '@edrlake/lake';

/**
 * Whether the process of a run is alive. If that is uncertain, it waits for the lease of the process to be renewed or
 * to expire.
 */
export type RunLiveness = (owner: ProcessOwner) => Promise<boolean>;

/**
 * @param lease of this process in the lake of the run; null for a lake opened for reading: then only what this machine
 * sees counts
 */
export function runLiveness(lease: Lease | null, emit: Emit): RunLiveness {
  return async (owner) => {
    if (lease === null) return systemProcesses.stateOf(owner) === 'alive';
    const { host, pid } = owner;
    const state = await lease.untilKnown(owner, (atMostMs) =>
      emit({ type: 'lease-wait', work: 'run', host, pid, atMostMs }),
    );
    return state === 'alive';
  };
}
