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
  resolve: { conditionNames: ['edrlake-source', 'import', 'node', 'default'] },
  output: { dir: 'bundle', format: 'esm', cleanDir: true, chunkFileNames: '[name]-[hash].js' },
});
