import { defineConfig } from 'rolldown';

/**
 * The command in few files. Finding and opening a module takes Node longer than compiling it, and DuckDB's client alone comes
 * in 180 of them; `dist` stays what other programs import. Left out is what has a native part, what looks for files of its own
 * beside its code, and what only few commands load.
 */
export default defineConfig({
  input: { main: 'src/main.ts' },
  platform: 'node',
  external: [/^@duckdb\/node-bindings/, 'c12', 'jiti', 'parquetjs-lite'],
  resolve: {
    conditionNames: ['edrlake-source', 'import', 'node', 'default'],
    // yargs measures with string-width, which makes an Intl.Segmenter as it loads: a tenth of every start.
    alias: { 'string-width': 'fast-string-width' },
  },
  output: {
    dir: 'bundle',
    format: 'esm',
    cleanDir: true,
    chunkFileNames: '[name]-[hash].js',
    // Each takes what its modules import along. Left alone the bundler makes a file of every set of modules that the same
    // commands share.
    codeSplitting: {
      groups: [
        {
          name: 'start',
          priority: 2,
          test: /cli\/src\/(process-run|args\/command-line|json-output|quantity-text|table-text)\.ts$/,
        },
        { name: 'lake', priority: 1, test: /(runner\/src\/(open-lake|history)|cli\/src\/(gateway|lake-access))\.ts$/ },
      ],
    },
  },
});
