import { join } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import { lookAtLeases } from '@edrlake/lake';
import { listRuns, type RunReport, readRun } from '@edrlake/runner/history';
import type { CommandInput } from '../command.ts';
import { writeJson } from '../json-output.ts';
import { lakeDirectory, requireLake } from '../lake-access.ts';
import { runDocument, runsText, runText, summaryDocument } from '../runs-text.ts';
import { lineWidth, type Surroundings, writeText } from '../surroundings.ts';

/** Runs listed unless --limit says otherwise. */
const USUAL_LIMIT = 20;

/** Lists the runs of a lake, or tells one of them in full. */
export async function run(input: CommandInput, surroundings: Surroundings): Promise<number> {
  const { values, positionals } = input;
  const { stdout, env } = surroundings;
  const directory = lakeDirectory(values, surroundings);
  await requireLake(directory);
  const runsDirectory = join(directory, '_runs');
  const look = await lookAtLeases(directory, surroundings.clock.nowMs());
  const width = lineWidth(stdout, env);
  const { id } = positionals;
  if (id === undefined) {
    const runs = await listRuns(runsDirectory, { limit: values.limit ?? USUAL_LIMIT, ...look });
    if (values.json) await writeJson(stdout, { runs: runs.map(summaryDocument) });
    else await writeText(stdout, runsText(runs, width));
    return 0;
  }
  const report = await findRun(runsDirectory, id, look);
  if (values.json) await writeJson(stdout, runDocument(report));
  else await writeText(stdout, runText(report, width));
  return 0;
}

type Look = Awaited<ReturnType<typeof lookAtLeases>>;

/** The run of that id, or the only one whose id begins or ends so. */
async function findRun(runsDirectory: string, id: string, look: Look): Promise<RunReport> {
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
