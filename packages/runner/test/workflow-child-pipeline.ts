import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRandom, systemClock, systemProcesses } from '@edrlake/core';
import { runPipeline } from '../src/workflow/engine/run-pipeline.ts';
import { definePipeline, RUN_ID } from './workflow-stage.ts';

/** The number of days that the pipeline processes, one file each. */
export const CHILD_DAYS = 12;

/** Starts or resumes the run in a folder and prints each step as a line. */
export async function runInChild(directory: string, resume: boolean, say: (line: string) => void): Promise<void> {
  const put = async (name: string, text: string) => {
    say(`work ${name}`);
    await writeFile(join(directory, name), text);
    return { rows: 1 };
  };
  const pipeline = definePipeline({
    name: 'files',
    tasks: {
      list: { run: async () => ({ ...(await put('list', 'x')), days: CHILD_DAYS }) },
      each: {
        needs: ['list'],
        concurrency: 2,
        forEach: ({ outputs }) => {
          const { days } = outputs.list as { days: number };
          return Array.from({ length: days }, (_, day) => `day-${day}`);
        },
        run: ({ partition }) => put(partition, `of ${partition}`),
      },
      sum: {
        needs: ['each'],
        run: ({ partitionOutputs }) => put('sum', String(partitionOutputs.each?.length)),
      },
    },
  });
  const result = await runPipeline(pipeline, {
    registry: {},
    provided: null,
    params: {},
    concurrency: 3,
    runsDirectory: join(directory, '_runs'),
    runId: RUN_ID,
    resume,
    services: {
      clock: systemClock,
      random: seededRandom(1),
      emit: (event) => {
        if (event.type === 'task') say(`${event.state} ${event.partition ?? event.task}`);
      },
      signal: new AbortController().signal,
    },
    liveness: {
      owner: systemProcesses.current(),
      isOwnerAlive: (owner) => systemProcesses.stateOf(owner) === 'alive',
    },
    post: null,
    readLostWork: async () => new Map(),
  });
  say(`end ${result.state} rows ${result.rows}`);
}
