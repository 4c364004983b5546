import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Which process a piece of unfinished work belongs to. Plain data, written beside the work. */
export interface ProcessOwner {
  readonly host: string;
  readonly pid: number;
  /**
   * Distinguishes this process from a later one with the same pid: boot and start time where the system has them, else
   * ''.
   */
  readonly startIdentity: string;
  /**
   * Boot and pid namespace, '' where the system has no such thing: a pid means something only within one namespace, and
   * containers may share a host name. Records of older versions lack it.
   */
  readonly namespace?: string;
  /** The lease that the work is held by. Records of older versions lack it. */
  readonly instance?: string;
}

/**
 * `elsewhere`: it ran on another host or in another container, so its process cannot be seen from here. Its lease
 * decides.
 */
export type OwnerState = 'alive' | 'dead' | 'elsewhere';

/** Identifies processes. Another implementation than the system's lets one process simulate several. */
export interface ProcessTable {
  /** This process. */
  current(): ProcessOwner;
  /** Whether a process still runs. A pid that another process has taken over since counts as dead. */
  stateOf(owner: ProcessOwner): OwnerState;
}

/** The processes of this machine, as far as this one can see them. */
export const systemProcesses: ProcessTable = {
  current: () => ({
    host: hostname(),
    pid: process.pid,
    startIdentity: startIdentityOf('self'),
    namespace: namespaceOfThis(),
  }),
  stateOf: (owner) => {
    const namespace = owner.namespace ?? '';
    if (owner.host !== hostname() && namespace === '') return 'elsewhere';
    // A record without a namespace is of an older version, or of a system without them: only its host name can be
    // compared.
    if (owner.namespace !== undefined && namespace !== namespaceOfThis()) return 'elsewhere';
    try {
      process.kill(owner.pid, 0);
    } catch (thrown) {
      // EPERM: it exists and belongs to another user. Only ESRCH says that nothing runs under that pid.
      if ((thrown as NodeJS.ErrnoException).code !== 'EPERM') return 'dead';
    }
    // In a container that sees the /proc of its host, the entry of that number is another process.
    if (!seesOwnProcesses()) return owner.pid === process.pid ? 'alive' : 'elsewhere';
    const identity = startIdentityOf(String(owner.pid));
    return identity === '' || owner.startIdentity === '' || identity === owner.startIdentity ? 'alive' : 'dead';
  },
};

/**
 * Boot id and start time in clock ticks since boot (`man 5 proc`, field 22 of `stat`). The command name before it may
 * hold spaces and parentheses, so the fields are counted from the last parenthesis.
 */
function startIdentityOf(process: string): string {
  try {
    const stat = readFileSync(`/proc/${process}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return `${bootId()}:${fields[19] ?? ''}`;
  } catch {
    return '';
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function namespaceOfThis(): string {
  try {
    return `${bootId()}:${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
}

function seesOwnProcesses(): boolean {
  try {
    return readlinkSync('/proc/self') === String(process.pid);
  } catch {
    // No such file system: then nothing is read from it either.
    return true;
  }
}
