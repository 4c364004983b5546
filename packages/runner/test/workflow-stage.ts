import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ProcessOwner, type RunEvent, seededRandom } from '@edrlake/core';
import { readLostWork } from '../src/history/run-history.ts';
import { type Pipeline, pipelineDefiner } from '../src/workflow/definition/define-pipeline.ts';
import { type RunPipelineOptions, type RunResult, runPipeline } from '../src/workflow/engine/run-pipeline.ts';
import { hastyClock } from './virtual-clock.ts';

/** Pipelines of tests use functions of their own. */
export const definePipeline = pipelineDefiner<Record<never, never>>();

/** A folder for journals, and what runs in it reported to their listener. */
export interface Stage {
  readonly runsDirectory: string;
  readonly events: RunEvent[];
  run(pipeline: Pipeline, options?: Partial<RunPipelineOptions<unknown>>): Promise<RunResult>;
  resume(pipeline: Pipeline, options?: Partial<RunPipelineOptions<unknown>>): Promise<RunResult>;
  journalText(runId?: string): Promise<string>;
  writeJournal(text: string, runId?: string): Promise<void>;
  remove(): Promise<void>;
}

export const RUN_ID = '20261122T003012Z-1f9a2c';

/** A process that may have written a journal. */
export function ownerWith(pid: number): ProcessOwner {
  return { host: 'h', pid, startIdentity: '' };
}

/** No writer of a journal is alive unless a test says so. */
export async function newStage(): Promise<Stage> {
  const runsDirectory = await mkdtemp(join(tmpdir(), 'edrlake-workflow-'));
  const events: RunEvent[] = [];
  const run: Stage['run'] = (pipeline, options = {}) =>
    runPipeline(pipeline, {
      registry: {},
      provided: null,
      params: {},
      concurrency: 4,
      runsDirectory,
      runId: RUN_ID,
      resume: false,
      liveness: { owner: ownerWith(1), isOwnerAlive: () => false },
      post: null,
      readLostWork: () => readLostWork(runsDirectory, options.runId ?? RUN_ID),
      ...options,
      services: {
        clock: hastyClock(),
        random: seededRandom(1),
        signal: new AbortController().signal,
        emit: (event) => events.push(event),
        ...options.services,
      },
    });
  const path = (runId = RUN_ID) => join(runsDirectory, `${runId}.jsonl`);
  return {
    runsDirectory,
    events,
    run,
    resume: (pipeline, options) => run(pipeline, { ...options, resume: true }),
    journalText: (runId) => readFile(path(runId), 'utf8'),
    writeJournal: (text, runId) => writeFile(path(runId), text),
    remove: () => rm(runsDirectory, { recursive: true, force: true }),
  };
}

/** Task name → its status. */
export function statesOf(result: RunResult): Record<string, string> {
  return Object.fromEntries(result.tasks.map(({ name, state }) => [name, state]));
}
