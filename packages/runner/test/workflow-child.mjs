// Runs the pipeline of `workflow-child-pipeline.ts` from the TypeScript sources, in a process of its own that can be
// killed.
import { fileURLToPath } from 'node:url';
import { createViteServer } from 'vitest/node';

const conditions = ['edrlake-source', 'node', 'import', 'default'];
const server = await createViteServer({
  root: fileURLToPath(new URL('../../..', import.meta.url)),
  configFile: false,
  logLevel: 'error',
  appType: 'custom',
  server: { middlewareMode: true, watch: null, hmr: false, ws: false },
  optimizeDeps: { noDiscovery: true, include: [] },
  resolve: { conditions },
  ssr: { resolve: { conditions } },
});
const { runInChild } = await server.ssrLoadModule(
  fileURLToPath(new URL('workflow-child-pipeline.ts', import.meta.url)),
);
await runInChild(process.argv[2], process.argv[3] === 'resume', (line) => process.stdout.write(`${line}\n`));
await server.close();
