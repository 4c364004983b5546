import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** Which process a piece of unfinished work belongs to. Plain data, written beside the work. */
export interface ProcessOwner {
  readonly host: string;
  readonly pid: number;
  /** What tells this process from a later one with the same pid: boot and start time where the system tells them, else ''. */
  readonly startIdentity: string;
}

/** This process. */
export function currentOwner(): ProcessOwner {
  return { host: hostname(), pid: process.pid, startIdentity: startIdentityOf(process.pid) };
}

/** `elsewhere`: it ran on another host, so nobody can tell from here. */
export type OwnerState = 'alive' | 'dead' | 'elsewhere';

/** Whether the process still runs. A pid that another process has taken over since counts as dead. */
export function ownerState(owner: ProcessOwner): OwnerState {
  if (owner.host !== hostname()) return 'elsewhere';
  try {
    process.kill(owner.pid, 0);
  } catch (thrown) {
    // EPERM: it exists and belongs to another user. Only ESRCH says that nothing runs under that pid.
    if ((thrown as NodeJS.ErrnoException).code !== 'EPERM') return 'dead';
  }
  const identity = startIdentityOf(owner.pid);
  return identity === '' || owner.startIdentity === '' || identity === owner.startIdentity ? 'alive' : 'dead';
}

/** Whether the process is known to run on this host now; a process of another host is not. */
export function isOwnerAlive(owner: ProcessOwner): boolean {
  return ownerState(owner) === 'alive';
}

/**
 * Boot id and start time in clock ticks since boot (`man 5 proc`, field 22 of `stat`). The command name before it may
 * hold spaces and parentheses, so the fields are counted from the last parenthesis.
 */
function startIdentityOf(pid: number): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return `${boot}:${fields[19] ?? ''}`;
  } catch {
    return '';
  }
}
