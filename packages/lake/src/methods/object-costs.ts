import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, closeAfter, unwritable, writeAtomic } from '@edrlake/core';
import type { CommitRequest, CommitResult } from '../commit/commit.ts';
import { type ObjectTraffic, PARTIAL_SUFFIX, type Store } from '../storage/store.ts';

/** What some work cost in an object store, and when it ended. */
export interface ObjectCost extends ObjectTraffic {
  readonly endedAtMs: number;
}

/** What was last done from this machine. */
export interface ObjectCosts {
  readonly lastCommit: ObjectCost & { readonly version: number };
  /** All that the process did that made this commit, such as a night. */
  readonly lastRun: ObjectCost & { readonly commits: number };
}

/** The part of a lake that counts. */
export interface Costing {
  /** Requests to the object store since it was opened; null for a lake on a disk. */
  objectTraffic(): ObjectTraffic | null;
  /** What the last commit, and the last run with a commit, cost from this machine; null where there was none. */
  objectCosts(): Promise<ObjectCosts | null>;
}

const COSTS_FILE = 'object-costs.json';

interface Counted {
  commit(request: CommitRequest): Promise<CommitResult>;
  close(): Promise<void>;
}

/**
 * Counts what commits cost, and notes it in the work folder when the lake is closed. A lake on a disk counts nothing.
 */
export function countingCosts<T extends Counted>(
  lake: T,
  about: {
    readonly store: Store;
    readonly directory: string;
    readonly clock: Clock;
    readonly knownVersion: () => number;
  },
): T & Costing {
  const { store, directory, clock, knownVersion } = about;
  const { remote } = store;
  const path = join(directory, COSTS_FILE);
  if (remote === null) return { ...lake, objectTraffic: () => null, objectCosts: async () => null };
  let lastCommit: ObjectCosts['lastCommit'] | null = null;
  let commits = 0;
  const commit = async (request: CommitRequest) => {
    const [before, version] = [remote.traffic(), knownVersion()];
    const result = await lake.commit(request);
    // There was nothing to commit.
    if (result.version === version) return result;
    const cost = trafficBetween(before, remote.traffic());
    lastCommit = { ...cost, endedAtMs: clock.nowMs(), version: result.version };
    commits += 1;
    return result;
  };
  const note = async () => {
    if (lastCommit === null) return;
    const lastRun = { ...remote.traffic(), endedAtMs: clock.nowMs(), commits };
    const refusal = (_: string, thrown: unknown) => unwritable(path, thrown);
    const text = `${JSON.stringify({ lastCommit, lastRun } satisfies ObjectCosts)}\n`;
    // Costs are for a person to look at: the work is done without them.
    await writeAtomic(path, text, {
      ...{ temporary: `${path}.${randomUUID()}${PARTIAL_SUFFIX}`, refusal, syncs: 'nothing' },
    }).catch(() => undefined);
  };
  return {
    ...lake,
    commit,
    close: () => closeAfter(note, () => lake.close()),
    objectTraffic: remote.traffic,
    objectCosts: async () => parsed(await readFile(path, 'utf8').catch(() => '')),
  };
}

function trafficBetween(before: ObjectTraffic, after: ObjectTraffic): ObjectTraffic {
  return {
    requests: after.requests - before.requests,
    sentBytes: after.sentBytes - before.sentBytes,
    receivedBytes: after.receivedBytes - before.receivedBytes,
  };
}

/** null for a file that a power cut left in part. */
function parsed(text: string): ObjectCosts | null {
  try {
    return JSON.parse(text) as ObjectCosts;
  } catch {
    return null;
  }
}
