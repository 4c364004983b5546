import { installBoundary } from './world/boundary.ts';

installBoundary();
const { main } = await import('./main.ts');
process.exitCode = await main(process.argv.slice(2));
