import { isDeepStrictEqual } from 'node:util';
import { EdrlakeError, isoInstant } from '@edrlake/core';
import { listRunIds } from '../run-journal.ts';
import { type Liveness, type RunOwner, readLines } from './pipeline-journal.ts';
import { foldLines, type RunState } from './run-state.ts';

/** Journals looked at, newest first. A run that is still at work began recently, or little has begun since. */
const MAX_JOURNALS = 100;

/** A run that began, by its journal. */
interface Begun {
  readonly runId: string;
  readonly startedAtMs: number;
}

/** What is run: other params make another run, which may work beside. */
type Subject = Pick<RunState, 'pipeline' | 'params'>;

/**
 * Refuses to run a pipeline with the same params beside itself.
 * @param own the run that is about to work and has said so in its journal: only one that began before it counts then, so that
 * of two that begin at once one goes on
 * @throws {EdrlakeError} `RUN_BUSY` with `pipeline` in its context, while another live process works on a run of it
 */
export async function refuseBesideActive(
  runsDirectory: string,
  subject: Subject,
  liveness: Liveness,
  own: Begun | null,
): Promise<void> {
  const others = (await listRunIds(runsDirectory)).filter((runId) => runId !== own?.runId).slice(0, MAX_JOURNALS);
  for (const runId of others) {
    const state = foldLines(await readLines(runsDirectory, runId));
    const owner = state?.legs.at(-1)?.owner;
    if (state === null || state.end !== null || owner === undefined) continue;
    if (state.pipeline !== subject.pipeline || !isDeepStrictEqual(state.params, subject.params)) continue;
    // This process runs a pipeline once at a time; a run of its own without an end is one whose journal failed.
    if (isDeepStrictEqual(owner, liveness.owner) || !(await liveness.isOwnerAlive(owner))) continue;
    const { startedAtMs } = state;
    if (own === null || isBefore({ runId, startedAtMs }, own))
      throw alreadyActive(subject.pipeline, owner, { runId, startedAtMs });
  }
}

function isBefore(one: Begun, other: Begun): boolean {
  if (one.startedAtMs !== other.startedAtMs) return one.startedAtMs < other.startedAtMs;
  return one.runId < other.runId;
}

function alreadyActive(pipeline: string, { pid }: RunOwner, { runId, startedAtMs }: Begun): EdrlakeError {
  const since = isoInstant(startedAtMs).replace(/\.\d+Z$/, 'Z');
  return new EdrlakeError('RUN_BUSY', `${pipeline} is already running: process ${pid}, since ${since}, run ${runId}`, {
    context: { pipeline, runId, pid, since },
    hint: `Wait for it; see edrlake runs ${runId}.`,
  });
}
