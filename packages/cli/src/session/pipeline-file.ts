import { existsSync } from 'node:fs';
import { access, readdir, readFile } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { didYouMean, EdrlakeError } from '@edrlake/core';
import type { Pipeline } from '@edrlake/runner';
import { refuseUnreadableText } from '../config/text-encoding.ts';

const EXTENSIONS = ['.ts', '.mts', '.js', '.mjs'] as const;

/** The pipelines that come with edrlake: files of TypeScript. */
export const SHIPPED_PIPELINES = folderAbove('pipelines/nightly.ts');

/**
 * The folder `pipelines` beside this file or above it: a package has it beside its bundle, a clone at its top.
 */
function folderAbove(path: string): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, path)) && dirname(folder) !== folder) folder = dirname(folder);
  return join(folder, dirname(path));
}

/**
 * The file of a pipeline: a path as it is, a name in `./pipelines` first and then among those that come with edrlake.
 * @throws {EdrlakeError} `USAGE` naming the nearest there is
 */
export async function findPipelineFile(nameOrPath: string, workingDirectory: string): Promise<string> {
  if (extname(nameOrPath) !== '' || /[\\/]/.test(nameOrPath)) {
    const path = resolve(workingDirectory, nameOrPath);
    if (await exists(path)) return path;
    throw new EdrlakeError('USAGE', `there is no pipeline file ${path}`, { hint: 'Check the path.' });
  }
  const files = await pipelineFiles(workingDirectory);
  const found = files.find((path) => nameOf(path) === nameOrPath);
  if (found !== undefined) return found;
  const names = [...new Set(files.map(nameOf))];
  const near = didYouMean(nameOrPath, names);
  throw new EdrlakeError('USAGE', `there is no pipeline "${nameOrPath}" in ./pipelines, and none comes with edrlake`, {
    hint: `${near === null ? '' : `Did you mean ${near}? `}There are: ${names.join(', ')}. A file is given by its path, such as ./my.ts.`,
  });
}

/** Every pipeline file that a name can mean, those of the working directory first. */
async function pipelineFiles(workingDirectory: string): Promise<string[]> {
  return [...(await ownPipelineFiles(workingDirectory)), ...(await filesIn(SHIPPED_PIPELINES))];
}

/** The files in `./pipelines`, by name. */
export function ownPipelineFiles(workingDirectory: string): Promise<string[]> {
  return filesIn(join(workingDirectory, 'pipelines'));
}

async function filesIn(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  return names
    .filter((name) => EXTENSIONS.some((extension) => extname(name) === extension) && !name.endsWith('.d.ts'))
    .sort()
    .map((name) => join(directory, name));
}

function nameOf(path: string): string {
  return basename(path, extname(path));
}

/**
 * What a pipeline file exports by default. TypeScript needs no build. The file may be in any folder and shares this
 * program's modules: what it imports from `edrlake` and `@edrlake/…` is what runs it.
 * @throws {EdrlakeError} `CONFIG_INVALID` where it cannot be loaded, or its default export is no pipeline
 */
export async function loadPipeline(path: string): Promise<Pipeline> {
  // Loaded only here: it brings a compiler.
  const { createJiti } = await import('jiti');
  const runner = await import('@edrlake/runner');
  const virtualModules = {
    // What a pipeline file needs of the package's own index, without loading the rest of it.
    edrlake: { definePipeline: runner.definePipeline, EdrlakeError },
    '@edrlake/core': await import('@edrlake/core'),
    '@edrlake/lake': await import('@edrlake/lake'),
    '@edrlake/runner': runner,
  };
  const jiti = createJiti(import.meta.url, { virtualModules, fsCache: false, moduleCache: false });
  const bytes = await readFile(path).catch(() => null);
  if (bytes !== null) refuseUnreadableText(bytes, path);
  let loaded: unknown;
  try {
    loaded = await jiti.import(path, { default: true });
  } catch (error) {
    if (error instanceof EdrlakeError) throw error;
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw new EdrlakeError('CONFIG_INVALID', `${path} cannot be loaded: ${reason}`, {
      cause: error,
      hint: 'Correct the file. --log-level debug shows where it fails.',
    });
  }
  if (isPipeline(loaded)) return loaded;
  throw new EdrlakeError('CONFIG_INVALID', `${path}: expected a pipeline as its default export`, {
    hint: "Write: import { definePipeline } from 'edrlake'; export default definePipeline({ name, tasks });",
  });
}

function isPipeline(found: unknown): found is Pipeline {
  if (typeof found !== 'object' || found === null) return false;
  const { name, tasks } = found as Partial<Record<keyof Pipeline, unknown>>;
  return typeof name === 'string' && typeof tasks === 'object' && tasks !== null;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
