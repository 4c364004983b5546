import { type ProcessOwner, systemProcesses } from '@edrlake/core';
import { OWNER_SUFFIX } from '../commit/apply-commit.ts';
import { unfinishedCommits } from '../recovery/recover.ts';
import { FOLDERS, isManifestName, parseLeaseName } from '../storage/layout.ts';
import type { Store } from '../storage/store.ts';
import { lookAtLeases, parseOwner } from '../storage/watch-leases.ts';
import type { Examination, LakeDamage } from './lake-damage.ts';

const NEXT_WRITER = 'edrlake vacuum';

/** Unfinished work of dead processes, and small files that cannot be understood. */
export async function examineWork({ store, nowMs }: Examination): Promise<LakeDamage[]> {
  const found: LakeDamage[] = [...(await examineLeases(store, nowMs))];
  const manifests = (await store.list(FOLDERS.spool)).filter(isManifestName);
  const readable = await unfinishedCommits(store);
  const left = readable.filter(({ owner }) => systemProcesses.stateOf(owner) === 'dead');
  for (const { commitId } of left) {
    found.push({
      part: 'work',
      found: `${FOLDERS.spool}/publish-${commitId}.json: a commit of a dead process`,
      means:
        'Patterns over the table folders may return rows twice or not at all. The next command that writes finishes it.',
      command: NEXT_WRITER,
      paths: [`${FOLDERS.spool}/publish-${commitId}.json`],
    });
  }
  const known = new Set(readable.map(({ commitId }) => `publish-${commitId}.json`));
  for (const name of manifests.filter((each) => !known.has(each))) {
    const isSaid = readable.some(({ commitId }) => name.includes(commitId));
    if (isSaid) continue;
    found.push(unreadable(`${FOLDERS.spool}/${name}`, 'what a commit was about to publish'));
  }
  for (const name of (await store.list(FOLDERS.work)).filter((each) => each.endsWith(OWNER_SUFFIX))) {
    const path = `${FOLDERS.work}/${name}`;
    if ((await ownerAt(store, path)) === null) {
      found.push({ ...unreadable(path, 'whose unfinished work it is'), command: 'edrlake vacuum --grace 0s' });
    }
  }
  for (const name of (await store.list(FOLDERS.runs)).filter((each) => each.endsWith('.jsonl'))) {
    const path = `${FOLDERS.runs}/${name}`;
    const text = (await store.read(path)) ?? '';
    if (text.split('\n').some(isJournalLine)) continue;
    found.push({
      ...unreadable(path, 'what a run did'),
      means: 'edrlake ignores it: the run cannot be resumed or shown, and its work is done again. Delete it.',
      command: `rm ${path}`,
    });
  }
  return found;
}

/**
 * Leases that cannot be understood, and leases of dead processes, which delay no process once a writer has removed
 * them.
 */
async function examineLeases(store: Store, nowMs: number): Promise<LakeDamage[]> {
  const found: LakeDamage[] = [];
  const { isOwnerAlive } = await lookAtLeases(store, nowMs);
  for (const name of await store.list(FOLDERS.leases)) {
    const path = `${FOLDERS.leases}/${name}`;
    const text = await store.read(path);
    // Renewed or released since it was listed.
    if (text === null) continue;
    const owner = parseOwner(text);
    if (parseLeaseName(name) === null || owner === null) {
      found.push({
        ...{ part: 'leases', found: `${path} cannot be understood`, paths: [path] },
        means: 'It names no process, and others may wait for it. Delete it.',
        command: `rm ${path}`,
      });
    } else if (!isOwnerAlive(owner)) {
      found.push({
        ...{ part: 'leases', found: `${path} belongs to a dead process`, paths: [path] },
        means:
          'The process died at work. The next command that writes removes the lease and finishes or undoes the work.',
        command: NEXT_WRITER,
      });
    }
  }
  return found;
}

function unreadable(path: string, what: string): LakeDamage {
  return {
    ...{ part: 'work', found: `${path} cannot be understood`, paths: [path] },
    means: `It should say ${what}. The next command that writes sets it aside.`,
    command: NEXT_WRITER,
  };
}

async function ownerAt(store: Store, path: string): Promise<ProcessOwner | null> {
  return parseOwner(await store.read(path));
}

function isJournalLine(line: string): boolean {
  try {
    const found: unknown = JSON.parse(line);
    return typeof found === 'object' && found !== null && 'type' in found;
  } catch {
    return false;
  }
}
