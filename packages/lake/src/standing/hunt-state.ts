import { crc32 } from 'node:zlib';
import type { Indicator } from '../indicators/indicator.ts';
import { damagedFiles } from '../storage/checksum.ts';
import { FOLDERS, versionStem } from '../storage/layout.ts';
import type { Store } from '../storage/store.ts';

/** A list that is always hunted. */
export interface StandingList {
  /** Of its file, without the folder. */
  readonly name: string;
  readonly indicators: readonly Indicator[];
}

/** Who gets new matches, each once: the command that shows them, and the hook of pipelines. */
export type MatchReader = 'command' | 'hook';

/** What was found of a list. */
export interface ListFindings {
  readonly name: string;
  readonly matches: number;
  readonly events: number;
  readonly hosts: number;
  /** Times of events. */
  readonly firstSeenMs: number | null;
  readonly lastSeenMs: number | null;
  /** When the newest match was found. */
  readonly foundAtMs: number | null;
}

/** A list and what was found of it. */
export interface ListState extends StandingList, ListFindings {}

/** The lists of a lake, their matches, and what was looked at. */
export interface HuntState {
  readonly format: 1;
  /** One more with each document. */
  readonly generation: number;
  /** The Parquet file with the matches, without the folder. */
  readonly matches: string;
  readonly matchBytes: number;
  readonly matchSum: number;
  /** The newest version of the lake whose files were looked at. */
  readonly version: number;
  /** Of that version; absent where an older edrlake wrote the document. */
  readonly commitId?: string | null;
  /** Data files of that version that could not be read. */
  readonly pending: number;
  readonly lists: readonly ListState[];
  /** For each reader, the generation up to which it has seen all matches. */
  readonly reported: Readonly<Record<MatchReader, number>>;
  /** Data files that were looked at, with their checksums. */
  readonly known: readonly (readonly [path: string, crc32: number | null])[];
}

/** Documents that stay: readers may still be on the one before the newest. */
const KEPT = 2;

/**
 * The newest state that is whole; null where there is none. The first line of a document is short, for the view that
 * reads it: it names the matches.
 */
export async function readHuntState(store: Store): Promise<HuntState | null> {
  for (const name of (await documentsOf(store)).reverse()) {
    const state = await readDocument(store, `${FOLDERS.hunts}/${name}`);
    if (state !== null) return state;
  }
  return null;
}

/** null for a document that is gone, damaged, or of another format. */
async function readDocument(store: Store, path: string): Promise<HuntState | null> {
  const [head = '', body = '', sum] = (await store.read(path))?.split('\n') ?? [];
  if (sum !== String(crc32(`${head}\n${body}`))) return null;
  const state = { ...JSON.parse(body), ...JSON.parse(head) } as HuntState;
  return state.format === 1 ? state : null;
}

/** Whether the matches of a state are as they were written. */
export async function areMatchesWhole(store: Store, state: HuntState): Promise<boolean> {
  const file = { path: `${FOLDERS.hunts}/${state.matches}`, fileBytes: state.matchBytes, crc32: state.matchSum };
  return (await damagedFiles(store, [file])).length === 0;
}

/** A number that no document has yet. */
export async function nextGeneration(store: Store): Promise<number> {
  return 1 + Number.parseInt((await documentsOf(store)).at(-1) ?? '0', 10);
}

/**
 * Makes a state the newest, in one step.
 * @returns false where another process was first, and nothing has changed
 */
export async function writeHuntState(store: Store, state: HuntState): Promise<boolean> {
  const { generation, matches, lists, known, ...more } = state;
  const lines = `${JSON.stringify({ generation, matches })}\n${JSON.stringify({ ...more, lists, known })}`;
  const path = `${FOLDERS.hunts}/${versionStem(generation)}.json`;
  return store.putIfAbsent(path, `${lines}\n${crc32(lines)}\n`);
}

/**
 * Removes what only older states name, and an older state with damaged matches: the view opens each file of the folder,
 * so that a damaged one would keep it from being read.
 */
export async function removeOlderStates(store: Store): Promise<void> {
  const documents = (await documentsOf(store)).map((name) => `${FOLDERS.hunts}/${name}`);
  const named = new Set<string | undefined>();
  for (const [age, path] of documents.toReversed().entries()) {
    const state = age > 0 && age < KEPT ? await readDocument(store, path) : null;
    const name = state?.matches ?? (await matchesIn(store, path));
    if (age === 0 || (state !== null && (await areMatchesWhole(store, state)))) {
      named.add(name);
      continue;
    }
    if (name !== undefined && !named.has(name)) await store.remove(`${FOLDERS.hunts}/${name}`);
    await store.remove(path);
  }
}

/** The file with the matches that a document names, also one that is damaged further down. */
async function matchesIn(store: Store, path: string): Promise<string | undefined> {
  const [head = ''] = (await store.read(path))?.split('\n') ?? [];
  return /"matches":"([^"]+)"/.exec(head)?.[1];
}

async function documentsOf(store: Store): Promise<string[]> {
  return (await store.list(FOLDERS.hunts)).filter((name) => /^\d{20}\.json$/.test(name)).sort();
}
