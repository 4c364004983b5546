import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Entries of processes: loading them would start one. */
const ENTRIES = new Set(['main.js', 'run-in-process.js', 'child-process.js']);

/**
 * Loads all modules that commands load later. Loading reads files in real time, which would affect the order of a
 * world's operations.
 */
export async function loadModules(): Promise<void> {
  const packages = join(dirname(fileURLToPath(import.meta.resolve('@edrlake/cli'))), '../..');
  for (const folder of ['cli', 'lake', 'runner', 'client', 'pager', 'flattener', 'datasets', 'writers', 'core']) {
    const files = modulesIn(join(packages, folder, 'dist'), join(packages, folder, 'src'));
    for (const file of files) await import(pathToFileURL(file).href);
  }
  // Pipelines are compiled when they run, by modules that are loaded only for that.
  const { loadPipeline, SHIPPED_PIPELINES } = await import(
    pathToFileURL(join(packages, 'cli/dist/session/pipeline-file.js')).href
  );
  for (const name of ['nightly.ts', 'backfill.ts']) await loadPipeline(join(SHIPPED_PIPELINES, name));
}

/** A build keeps the output of sources that have moved since: only modules with a source are loaded. */
function modulesIn(folder: string, sources: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(({ name }) => {
    const [path, source] = [join(folder, name), join(sources, name)];
    if (name.endsWith('.js')) {
      return !ENTRIES.has(name) && existsSync(source.replace(/\.js$/, '.ts')) ? [path] : [];
    }
    return existsSync(source) ? modulesIn(path, source) : [];
  });
}
