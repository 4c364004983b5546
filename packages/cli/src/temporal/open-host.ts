import { join } from 'node:path';
import { closeAfter, EdrlakeError } from '@edrlake/core';
import { openLakeLease } from '@edrlake/lake';
import { keepEndedRun, runLiveness } from '@edrlake/runner';
import { readLostWork } from '@edrlake/runner/history';
import type { RunAbout, RunHost, WorkerView } from '@edrlake/temporal';
import type { Turn } from '../args/command.ts';
import { servicesOf } from '../session/connection-settings.ts';
import { lakeDirectory, lakeName, objectLakeOf } from '../session/lake-access.ts';
import { findPipelineFile, loadPipeline } from '../session/pipeline-file.ts';
import { pipelineTools, poster } from '../session/pipeline-run.ts';

/** The subscription that a run is for, as this worker has it. @throws {EdrlakeError} `CONFIG_INVALID` */
function turnFor({ subscription, lake }: RunAbout, turns: readonly Turn[]): Turn {
  const turn = turns.find(({ input }) => (input.subscription?.name ?? null) === subscription);
  if (turn === undefined) {
    const whose = subscription === null ? 'a run without a subscription' : `the subscription ${subscription}`;
    throw new EdrlakeError('CONFIG_INVALID', `this worker is not there for ${whose}`, {
      hint: 'Start the workers of one task queue with the same settings.',
    });
  }
  const own = lakeName(turn.input.values, turn.context);
  if (own === lake) return turn;
  throw new EdrlakeError('CONFIG_INVALID', `the run is for the lake ${lake}, and this worker has ${own}`, {
    hint: 'Start the workers of one task queue with the same lakes as the command that starts the run.',
  });
}

/** What a worker works with for a run: its pipeline, and lake and connection as soon as a task needs them. */
export async function openHost(about: RunAbout, turns: readonly Turn[], { emit, log }: WorkerView): Promise<RunHost> {
  const { input, context } = turnFor(about, turns);
  const { values } = input;
  const pipeline = await loadPipeline(await findPipelineFile(about.pipeline, context.workingDirectory));
  const services = servicesOf(context, emit);
  let patienceMs = Number.POSITIVE_INFINITY;
  const { tools, registry, close } = await pipelineTools(pipeline, values, context, services, () => patienceMs);
  const directory = lakeDirectory(values, context);
  const lease = await openLakeLease(directory);
  const runsDirectory = join(directory, '_runs');
  const { objects } = objectLakeOf(values, context);
  return {
    ...{ pipeline, registry, provided: tools, post: poster(context) },
    runsDirectory,
    readLostWork: (runId) => readLostWork(runsDirectory, runId),
    keepEnded:
      objects === undefined
        ? null
        : (runId, lines) =>
            keepEndedRun(objects, runId, lines).catch((thrown: unknown) => {
              // The run itself has ended as it has.
              const reason = thrown instanceof EdrlakeError ? thrown.message : String(thrown);
              log('warn', `other machines cannot show run ${runId}: ${reason}`);
            }),
    liveness: { owner: lease.owner, isOwnerAlive: runLiveness(lease, emit) },
    setPatience: (ms) => {
      patienceMs = ms;
    },
    close: () => closeAfter(lease.release, close),
  };
}
