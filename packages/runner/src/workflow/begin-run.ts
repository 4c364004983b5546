import { isDeepStrictEqual } from 'node:util';
import { EdrlakeError } from '@edrlake/core';
import { assertEarly } from './early-facts.ts';
import { type ParamValue, resolveParams } from './params.ts';
import { type JournaledTask, type Liveness, type PipelineLine, readLines } from './pipeline-journal.ts';
import { applyLine, foldLines, isFinished, isSettled, type RunState, startState } from './run-state.ts';
import type { CheckedPipeline } from './validate-pipeline.ts';

/** How a run begins. */
export interface Beginning {
  /** The line that says so, to be appended first; null where the run has ended and there is nothing left to do. */
  readonly line: PipelineLine | null;
  /** The state with that line applied. */
  readonly state: RunState;
}

/**
 * The beginning of a new run.
 * @throws {EdrlakeError} `USAGE` for params that do not fit their declarations, `CONFIG_INVALID` for what tasks make of them.
 */
export function newRun<Provided>(
  checked: CheckedPipeline<Provided>,
  given: Readonly<Record<string, ParamValue>>,
  { owner }: Liveness,
  atMs: number,
): Beginning {
  const params = resolveParams(checked.pipeline.params ?? {}, given);
  assertEarly(checked, { params, startedAtMs: atMs });
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
 * Takes up a run where its journal ends.
 * @throws {EdrlakeError} `RUN_MISSING` without a journal, `RUN_BUSY` while its process lives, `CONFIG_INVALID` when the
 * pipeline is another one or its tasks changed since.
 */
export async function resumedRun<Provided>(
  checked: CheckedPipeline<Provided>,
  { runsDirectory, runId }: { readonly runsDirectory: string; readonly runId: string },
  liveness: Liveness,
  atMs: number,
): Promise<Beginning> {
  const state = foldLines(await readLines(runsDirectory, runId));
  if (state === null) {
    throw new EdrlakeError('RUN_MISSING', `there is no run ${runId} of a pipeline`, {
      hint: 'List the runs to see their ids.',
    });
  }
  const owner = state.legs.at(-1)?.owner;
  if (state.end === null && owner !== undefined && (await liveness.isOwnerAlive(owner))) {
    throw new EdrlakeError('RUN_BUSY', `process ${owner.pid} is working on run ${runId}`, {
      hint: `Wait for it, or stop process ${owner.pid} and resume again.`,
    });
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

/** A task is done again when anything it needs is, whatever its own result: that was made from another one. */
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

function journaledTasks<Provided>({ tasks }: CheckedPipeline<Provided>): JournaledTask[] {
  return tasks.map(({ name, spec, needs }) => ({
    name,
    uses: spec.uses ?? null,
    needs,
    fansOut: spec.forEach !== undefined,
  }));
}
