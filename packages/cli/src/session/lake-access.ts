import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { EdrlakeError, type Emit, refuseLakeAddress, usableLakePath } from '@edrlake/core';
import { DEFAULT_DATASET, datasetNamed } from '@edrlake/datasets';
import type { CommandInput } from '../args/command.ts';
import type { FlagValues } from '../args/options.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { programName } from '../process/program-name.ts';
import { shellText } from '../render/gate-text.ts';

/**
 * The absolute path of the lake of the chosen dataset: the folder itself for the one that needs no name, a folder in it
 * for any other, so that all of them fit under one.
 * @throws {EdrlakeError} `USAGE` for an address, and for a path that DuckDB cannot take
 */
export function lakeDirectory(values: FlagValues, context: ProcessContext): string {
  const folder = resolve(context.workingDirectory, refuseLakeAddress(values.lake));
  const { dataset } = values;
  return usableLakePath(dataset === DEFAULT_DATASET.name ? folder : join(folder, dataset));
}

/**
 * ` --lake DIR --dataset NAME` as far as they were typed, for a command that a user pastes; empty where settings
 * name the lake.
 */
export function lakeFlagsOf({ values, typed }: Pick<CommandInput, 'values' | 'typed'>): string {
  const flags = (['lake', 'dataset'] as const).filter((flag) => typed.has(flag));
  return flags.map((flag) => ` --${flag} ${shellText(values[flag])}`).join('');
}

/** How to open it: `write` creates it where there is none, `read` changes nothing on disk. */
export function lakeOptions(values: FlagValues, purpose: 'read' | 'write') {
  return {
    dataset: datasetNamed(values.dataset),
    create: purpose === 'write',
    readOnly: purpose === 'read',
    memoryLimit: values['memory-limit'],
    ...(values.threads === null ? {} : { threads: values.threads }),
  };
}

/** What a command that reads says, on stderr, about commits that a crash left unfinished. */
export function readerNotes({ stderr, env }: Pick<ProcessContext, 'stderr' | 'env'>): Emit {
  return (event) => {
    if (event.type !== 'unfinished') return;
    stderr.write(
      'edrlake: a process died in the middle of a commit, and this one may not put it right:\n' +
        'patterns over the table folders may show rows twice or in part; views and queries\n' +
        `do not. Run ${programName(env)} status as a user who may write the lake.\n`,
    );
  };
}

/**
 * @throws {EdrlakeError} `LAKE_MISSING` where there is nothing; for what only reads beside the lake and does not open
 * it
 */
export async function requireLake(directory: string): Promise<void> {
  const isThere = await access(directory).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  throw new EdrlakeError('LAKE_MISSING', `there is no lake at ${directory}`, {
    context: { directory },
    hint: 'Check --lake, or make one with edrlake backfill.',
  });
}
