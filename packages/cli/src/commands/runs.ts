import { join } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import { lookAtLeases } from '@edrlake/lake';
import { listRuns, type RunLook, type RunReport, readRun } from '@edrlake/runner/history';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { ENGINE, OUTPUT, PLACE } from '../args/option-groups.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { runDocument, runsText, runText, summaryDocument } from '../render/runs-text.ts';
import { lakeDirectory, lakeFlagsOf, objectLakeOf, requireLake } from '../session/lake-access.ts';
import { missingHere } from '../session/missing-run.ts';
import { askingServer } from '../temporal/ask-server.ts';
import { writeError } from '../text/error-text.ts';
import { writeJson } from '../text/json-output.ts';

/** Runs listed unless --limit says otherwise. */
const USUAL_LIMIT = 20;

/** `edrlake runs` */
export const command = defineCommand({
  command: 'runs [id]',
  describe: 'List the runs of the lake, or show one in full',
  details: [
    'Pipelines and exports, newest first, with what they did and how they ended.',
    'Of a run on workers that has not ended, the Temporal server is asked, with --engine temporal; else it is unknown.',
  ],
  positionals: { id: { describe: 'Id of a run, or the last part of it' } },
  flags: ['limit', ...PLACE, 'dataset', ...ENGINE, ...OUTPUT],
  flagTexts: { limit: { describe: 'Runs to list', defaultText: '20' } },
  examples: [
    { command: 'edrlake runs', purpose: 'the newest' },
    { command: 'edrlake runs 20261122T003012Z-1f9a2c', purpose: 'tasks, attempts, requests, errors' },
    { command: 'edrlake runs --engine temporal', purpose: 'runs of workers as well, whether they go on' },
  ],
  run,
});

/** Lists the runs of a lake, or shows one of them in full. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values, positionals } = input;
  const directory = lakeDirectory(values, context);
  await requireLake(values, context);
  const runsDirectory = join(directory, '_runs');
  await bringRuns(input, context, runsDirectory);
  const leases = await lookAtLeases(directory, context.clock.nowMs());
  await askingServer(values, context, (askEngine) =>
    show(positionals.id, input, context, { runsDirectory, look: { ...leases, askEngine } }),
  ).catch((thrown: unknown) => {
    throw missingHere(thrown, values, context);
  });
  return 0;
}

async function show(
  id: string | undefined,
  input: CommandInput,
  context: ProcessContext,
  { runsDirectory, look }: { readonly runsDirectory: string; readonly look: RunLook },
): Promise<void> {
  const { values } = input;
  const { stdout, env } = context;
  const width = lineWidth(stdout, env);
  if (id === undefined) {
    const runs = await listRuns(runsDirectory, { limit: values.limit ?? USUAL_LIMIT, ...look });
    if (values.json) await writeJson(stdout, { runs: runs.map(summaryDocument) });
    else await writeMessage(context, runsText(runs, width, lakeFlagsOf(input)));
    return;
  }
  const report = await findRun(runsDirectory, id, look);
  if (values.json) await writeJson(stdout, runDocument(report));
  else await writeMessage(context, runText(report, width, lakeFlagsOf(input)));
}

/** Of a lake in an object store, runs that machines did together; without them those of this machine are shown. */
async function bringRuns(input: CommandInput, context: ProcessContext, runsDirectory: string): Promise<void> {
  const { objects } = objectLakeOf(input.values, context);
  if (objects === undefined) return;
  // Loaded only here: it brings all that runs do.
  const { fetchEndedRuns } = await import('@edrlake/runner');
  const problem = await fetchEndedRuns(objects, runsDirectory);
  if (problem !== null) await writeError(context, problem);
}

/** The run of that id, or the only one whose id begins or ends so. */
async function findRun(runsDirectory: string, id: string, look: RunLook): Promise<RunReport> {
  try {
    return await readRun(runsDirectory, id, look);
  } catch (thrown) {
    if (!(thrown instanceof EdrlakeError) || thrown.code !== 'RUN_MISSING') throw thrown;
    const runs = await listRuns(runsDirectory, { limit: 1_000, ...look });
    const [found, ...more] = runs.filter(({ runId }) => runId.startsWith(id) || runId.endsWith(id));
    if (found !== undefined && more.length === 0) return readRun(runsDirectory, found.runId, look);
    const problem = found === undefined ? `there is no run "${id}"` : `several runs are meant by "${id}"`;
    throw new EdrlakeError('RUN_MISSING', problem, { hint: 'edrlake runs lists them with their ids.' });
  }
}
