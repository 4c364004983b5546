import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createExclusiveUnsynced, EdrlakeError, errnoOf } from '@edrlake/core';

/** One version of a text. Version 0 is none: nothing has been written yet. */
export interface Version {
  readonly version: number;
  readonly text: string;
}

/** The outcome of an attempt. `unsure`: the latest version shows whether this one is among its ancestors. */
export type CasOutcome = 'put' | 'taken' | 'unsure';

/**
 * A small text in a folder that several processes replace. Each version is a file of its own, `000000000042.json`; the
 * highest number is the current text. A version is written by `link(2)`, which fails where the number is taken: of
 * processes that build on the same version one wins, and the others build again. There is no lock: a process that dies
 * or is suspended at any moment blocks no other, and no version is ever half-written. Nothing is synced to the disk:
 * after a power failure the text may be empty or lost, which readers must tolerate.
 *
 * All calls are synchronous: an update takes a fraction of a millisecond and is then one step within its own process,
 * too.
 */
export interface CasFile {
  latest(): Version;
  /** Puts the successor of the version it was built on. */
  put(successor: Version): CasOutcome;
  /** Removes what a dead writer may have left behind. */
  forget(writerId: string): void;
}

/** Older versions stay for readers that are just opening them. */
const KEPT_VERSIONS = 8;
/**
 * A file with a higher number was written by another program: counting up to it would take for ever, and no number
 * follows it.
 */
const MAX_VERSION = 900_000_000_000;
/** Finding the latest version fails only when new ones replace it during each of this many reads. */
const MAX_LOOKS = 100;

/**
 * Creates the folder where it is missing.
 * @param writerId unique among all writers of the folder, fit for a file name
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`, here and from each call
 */
export function openCasFile(directory: string, writerId: string): CasFile {
  const pathOf = (version: number) => versionPath(directory, version);
  const draftOf = (writer: string) => join(directory, `draft-${writer}`);
  const draft = draftOf(writerId);

  function put({ version, text }: Version): CasOutcome {
    if (!createExclusiveUnsynced(pathOf(version), text, draft)) return 'taken';
    const all = versionsIn(directory);
    const newest = Math.max(...all);
    for (const old of all) if (old <= newest - KEPT_VERSIONS) rmSync(pathOf(old), { force: true });
    // Newer ones either build on this one, or this process was suspended until its number had been used and removed.
    return newest === version ? 'put' : 'unsure';
  }

  return guarded(directory, () => {
    mkdirSync(directory, { recursive: true });
    for (const version of numbersIn(directory)) if (version > MAX_VERSION) rmSync(pathOf(version), { force: true });
    return {
      latest: () => latestVersion(directory),
      put: (successor) => guarded(directory, () => put(successor)),
      forget: (writer) => guarded(directory, () => rmSync(draftOf(writer), { force: true })),
    };
  });
}

/**
 * The highest version of a folder that is there already; of an empty one, version 0. Changes nothing.
 * @throws {EdrlakeError} `LAKE_UNWRITABLE` where the folder cannot be read
 */
export function latestVersion(directory: string): Version {
  return guarded(directory, () => {
    for (let look = 0; look < MAX_LOOKS; look++) {
      const version = Math.max(0, ...versionsIn(directory));
      if (version === 0) return { version, text: '' };
      try {
        return { version, text: readFileSync(versionPath(directory, version), 'utf8') };
      } catch (thrown) {
        if (errnoOf(thrown) !== 'ENOENT') throw thrown;
      }
    }
    throw new EdrlakeError('BUG', `${directory} changed faster than it could be read`);
  });
}

function versionPath(directory: string, version: number): string {
  return join(directory, `${String(version).padStart(12, '0')}.json`);
}

function versionsIn(directory: string): number[] {
  return numbersIn(directory).filter((version) => version <= MAX_VERSION);
}

function numbersIn(directory: string): number[] {
  const found = readdirSync(directory).map((name) => /^(\d{12})\.json$/.exec(name)?.[1]);
  return found.flatMap((digits) => (digits === undefined ? [] : [Number(digits)]));
}

function guarded<T>(directory: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof EdrlakeError) throw thrown;
    throw new EdrlakeError('LAKE_UNWRITABLE', `the request budget in ${directory} cannot be kept: ${errnoOf(thrown)}`, {
      context: { directory },
      cause: thrown,
      hint: 'Check that the folder exists, may be written by this user, and has space left.',
    });
  }
}
