import { type Emit, type RunEvent, sum, toEdrlakeError } from '@edrlake/core';
import type { CommitRequest, CommitResult } from '../commit/commit.ts';
import type { HuntSource } from '../hunt/hunt.ts';
import type { HuntOptions, HuntReport } from '../hunt/hunt-types.ts';
import type { Indicator } from '../indicators/indicator.ts';
import type { CommitContext, CommitTools } from '../log/commit-context.ts';
import { type HuntState, type MatchReader, readHuntState, type StandingList } from '../standing/hunt-state.ts';
import type { StandingContext } from '../standing/keep-hunts.ts';
import type { NewMatches } from '../standing/new-matches.ts';
import { FOLDERS } from '../storage/layout.ts';
import { loadWithDuckDb } from '../storage/load-duckdb.ts';
import type { Store } from '../storage/store.ts';
import type { IndexReport } from '../value-index/build-index.ts';
import { hasIndex, indexedColumns, readSegments } from '../value-index/index-files.ts';

/** How to bring the index of values up to date. */
export interface IndexOptions {
  /** Forgets the index that is there, and reads all files again. */
  readonly rebuild?: boolean;
}

/** The size of the index of values. */
export interface IndexState {
  /** Data files that it knows. */
  readonly known: number;
  /** Data files that it is about. */
  readonly files: number;
  readonly bytes: number;
}

/** The hunts of an open lake, and the index that makes them fast. */
export interface LakeHunts {
  /** Looks for indicators, and says what it means where none is found; see `huntLake`. */
  hunt(indicators: readonly Indicator[], options?: HuntOptions): Promise<HuntReport>;
  /**
   * Brings the index of values up to date, or begins it; see `updateIndex`. Once there is one, each writer does so when
   * it closes the lake. @throws {EdrlakeError} `LAKE_UNWRITABLE`
   */
  indexValues(options: IndexOptions, context: { readonly signal: AbortSignal }): Promise<IndexReport>;
  /** null: there is none. Reads its manifest alone. */
  valueIndex(): Promise<IndexState | null>;
  /** The lists that are always hunted and what was found; null where there are none. Reads one document. */
  standingHunts(): Promise<HuntState | null>;
  /**
   * Brings the matches of standing hunts to the newest version; see `keepHunts`. Once there are lists, each writer does
   * so after its commits and when it closes the lake.
   * @param lists what the lists are from now on; null: as they are
   * @throws {EdrlakeError} `LAKE_UNWRITABLE`, `LAKE_CONTENDED`, `INTERRUPTED`
   */
  keepHunts(
    lists: ((before: readonly StandingList[]) => readonly StandingList[]) | null,
    context: { readonly signal: AbortSignal },
  ): Promise<HuntState | null>;
  /** Matches that a reader has not seen yet, the first ones found first; see `markReported`. */
  newMatches(reader: MatchReader, limit: number): Promise<NewMatches>;
  /** Notes that a reader has seen all matches up to a generation. */
  markReported(reader: MatchReader, generation: number): Promise<void>;
}

/** The hunts of a lake; their code is loaded when it is used. */
export function lakeHunts(
  source: HuntSource & Pick<StandingContext, 'lostFiles'>,
  inTurn: <T>(work: () => Promise<T>) => Promise<T>,
  writeInTurn: <T>(work: (context: CommitContext) => Promise<T>) => Promise<T>,
): LakeHunts {
  const load = () => loadWithDuckDb(() => import('../hunt/hunt.ts'));
  const loadStanding = () => loadWithDuckDb(() => import('../standing/keep-hunts.ts'));
  return {
    hunt: (indicators, options) => inTurn(async () => (await load()).huntLake(source, indicators, options)),
    indexValues: ({ rebuild = false }, { signal }) =>
      writeInTurn(async (context) =>
        (await import('../value-index/build-index.ts')).updateIndex(context, rebuild, signal),
      ),
    valueIndex: () => indexState(source.tools),
    standingHunts: () => readHuntState(source.tools.store),
    keepHunts: (lists, { signal }) =>
      writeInTurn(async (context) =>
        (await loadStanding()).keepHunts(
          { ...context, lostFiles: source.lostFiles, snapshot: source.snapshot },
          lists,
          signal,
        ),
      ),
    newMatches: (reader, limit) =>
      inTurn(async () =>
        (await import('../standing/new-matches.ts')).newMatches(
          { store: source.tools.store, connection: await source.connect() },
          reader,
          limit,
        ),
      ),
    markReported: (reader, generation) =>
      writeInTurn(async ({ store }) =>
        (await import('../standing/new-matches.ts')).markReported(store, reader, generation),
      ),
  };
}

async function indexState({
  store,
  tables,
  log,
}: Pick<CommitTools, 'store' | 'tables' | 'log'>): Promise<IndexState | null> {
  if (!(await hasIndex(store))) return null;
  const segments = (await readSegments(store, tables)) ?? [];
  const { files } = await log.refresh();
  const known = new Set(segments.flatMap((segment) => segment.files.map(([path]) => path)));
  const bytes = sum(segments, ({ fileBytes }) => fileBytes);
  const indexed = new Set(tables.filter((table) => indexedColumns(table).length > 0).map(({ name }) => name));
  const about = [...files.values()].filter(({ table }) => indexed.has(table));
  return { known: about.filter(({ path }) => known.has(path)).length, files: about.length, bytes };
}

/** The calls that keep what is derived for hunts. */
type Keeping = Pick<LakeHunts, 'indexValues' | 'valueIndex' | 'standingHunts' | 'keepHunts'>;

/**
 * Brings the index and the standing hunts of a writer that closes the lake up to date, where there are any. An error
 * does not fail the writer, whose commits are safe: files that the index does not know are read, and the next writer
 * goes on with both.
 */
export async function keepDerived(lake: Keeping, emit: Emit): Promise<void> {
  const { signal } = new AbortController();
  try {
    if ((await lake.valueIndex()) !== null) await lake.indexValues({}, { signal });
  } catch (thrown) {
    emit(behind('value-index', thrown));
  }
  await keepUp(lake, emit);
}

async function keepUp(lake: Keeping, emit: Emit): Promise<void> {
  const { signal } = new AbortController();
  try {
    if ((await lake.standingHunts()) !== null) await lake.keepHunts(null, { signal });
  } catch (thrown) {
    emit(behind('standing-hunts', thrown));
  }
}

function behind(what: 'value-index' | 'standing-hunts', thrown: unknown): RunEvent {
  const { code, message } = toEdrlakeError(thrown);
  return { type: 'derived-behind', what, code, message };
}

/**
 * The same lake, which looks for the indicators of its lists in what each commit adds. Maintenance adds no event, so
 * that it is looked at when the lake is closed.
 */
export function huntedAfterCommits<L extends Keeping & { commit(request: CommitRequest): Promise<CommitResult> }>(
  lake: L,
  emit: Emit,
): L {
  const commit = async (request: CommitRequest) => {
    const result = await lake.commit(request);
    await keepUp(lake, emit);
    return result;
  };
  return { ...lake, commit };
}

/** Where the matches of standing hunts are; null where the lake has no lists. */
export async function matchesFile(store: Store): Promise<string | null> {
  const state = await readHuntState(store);
  return state === null ? null : `${FOLDERS.hunts}/${state.matches}`;
}
