import { resolve } from 'node:path';
import { EdrlakeError, writeText } from '@edrlake/core';
import { huntStanding, type StandingReport } from '@edrlake/lake';
import { readHuntFolder } from '@edrlake/lake/indicators';
import type { CommandInput } from '../args/command.ts';
import { faultsText, standingDocument, standingExitCode, standingText } from '../investigate/standing-text.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { lakeFlagsOf } from '../session/lake-access.ts';
import { withLakeToChange } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';

/** Where lists are, unless `--hunts` or the settings say otherwise: beside `pipelines`. */
const DEFAULT_FOLDER = 'hunts';

/** Matches that are shown; `hunt_matches` has all. */
const SHOWN_MATCHES = 25;

/** `edrlake hunt --standing` */
export async function runStanding(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values, words, typed } = input;
  const { stdout, stderr, env, signal, workingDirectory } = context;
  const refused = (['iocs', 'from', 'to', 'format', 'output'] as const).find((flag) => typed.has(flag));
  if (refused !== undefined || words.length > 0) {
    const found = refused === undefined ? `the value ${words[0]}` : `--${refused}`;
    throw new EdrlakeError(
      'USAGE',
      `--standing hunts the lists of a folder in all of the lake, found ${found} as well`,
      {
        hint: 'All matches, in any format: edrlake query "from hunt_matches" --format csv',
      },
    );
  }
  const directory = resolve(workingDirectory, values.hunts ?? DEFAULT_FOLDER);
  const folder = await readHuntFolder(directory);
  if (folder === null && values.hunts !== null) throw noFolder(directory);
  const report = await withLakeToChange(values, context, async (lake) => {
    if (folder === null && (await lake.standingHunts()) === null) throw noFolder(directory);
    const found = await huntStanding(lake, folder, { reader: 'command', limit: SHOWN_MATCHES, signal });
    await show(found);
    // Only after they were shown.
    await lake.markReported('command', found.fresh.generation);
    return found;
  });
  return standingExitCode(report, values.lenient);

  async function show(found: StandingReport): Promise<void> {
    if (values.json) await writeJson(stdout, standingDocument(found));
    else {
      const width = stdout.isTTY === false ? null : lineWidth(stdout, env);
      await writeMessage(context, standingText(found, { width, lakeFlags: lakeFlagsOf(input) }));
    }
    if (found.faults.length > 0) await writeText(stderr, faultsText(found.faults, directory));
  }
}

function noFolder(directory: string): EdrlakeError {
  return new EdrlakeError('USAGE', `there is no folder of lists ${directory}`, {
    hint: 'Put lists of indicators there, one value a line in a file such as bad.txt, or name another folder: --hunts DIR',
  });
}
