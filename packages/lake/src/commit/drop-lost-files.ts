import type { CommitTools } from '../log/commit-context.ts';
import { footersOf } from '../log/footers.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { partitionDay } from '../log/table-rows.ts';
import type { LostDay } from '../proofs/lost-days.ts';
import { EVENTS, REJECTS } from '../storage/layout.ts';
import { buildLogEntry, NO_COUNTS, schemaOnTop } from './build-log-entry.ts';
import type { CommitEngine } from './engine.ts';
import { openIdIndex, stageIndexChange } from './id-index.ts';
import { rowsIn } from './lost-rows.ts';
import { type CommitNames, commitWithRetry, type DraftedCommit } from './optimistic-retry.ts';

/**
 * Commits that data files are lost. Rows that are incomplete without them are removed as well: events whose child rows
 * are lost, and child rows whose events are lost. Afterwards the id index names none of these events, so that they are
 * written when they are delivered again; until then coverage reports their days as mismatches.
 * @param suspects files that are read and compared with their checksums; of all others only size and footer are checked
 * @returns the paths of the lost files; empty, and nothing committed, when no file is lost
 * @throws {EdrlakeError} as `commitWithRetry`
 */
export async function dropLostFiles(
  tools: CommitTools,
  engine: CommitEngine,
  runId: string,
  suspects: ReadonlySet<string>,
): Promise<readonly string[]> {
  try {
    const { outcome } = await commitWithRetry(tools, (state, names) =>
      draftWithoutLost(tools, engine, state, { runId, suspects, names }),
    );
    return outcome;
  } finally {
    await engine.release();
  }
}

async function draftWithoutLost(
  tools: CommitTools,
  engine: CommitEngine,
  state: LakeState,
  about: { readonly runId: string; readonly suspects: ReadonlySet<string>; readonly names: CommitNames },
): Promise<DraftedCommit<readonly string[]>> {
  const { runId, suspects, names } = about;
  const isSuspect = ({ path }: LoggedFile) => suspects.has(path);
  const { lost } = await footersOf(tools.store, [...state.files.values()], isSuspect, engine.countRows);
  const outcome = lost.map(({ path }) => path);
  if (lost.length === 0) return { entry: null, moves: [], outcome };
  const lostPaths = new Set(outcome);
  const present: LakeState = { ...state, files: new Map([...state.files].filter(([path]) => !lostPaths.has(path))) };
  const givenUp = await engine.markIncomplete(present, lost);
  const index = await openIdIndex(tools, present, names, engine.writeClaims);
  const rewrite = await engine.rewriteWithoutGone(present, names, schemaOnTop(state, tools.tables));
  const locations = index.files.map(({ location }) => location);
  const voided = engine.voidedEntries(present, lost, locations, state.version + 1);
  const ids = await stageIndexChange(tools, state, index, names, voided);
  tools.onStep('staged');
  const draft = buildLogEntry(tools, state, names, {
    runId,
    counts: { ...NO_COUNTS, deletedEvents: givenUp + rowsIn(lost.filter(({ table }) => table === EVENTS)) },
    added: rewrite.added,
    removed: [...outcome, ...rewrite.removed],
    ids,
    proofs: [],
    losses: lossesOf(state, lost),
  });
  return { outcome, ...draft };
}

function lossesOf(state: LakeState, lost: readonly LoggedFile[]): LostDay[] {
  const days = new Set(lost.filter(({ table }) => table !== REJECTS).map(partitionDay));
  const events = [...state.files.values()].filter(({ table }) => table === EVENTS);
  return [...days]
    .sort()
    .map((day) => ({ day, rowCount: rowsIn(events.filter((file) => partitionDay(file) === day)) }));
}
