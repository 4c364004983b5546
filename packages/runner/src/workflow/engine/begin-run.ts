import { isDeepStrictEqual } from 'node:util';
import { type Clock, EdrlakeError, isoInstant, type ProcessOwner } from '@edrlake/core';
import { listRunIds, readJournal } from '../../journal/journal-file.ts';
import { assertStatic } from '../definition/describe-pipeline.ts';
import { type ParamValue, resolveParams } from '../definition/params.ts';
import type { CheckedPipeline } from '../definition/validate-pipeline.ts';
import {
  applyLine,
  foldLines,
  isSettled,
  type JournaledTask,
  type Liveness,
  type PipelineLine,
  type RunState,
  startState,
} from '../state/run-state.ts';
import { isFinished } from '../state/run-status.ts';

/** The beginning of a run. */
export interface Beginning {
  /** The first line to append to the journal; null where the run has ended and nothing is left to do. */
  readonly line: PipelineLine | null;
  /** The state with that line applied. */
  readonly state: RunState;
}

/**
 * The beginning of a new run.
 * @throws {EdrlakeError} `USAGE` for params that do not fit their declarations, `CONFIG_INVALID` for wrong inputs that
 * follow from them.
 */
export function newRun<Provided>(
  checked: CheckedPipeline<Provided>,
  given: Readonly<Record<string, ParamValue>>,
  { owner }: Liveness,
  atMs: number,
): Beginning {
  const params = resolveParams(checked.pipeline.params ?? {}, given);
  assertStatic(checked, { params, startedAtMs: atMs });
  const line: PipelineLine = {
    type: 'pipeline-start',
    atMs,
    owner,
    pipeline: checked.pipeline.name,
    params,
    tasks: journaledTasks(checked),
  };
  return { line, state: startState(line) };
}

/**
 * Resumes a run where its journal ends.
 * @throws {EdrlakeError} `RUN_MISSING` without a journal, `RUN_BUSY` while its process is alive, `CONFIG_INVALID` for
 * another pipeline or changed tasks.
 */
export async function resumedRun<Provided>(
  checked: CheckedPipeline<Provided>,
  { runsDirectory, runId }: { readonly runsDirectory: string; readonly runId: string },
  liveness: Liveness,
  atMs: number,
): Promise<Beginning> {
  const state = foldLines(await readJournal(runsDirectory, runId));
  if (state === null) {
    throw new EdrlakeError('RUN_MISSING', `there is no run ${runId} of a pipeline`, {
      hint: 'List them with their ids: edrlake runs',
    });
  }
  const owner = state.legs.at(-1)?.owner;
  if (state.end === null && owner !== undefined && (await liveness.isOwnerAlive(owner))) {
    throw new EdrlakeError('RUN_BUSY', `process ${owner.pid} is working on run ${runId}`, {
      hint: `Wait for it, or stop process ${owner.pid} and resume again.`,
    });
  }
  if (state.engine !== null) {
    throw new EdrlakeError(
      'USAGE',
      `run ${runId} is one of the engine ${state.engine}, which goes on with it by itself`,
      {
        hint: 'Start a worker, or start a new run.',
      },
    );
  }
  assertSameTasks(checked, state, runId);
  resolveParams(checked.pipeline.params ?? {}, state.params);
  if (isFinished(state.end)) return { line: null, state };
  const line: PipelineLine = {
    type: 'pipeline-resume',
    atMs,
    owner: liveness.owner,
    again: tasksToDoAgain(checked, state),
  };
  applyLine(state, line);
  return { line, state };
}

/** A task is repeated when any of its needs is, even if it has a result: that was made from another result. */
function tasksToDoAgain<Provided>({ tasks }: CheckedPipeline<Provided>, state: RunState): readonly string[] {
  const changing = new Set<string>();
  const again: string[] = [];
  for (const { name, needs } of tasks) {
    const stale = needs.some((need) => changing.has(need));
    if (stale) again.push(name);
    if (stale || !isSettled(state, name)) changing.add(name);
  }
  return again;
}

function assertSameTasks<Provided>(checked: CheckedPipeline<Provided>, state: RunState, runId: string): void {
  const { name } = checked.pipeline;
  const hint = 'Start a new run.';
  if (state.pipeline !== name) {
    throw new EdrlakeError('CONFIG_INVALID', `run ${runId} is one of pipeline "${state.pipeline}", not of "${name}"`, {
      hint,
    });
  }
  const now = new Map(journaledTasks(checked).map((task) => [task.name, task]));
  for (const task of new Set([...now.keys(), ...state.tasks.keys()])) {
    if (isDeepStrictEqual(now.get(task), state.tasks.get(task)?.task)) continue;
    throw new EdrlakeError('CONFIG_INVALID', `pipeline "${name}", task "${task}": changed since run ${runId} started`, {
      hint,
    });
  }
}

/** The tasks as a journal names them. */
export function journaledTasks<Provided>({ tasks }: CheckedPipeline<Provided>): JournaledTask[] {
  return tasks.map(({ name, spec, needs }) => ({
    name,
    uses: spec.uses ?? null,
    needs,
    fansOut: spec.forEach !== undefined,
  }));
}

/** Journals that are read, newest first. A running run began recently, or few have begun since. */
const MAX_JOURNALS = 100;

/** How long, and how often, to wait for a run that has just begun: half a minute in total. */
const DECISION_POLL_MS = 50;
const MAX_DECISION_POLLS = 600;

/** A run that has begun, by its journal. */
interface Begun {
  readonly runId: string;
  readonly startedAtMs: number;
}

/** The run that is about to start, and how it waits. */
interface OwnRun extends Begun {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The identity of a run: with other params it is another run, which may run in parallel. */
type Subject = Pick<RunState, 'pipeline' | 'params' | 'engine'>;

/**
 * Refuses to run a pipeline twice at once with the same params. Of two runs that begin at once, the later one ends. The
 * later one may have looked before the earlier one had written its line, and may already work; so the earlier one waits
 * until the later one has either begun a task or removed its journal.
 * @param own the run that is about to start and has written the first line of its journal, or null before that
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
    const state = foldLines(await readJournal(runsDirectory, runId));
    const owner = state?.legs.at(-1)?.owner;
    if (state === null || state.end !== null || owner === undefined) continue;
    // Of its own runs the engine knows itself which is at work.
    if (subject.engine !== null && state.engine === subject.engine) continue;
    if (state.pipeline !== subject.pipeline || !isDeepStrictEqual(state.params, subject.params)) continue;
    // This process runs a pipeline once at a time; a run of its own without an end is one whose journal failed.
    if (isDeepStrictEqual(owner, liveness.owner) || !(await liveness.isOwnerAlive(owner))) continue;
    const { startedAtMs } = state;
    const givesWay = own !== null && isBefore(own, { runId, startedAtMs });
    if (givesWay && !(await isWorking(runsDirectory, runId, () => liveness.isOwnerAlive(owner), own))) continue;
    throw alreadyActive(subject.pipeline, owner, { runId, startedAtMs });
  }
}

/**
 * Whether another run that began at the same time continues: false once its journal is removed, it has ended, or its
 * process is dead.
 */
async function isWorking(
  runsDirectory: string,
  runId: string,
  isAlive: () => boolean | Promise<boolean>,
  { clock, signal }: OwnRun,
): Promise<boolean> {
  for (let poll = 0; poll < MAX_DECISION_POLLS; poll += 1) {
    const lines = await readJournal(runsDirectory, runId);
    const last = lines.at(-1)?.type;
    if (last === undefined || last === 'pipeline-end') return false;
    if (last !== 'pipeline-start') return true;
    if (!(await isAlive())) return false;
    await clock.sleep(DECISION_POLL_MS, signal);
  }
  // A process that was suspended at this point may continue at any moment.
  return true;
}

function isBefore(one: Begun, other: Begun): boolean {
  if (one.startedAtMs !== other.startedAtMs) return one.startedAtMs < other.startedAtMs;
  return one.runId < other.runId;
}

function alreadyActive(pipeline: string, { pid }: ProcessOwner, { runId, startedAtMs }: Begun): EdrlakeError {
  const since = isoInstant(startedAtMs).replace(/\.\d+Z$/, 'Z');
  return new EdrlakeError('RUN_BUSY', `${pipeline} is already running: process ${pid}, since ${since}, run ${runId}`, {
    context: { pipeline, runId, pid, since },
    hint: `Wait for it; see edrlake runs ${runId}.`,
  });
}
