import { open, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EdrlakeError, makeFolder } from '@edrlake/core';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { configTemplate } from '../config/config-template.ts';
import { type ProcessContext, writeMessage } from '../process/process-context.ts';
import { SHIPPED_PIPELINES } from '../session/pipeline-file.ts';
import { writeJson } from '../text/json-output.ts';

const FILE_NAME = 'edrlake.config.ts';
const NIGHTLY = 'pipelines/nightly.ts';

/** `edrlake init` */
export const command = defineCommand({
  command: 'init',
  describe: 'Write a commented edrlake.config.ts and pipelines/nightly.ts',
  details: ['Writes both into the working directory. Existing files stay unless --force is given.'],
  flags: ['platform', 'base-url', 'lake', 'force', 'json', 'log-level'],
  examples: [
    { command: 'edrlake init --platform EU1', purpose: 'for the platform EU1' },
    { command: 'edrlake init --force', purpose: 'write a fresh file over the old one' },
  ],
  run,
});

/**
 * Writes a commented configuration and the nightly pipeline into the working directory. Without `--force` an existing
 * file is never touched.
 */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const path = join(context.workingDirectory, FILE_NAME);
  const chooses = values.platform !== null || values['base-url'] !== null;
  if (chooses) {
    // Loaded only here: it takes longer than all else.
    const { refuseUnknownGateway } = await import('@edrlake/runner');
    refuseUnknownGateway({ platform: values.platform, baseUrl: values['base-url'] });
  }
  const pipeline = await copyNightly(context.workingDirectory, values.force);
  try {
    await writeNew(path, configTemplate(values), values.force);
  } catch (thrown) {
    if (pipeline !== null && !values.force) await removeNightly(pipeline);
    throw thrown;
  }
  const nextSteps = [
    'export EDRLAKE_USERNAME=…',
    'export EDRLAKE_PASSWORD_FILE=…',
    'edrlake doctor',
    'edrlake plan --from 2020-08-17 --to 2020-08-19',
    'edrlake backfill --from 2020-08-17 --to 2020-08-19',
    'edrlake run nightly --dry-run',
  ];
  if (values.json) {
    await writeJson(context.stdout, { file: path, pipeline, nextSteps });
    return 0;
  }
  const lines = [
    `Wrote ${FILE_NAME}${pipeline === null ? '' : ` and ${NIGHTLY}`}.`,
    ...(pipeline === null ? [`${NIGHTLY} stays as it is.`] : []),
    '',
    'Next:',
    ...(chooses ? [] : ['  set the platform in it']),
    ...nextSteps.map((step) => `  ${step}`),
    '',
  ];
  await writeMessage(context, lines.join('\n'));
  return 0;
}

/** The pipeline that comes with edrlake, as a copy to change. Returns its path, or null where there is one already. */
async function copyNightly(workingDirectory: string, overwrite: boolean): Promise<string | null> {
  const path = join(workingDirectory, NIGHTLY);
  const text = await readFile(join(SHIPPED_PIPELINES, 'nightly.ts'), 'utf8');
  await makeFolder(dirname(path)).catch((error: unknown) => {
    throw unwritable(dirname(path), error instanceof EdrlakeError ? error.cause : error);
  });
  try {
    await writeFile(path, text, { flag: overwrite ? 'w' : 'wx' });
    return path;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'EEXIST') return null;
    throw unwritable(path, error);
  }
}

/** One file of two would be refused by the next attempt. */
async function removeNightly(path: string): Promise<void> {
  await rm(path, { force: true });
  // Other pipelines of the user stay.
  await rmdir(dirname(path)).catch(() => {});
}

async function writeNew(path: string, text: string, overwrite: boolean): Promise<void> {
  try {
    const file = await open(path, overwrite ? 'w' : 'wx');
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === 'EEXIST') {
      throw new EdrlakeError('USAGE', `${path} exists already`, {
        hint: 'Edit it, or write a fresh one with --force.',
      });
    }
    throw unwritable(path, error);
  }
}

function unwritable(path: string, error: unknown): EdrlakeError {
  const code = String((error as { code?: unknown }).code);
  return new EdrlakeError('CONFIG_INVALID', `cannot write ${path}: ${code}`, {
    cause: error,
    hint: 'Run edrlake init in a directory that can be written.',
  });
}
