import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);

/** The part of vite's interface that is used. */
interface Bundler {
  build(options: object): Promise<unknown>;
}

/** A script that child processes can run. */
export interface ChildScript {
  /** Runs it with one argument as JSON. @returns how it ended. */
  run(
    argument: unknown,
  ): Promise<{ readonly code: number | null; readonly signal: string | null; readonly errors: string }>;
  /** The same, while it runs. */
  start(argument: unknown): RunningChild;
  remove(): Promise<void>;
}

/** A running child process. */
export interface RunningChild {
  readonly pid: number;
  readonly ended: ReturnType<ChildScript['run']>;
}

/** Bundles a TypeScript file with the sources of our packages, with the bundler that vitest brings. */
export async function buildChild(source: URL): Promise<ChildScript> {
  const bundler = createRequire(require.resolve('vitest/package.json')).resolve('vite');
  const { build } = (await import(pathToFileURL(bundler).href)) as Bundler;
  // Below node_modules, so that imports that are not bundled are found.
  const modules = join(import.meta.dirname, '../../../node_modules');
  const folder = await mkdtemp(join(modules, '.lake-child-'));
  await build({
    configFile: false,
    logLevel: 'error',
    root: import.meta.dirname,
    resolve: { conditions: ['edrlake-source', 'node', 'import', 'default'] },
    ssr: { noExternal: [/^@edrlake\//], resolve: { conditions: ['edrlake-source', 'node', 'import', 'default'] } },
    build: {
      ssr: fileURLToPath(source),
      outDir: folder,
      target: 'node20',
      minify: false,
      rolldownOptions: { output: { entryFileNames: 'child.mjs', chunkFileNames: '[name].mjs' } },
    },
  });
  return {
    run: (argument) => startChild(join(folder, 'child.mjs'), argument).ended,
    start: (argument) => startChild(join(folder, 'child.mjs'), argument),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

function startChild(script: string, argument: unknown): RunningChild {
  const child = spawn(process.execPath, [script, JSON.stringify(argument)], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<Awaited<RunningChild['ended']>>((resolve, reject) => {
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      errors += text;
    });
    child.on('error', reject).on('close', (code, signal) => resolve({ code, signal, errors }));
  });
  return { pid: child.pid ?? 0, ended };
}
