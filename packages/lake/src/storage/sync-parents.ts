import { dirname } from 'node:path';
import { errnoOf, syncPath, unwritable } from '@edrlake/core';

/** What says that the disk failed, and not that this user, or this file system, cannot sync a folder. */
const DISK_FAILED = ['EIO', 'ENOSPC', 'EDQUOT'];

/**
 * Syncs the names of a new lake and of the folders above it, so that they survive a power cut. Another process may have
 * made these folders without syncing them, so all are synced; one above the lake that cannot be opened is left out.
 * @throws {EdrlakeError} `LAKE_UNWRITABLE` where the lake itself cannot be synced, or the disk fails
 */
export async function syncParentFolders(directory: string): Promise<void> {
  for (let at = directory; ; at = dirname(at)) {
    await syncPath(at).catch((thrown) => {
      if (at === directory || DISK_FAILED.includes(errnoOf(thrown))) throw unwritable(at, thrown);
    });
    if (dirname(at) === at) return;
  }
}
