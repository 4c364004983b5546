import { dirname } from 'node:path';
import { syncPath } from '@edrlake/core';

/**
 * A new lake's own name has to survive a power cut, and so have those of the folders that were made for it: not by this
 * process alone, so all of them are synced as far up as they can be opened.
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
