import { randomUUID } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../errors/disk-error.ts';
import { type ClaimHolder, type ClaimPlace, claimPlace, ownerOf } from './claim-place.ts';
import { createExclusive } from './durable-file.ts';
import { type ProcessOwner, type ProcessTable, systemProcesses } from './process-owner.ts';

/** How a folder is claimed, and what is said to a process that may not have it. */
export interface ClaimTerms {
  /** Claims are files `<name>.<number>.json`. */
  readonly name: string;
  /**
   * The error for a folder that another process has.
   * @param holder null where others claimed it and left it at each of many attempts
   */
  readonly refusal: (holder: ClaimHolder | null) => Error;
  /** The error for what the file system refuses at a path. */
  readonly diskRefusal: (path: string, thrown: unknown) => unknown;
  /** @default those of this machine */
  readonly processes?: ProcessTable;
}

/**
 * Claims a folder for one process, as `claimPlace` says. A crash leaves the claim of a dead process.
 * @param folder absolute; must be there
 * @returns gives the folder back
 * @throws what the terms say
 */
export async function claimFolder(folder: string, terms: ClaimTerms): Promise<() => Promise<void>> {
  const { name, processes = systemProcesses, refusal } = terms;
  const own = JSON.stringify(processes.current());
  const draft = join(folder, `${name}.${randomUUID()}.part`);
  const nameOf = (number: number) => `${name}.${number}.json`;
  let drafts: readonly string[] = [];
  const place: ClaimPlace = {
    claims: async () => {
      const found = await claimsIn(folder, terms);
      drafts = found.drafts;
      return found.claims.map(({ number, owner }) => ({
        ...{ number, owner, file: join(folder, nameOf(number)) },
        state: owner === null ? 'elsewhere' : processes.stateOf(owner),
      }));
    },
    create: (number) => isCreated(join(folder, nameOf(number)), own, draft, terms),
    remove: (number) => rm(join(folder, nameOf(number)), { force: true }),
  };
  const number = await claimPlace(place, refusal);
  for (const left of drafts) await rm(join(folder, left), { force: true });
  return () => place.remove(number);
}

/** Whether the claim is ours now. The process that holds the folder may have removed the draft of a late one. */
async function isCreated(path: string, text: string, temporary: string, terms: ClaimTerms): Promise<boolean> {
  try {
    return await createExclusive(path, text, { temporary });
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return false;
    throw terms.diskRefusal(path, thrown);
  }
}

interface FoundClaims {
  readonly claims: readonly { readonly number: number; readonly owner: ProcessOwner | null }[];
  readonly drafts: readonly string[];
}

async function claimsIn(folder: string, terms: ClaimTerms): Promise<FoundClaims> {
  const names = await readdir(folder).catch((thrown: unknown) => {
    throw terms.diskRefusal(folder, thrown);
  });
  const rests = names.flatMap((name) =>
    name.startsWith(`${terms.name}.`) ? [{ name, rest: name.slice(terms.name.length + 1) }] : [],
  );
  const claims: FoundClaims['claims'][number][] = [];
  for (const { name, rest } of rests) {
    const digits = /^(\d{1,9})\.json$/.exec(rest)?.[1];
    if (digits === undefined) continue;
    const text = await readFile(join(folder, name), 'utf8').catch((thrown: unknown) => {
      if (errnoOf(thrown) === 'ENOENT') return null;
      throw terms.diskRefusal(join(folder, name), thrown);
    });
    if (text !== null) claims.push({ number: Number(digits), owner: ownerOf(text) });
  }
  const drafts = rests.filter(({ rest }) => /^[0-9a-f-]{36}\.part$/.test(rest)).map(({ name }) => name);
  return { claims, drafts };
}
