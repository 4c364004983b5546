import { randomUUID } from 'node:crypto';
import { makeFolder } from '@edrlake/core';
import { claimWorkFolder, releaseWorkFolder } from '../commit/apply-commit.ts';
import { type Lease, type LeaseTools, openLease } from '../storage/lease.ts';
import { type RecoveryTools, recover } from './recover.ts';

/** A process's hold on a lake that it has open for writing. */
export interface LakeHold {
  readonly lease: Lease;
  /** The folder of its unfinished work, relative to the lake. */
  readonly workFolder: string;
  /** Releases both, and recovers what other processes left that died in the meantime. */
  release(): Promise<void>;
}

/**
 * Takes a lease, recovers what dead processes left behind, and starts a work folder.
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`, `LAKE_CORRUPT`
 */
export async function holdLake(
  tools: Omit<RecoveryTools, 'lease'> & LeaseTools & { readonly waits?: boolean },
): Promise<LakeHold> {
  const { store, waits = true } = tools;
  const lease = await openLease(store, tools);
  try {
    await recover({ ...tools, lease }, waits);
    const workFolder = await claimWorkFolder(store, lease.owner, randomUUID());
    await makeFolder(store.locate(workFolder));
    const release = async () => {
      try {
        await releaseWorkFolder(store, workFolder);
        await recover({ ...tools, lease }, false);
      } finally {
        await lease.release();
      }
    };
    return { lease, workFolder, release };
  } catch (thrown) {
    await lease.release();
    throw thrown;
  }
}
