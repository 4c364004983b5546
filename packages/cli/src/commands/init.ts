import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import type { CommandInput } from '../command.ts';
import { configTemplate } from '../config-template.ts';
import { writeJson } from '../json-output.ts';
import { type Surroundings, writeText } from '../surroundings.ts';

const FILE_NAME = 'edrlake.config.ts';

/** Writes a commented configuration into the working directory. Without `--force` an existing file is never touched. */
export async function run(input: CommandInput, surroundings: Surroundings): Promise<number> {
  const { values } = input;
  const path = join(surroundings.workingDirectory, FILE_NAME);
  await writeNew(path, configTemplate(values), values.force);
  const nextSteps = [
    'export EDRLAKE_USERNAME=…',
    'export EDRLAKE_PASSWORD_FILE=…',
    'edrlake doctor',
    'edrlake plan --from 2020-08-17 --to 2020-08-19',
    'edrlake backfill --from 2020-08-17 --to 2020-08-19',
  ];
  if (values.json) {
    await writeJson(surroundings.stdout, { file: path, nextSteps });
    return 0;
  }
  const chooses = values.platform !== null || values['base-url'] !== null;
  const lines = [
    `Wrote ${FILE_NAME}.`,
    '',
    'Next:',
    ...(chooses ? [] : ['  set the platform in it']),
    ...nextSteps.map((step) => `  ${step}`),
    '',
  ];
  await writeText(surroundings.stdout, lines.join('\n'));
  return 0;
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
    throw new EdrlakeError('CONFIG_INVALID', `cannot write ${path}: ${String(code)}`, {
      cause: error,
      hint: 'Run edrlake init in a directory that can be written.',
    });
  }
}
