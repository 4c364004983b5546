import { EdrlakeError } from '@edrlake/core';
import type { HuntSource } from '../hunt/hunt.ts';
import { createIndicators, dropHuntTables, findHits, readMatches } from '../hunt/hunt-sql.ts';
import { askIndex, huntedTables } from '../hunt/hunted-tables.ts';
import type { Indicator } from '../indicators/indicator.ts';
import type { CommitContext } from '../log/commit-context.ts';
import type { LoggedFile } from '../log/lake-state.ts';
import { isSamePoint } from '../log/log-point.ts';
import type { Snapshot } from '../log/snapshot.ts';
import { isEventTable, partitionDay, tableNamed } from '../log/table-rows.ts';
import { damagedFiles } from '../storage/checksum.ts';
import { EVENTS, FOLDERS } from '../storage/layout.ts';
import {
  areMatchesWhole,
  type HuntState,
  nextGeneration,
  readHuntState,
  removeOlderStates,
  type StandingList,
  writeHuntState,
} from './hunt-state.ts';
import {
  createStandingTables,
  dropStandingTables,
  keepMatches,
  listStates,
  takeMatches,
  writeMatches,
} from './standing-sql.ts';

/** What standing hunts need of a lake that is open for writing. */
export interface StandingContext extends CommitContext, Pick<HuntSource, 'snapshot'> {
  readonly lostFiles: () => Promise<readonly LoggedFile[]>;
}

/** Other processes that are first, after which it is left to them. */
const MAX_ATTEMPTS = 5;

/**
 * Brings the matches of the lists to the newest version: looks for all indicators in the files that were not looked at
 * yet, for new indicators in all files, and forgets matches in files that are gone and of indicators that no list has
 * any more. A data file never changes and its name is used once, so what was found in it stays true.
 * @param lists what the lists are from now on; null: as they are. Without lists there is nothing to keep.
 * @returns null where the lake has no lists
 * @throws {EdrlakeError} `INTERRUPTED`, `LAKE_UNWRITABLE`, `LAKE_CONTENDED`
 */
export async function keepHunts(
  context: StandingContext,
  lists: ((before: readonly StandingList[]) => readonly StandingList[]) | null,
  signal: AbortSignal,
): Promise<HuntState | null> {
  const { store } = context;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    refuseAborted(signal);
    const before = await readHuntState(store);
    if (before === null && lists === null) return null;
    const wanted = lists === null ? (before?.lists ?? []) : lists(before?.lists ?? []);
    if (before === null && wanted.length === 0) return null;
    const snapshot = await context.snapshot();
    if (before !== null && lists === null && isCurrent(before, snapshot)) return before;
    try {
      const state = await nextState(context, before, wanted, snapshot, signal);
      if (await writeHuntState(store, state)) {
        context.onStep('matches-named');
        await removeOlderStates(store);
        return state;
      }
      if (state.matches !== before?.matches) await store.remove(`${FOLDERS.hunts}/${state.matches}`);
    } finally {
      await dropHuntTables(context.connection);
      await dropStandingTables(context.connection);
    }
  }
  throw new EdrlakeError('LAKE_CONTENDED', 'other processes kept changing the standing hunts', {
    disposition: 'retry',
    hint: 'Run it again.',
  });
}

function isCurrent(state: HuntState, snapshot: Snapshot): boolean {
  return isSamePoint(snapshot, state) && state.pending === 0;
}

async function nextState(
  context: StandingContext,
  before: HuntState | null,
  lists: readonly StandingList[],
  snapshot: Snapshot,
  signal: AbortSignal,
): Promise<HuntState> {
  const { store, connection, clock } = context;
  const generation = await nextGeneration(store);
  const isWhole = before !== null && (await areMatchesWhole(store, before));
  const sums = new Map(isWhole ? before.known : []);
  const files = await filesToHunt(context, snapshot, (file) => sums.get(file.path) === (file.crc32 ?? null));
  const { kept, added } = splitLists(isWhole ? before.lists : [], lists);
  await createStandingTables(connection, isWhole ? store.locate(`${FOLDERS.hunts}/${before.matches}`) : null);
  const about = { foundAtMs: clock.nowMs(), generation };
  const bad = new Set<LoggedFile>();
  const hunt = async (some: readonly StandingList[], among: readonly LoggedFile[]) => {
    refuseAborted(signal);
    const named = some.flatMap(({ name, indicators }) => indicators.map((indicator) => ({ name, indicator })));
    if (named.length === 0 || among.length === 0) return 0;
    try {
      const indicators = named.map(({ indicator }) => indicator);
      for (const file of await huntFiles(context, indicators, { files, among, snapshot })) bad.add(file);
      const paths = among.map(({ path }) => path);
      return await takeMatches(context, { ...about, lists: named.map(({ name }) => name), paths });
    } finally {
      await dropHuntTables(connection);
    }
  };
  const found = (await hunt(kept, files.fresh)) + (await hunt(added, [...files.known, ...files.fresh]));
  const known = files.known.filter((file) => !bad.has(file));
  const areAllKept = await keepMatches(
    connection,
    kept,
    known.map(({ path }) => path),
  );
  const isUnchanged = isWhole && areAllKept && found === 0;
  const written = isUnchanged
    ? { matches: before.matches, matchBytes: before.matchBytes, matchSum: before.matchSum }
    : await writeMatches(context);
  context.onStep('matches-written');
  const looked = [...known, ...files.fresh.filter((file) => !files.unsure.has(file))];
  return {
    ...{ format: 1, generation, version: snapshot.version, commitId: snapshot.commitId },
    pending: files.all - looked.length,
    ...written,
    lists: await listStates(connection, lists),
    reported: before?.reported ?? { command: 0, hook: 0 },
    known: looked.map(({ path, crc32 }) => [path, crc32 ?? null]),
  };
}

/** The data files in which anything can be hunted. */
interface FilesToHunt {
  /** Of the version, also those that are lost or damaged. */
  readonly all: number;
  /** Looked at before, and still there. */
  readonly known: readonly LoggedFile[];
  /** Not looked at before, and as they were committed. */
  readonly fresh: readonly LoggedFile[];
  /**
   * Those of `fresh` that are looked at again the next time: child rows of a day whose events are lost or damaged. The
   * host of a match may be among these.
   */
  readonly unsure: ReadonlySet<LoggedFile>;
  readonly lost: ReadonlySet<string>;
}

async function filesToHunt(
  { tables, store, lostFiles }: StandingContext,
  snapshot: Snapshot,
  wasLookedAt: (file: LoggedFile) => boolean,
): Promise<FilesToHunt> {
  const hunted = tables.filter(
    (table) => isEventTable(table) && table.columns.some(({ observable }) => observable !== undefined),
  );
  const all = hunted.flatMap(({ name }) => snapshot.files[name] ?? []);
  const lost = new Set((await lostFiles()).map(({ path }) => path));
  const there = all.filter(({ path }) => !lost.has(path));
  const known = there.filter(wasLookedAt);
  const isKnown = new Set(known);
  const unknown = there.filter((file) => !isKnown.has(file));
  const damaged = new Set(await damagedFiles(store, unknown));
  const fresh = unknown.filter((file) => !damaged.has(file));
  const badEvents = all.filter((file) => file.table === EVENTS && (lost.has(file.path) || damaged.has(file)));
  const badDays = new Set(badEvents.map((file) => partitionDay(file)));
  const unsure = new Set(fresh.filter((file) => file.table !== EVENTS && badDays.has(partitionDay(file))));
  return { all: all.length, known, fresh, unsure, lost };
}

/** Which indicators of the lists were hunted before. */
function splitLists(
  before: readonly StandingList[],
  now: readonly StandingList[],
): { readonly kept: StandingList[]; readonly added: StandingList[] } {
  const keyOf = ({ text, kind, sought }: Indicator) => JSON.stringify([text, kind, sought]);
  const known = new Map(before.map(({ name, indicators }) => [name, new Set(indicators.map(keyOf))]));
  const part = (isKept: boolean) =>
    now.map(({ name, indicators }) => ({
      name,
      indicators: indicators.filter((one) => (known.get(name)?.has(keyOf(one)) ?? false) === isKept),
    }));
  return { kept: part(true), added: part(false) };
}

/**
 * Leaves matches in some files in `hunt_matches`. Files that were looked at before are compared with their checksums
 * again where they have to be read.
 * @returns the files that are damaged by now
 */
async function huntFiles(
  { store, log, tables, connection }: StandingContext,
  indicators: readonly Indicator[],
  about: { readonly files: FilesToHunt; readonly among: readonly LoggedFile[]; readonly snapshot: Snapshot },
): Promise<LoggedFile[]> {
  const { files, among, snapshot } = about;
  const byTable: Record<string, LoggedFile[]> = {};
  for (const file of among) {
    byTable[file.table] ??= [];
    byTable[file.table]?.push(file);
  }
  const asked = huntedTables(tables, byTable, indicators, undefined);
  const left = await askIndex({ store, tables }, connection, asked, indicators);
  const fresh = new Set(files.fresh);
  const again = [...new Set(left.tables.flatMap((one) => one.files))].filter((file) => !fresh.has(file));
  const damaged = await damagedFiles(store, again);
  const wanted = left.tables.map((one) => ({ ...one, files: one.files.filter((file) => !damaged.includes(file)) }));
  const reader = { store, schemas: (await log.refresh()).schemas };
  await createIndicators(connection, indicators);
  const hits = await findHits(connection, reader, wanted, left.indicators);
  await readMatches(connection, reader, {
    hits,
    tables: wanted,
    events: tableNamed(tables, EVENTS),
    eventFiles: (snapshot.files[EVENTS] ?? []).filter(({ path }) => !files.lost.has(path)),
    range: null,
    withFile: true,
  });
  return damaged;
}

function refuseAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new EdrlakeError('INTERRUPTED', 'the hunt was interrupted', { cause: signal.reason });
}
