// Runs `shared-budget-worker.ts` from the TypeScript sources, in a process of its own that can be killed.
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
const worker = fileURLToPath(new URL('shared-budget-worker.ts', import.meta.url));
const { hammer } = await server.ssrLoadModule(worker);
await new Promise((resolve) => {
  process.once('message', resolve);
  process.send('ready');
});
await hammer(JSON.parse(process.argv[2]));
await server.close();
process.disconnect();
