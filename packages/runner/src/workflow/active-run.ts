import { isDeepStrictEqual } from 'node:util';
import { type Clock, EdrlakeError, isoInstant } from '@edrlake/core';
import { listRunIds } from '../run-journal.ts';
import { type Liveness, type RunOwner, readLines } from './pipeline-journal.ts';
import { foldLines, type RunState } from './run-state.ts';

/** Journals looked at, newest first. A run that is still at work began recently, or little has begun since. */
const MAX_JOURNALS = 100;

/** How often, and how many times, to look whether a run that has just begun goes on: half a minute in all. */
const DECISION_POLL_MS = 50;
const MAX_DECISION_POLLS = 600;

/** A run that began, by its journal. */
interface Begun {
  readonly runId: string;
  readonly startedAtMs: number;
}

/** The run that is about to work, and how it waits. */
interface OwnRun extends Begun {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What is run: other params make another run, which may work beside. */
type Subject = Pick<RunState, 'pipeline' | 'params'>;

/**
 * Refuses to run a pipeline with the same params beside itself.
 * @param own the run that is about to work and has written the first line of its journal, or null before that. Of two that
 * begin at once, the one that began later gives way. It may have looked before the earlier one had written its line, and
 * work already; so the earlier one waits until the later one has either begun a task or removed its journal.
 * @throws {EdrlakeError} `RUN_BUSY` with `pipeline` in its context, while another live process works on a run of it
 */
export async function refuseBesideActive(
  runsDirectory: string,
  subject: Subject,
  liveness: Liveness,
  own: OwnRun | null,
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
    const givesWay = own !== null && isBefore(own, { runId, startedAtMs });
    if (givesWay && !(await isWorking(runsDirectory, runId, () => liveness.isOwnerAlive(owner), own))) continue;
    throw alreadyActive(subject.pipeline, owner, { runId, startedAtMs });
  }
}

/** Whether a run that began beside goes on: false once its journal is gone, it has ended, or its process is dead. */
async function isWorking(
  runsDirectory: string,
  runId: string,
  isAlive: () => boolean | Promise<boolean>,
  { clock, signal }: OwnRun,
): Promise<boolean> {
  for (let poll = 0; poll < MAX_DECISION_POLLS; poll += 1) {
    const lines = await readLines(runsDirectory, runId);
    const last = lines.at(-1)?.type;
    if (last === undefined || last === 'pipeline-end') return false;
    if (last !== 'pipeline-start') return true;
    if (!(await isAlive())) return false;
    await clock.sleep(DECISION_POLL_MS, signal);
  }
  // A process that stopped right there may go on at any moment.
  return true;
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
