import { dirname } from 'node:path';
import { syncPath } from '@edrlake/core';

/**
 * Syncs the names of a new lake and of the folders above it, so that they survive a power cut. Another process may have
 * made these folders without syncing them, so all are synced, as far up as they can be opened.
 */
export async function syncParentFolders(directory: string): Promise<void> {
  for (let at = directory; ; at = dirname(at)) {
    const isSynced = await syncPath(at).then(
      () => true,
      () => false,
    );
    if (!isSynced || dirname(at) === at) return;
  }
}
