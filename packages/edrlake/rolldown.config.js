import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'rolldown';
import { BUNDLE, LIBRARY, shippedFiles } from './build/shipped-files.js';

rmSync(BUNDLE, { recursive: true, force: true });

/**
 * The command and the library in few files each. Finding and opening a module takes Node longer than compiling it, and DuckDB's
 * client alone comes in 180 of them. Left out, and declared as dependencies, is what has a native part, what looks for files of
 * its own beside its code, and what only few commands load. The two share no file: the chunks that make the command start fast
 * would have the library load the command line.
 */
const SHARED = {
  platform: 'node',
  external: [
    /^@duckdb\/node-bindings/,
    'c12',
    'jiti',
    /^parquetjs-lite/,
    /^@aws-sdk\//,
    /^@opentelemetry\//,
    /^@temporalio\//,
  ],
  resolve: {
    conditionNames: ['edrlake-source', 'import', 'node', 'default'],
    // yargs measures with string-width, which makes an Intl.Segmenter as it loads: a tenth of every start.
    alias: {
      'string-width': 'fast-string-width',
      undici$: fileURLToPath(new URL('build/undici-agents.js', import.meta.url)),
    },
  },
};

const OUTPUT = { format: 'esm', chunkFileNames: '[name]-[hash].js' };

/** Refuses a file that is not whole by itself, apart from what it may import. */
function alone() {
  return {
    name: 'alone',
    writeBundle(_, chunks) {
      const [only, ...others] = Object.values(chunks);
      const imports = (only?.imports ?? []).filter((name) => name !== '@temporalio/workflow');
      if (others.length > 0 || imports.length > 0) throw new Error(`workflows.js needs ${imports.join(', ')}`);
    },
  };
}

export default defineConfig([
  {
    ...SHARED,
    input: { main: 'src/main.ts' },
    plugins: [shippedFiles()],
    output: {
      ...OUTPUT,
      dir: BUNDLE,
      // Each takes what its modules import along. Left alone the bundler makes a file of every set of modules that the same
      // commands share.
      codeSplitting: {
        groups: [
          { name: 'start', priority: 2, test: /cli\/src\/args\/command-line\.ts$/ },
          { name: 'history', priority: 1, test: /runner\/src\/history\.ts$/ },
        ],
      },
    },
  },
  {
    ...SHARED,
    // Temporal loads this file into a sandbox of its own, without Node: it shares nothing with the others.
    external: ['@temporalio/workflow'],
    input: { workflows: '../temporal/src/workflow/workflows.ts' },
    plugins: [alone()],
    output: { ...OUTPUT, dir: BUNDLE },
  },
  {
    ...SHARED,
    // A table of another copy is no table: the library gives those of the copy that the program has.
    external: [...SHARED.external, 'apache-arrow'],
    input: { index: 'src/index.ts', arrow: 'src/arrow.ts', simulator: 'src/simulator.ts', testing: 'src/testing.ts' },
    plugins: [shippedFiles()],
    output: { ...OUTPUT, dir: LIBRARY },
  },
]);
