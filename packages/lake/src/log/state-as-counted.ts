import type { Store } from '../storage/store.ts';
import type { LakeState } from './lake-state.ts';
import { readEntry } from './log-files.ts';

/**
 * The state without the files that came after a version, where another run has brought events since: who counted at
 * that version knows nothing of them. The run's own files are left out then as well, because they may be copies.
 */
export async function stateAsCounted(
  store: Store,
  state: LakeState,
  { version, runId }: { readonly version: number; readonly runId: string },
): Promise<LakeState> {
  const later = state.commits.filter((commit) => commit.version > version);
  const isAlone = later.every((one) => one.runId === runId || one.newEvents + one.changedEvents === 0);
  if (isAlone) return state;
  const files = new Map(state.files);
  for (const commit of later) {
    const entry = await readEntry(store, commit.version);
    // Of an entry that is gone nothing is known.
    if (entry === null) return { ...state, files: new Map() };
    for (const { path } of entry.added) files.delete(path);
  }
  return { ...state, files };
}
