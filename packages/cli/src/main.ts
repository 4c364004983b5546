import { VERSION } from './version.ts';

const args = process.argv.slice(2);
if (args[0] === '--version' || args[0] === 'version') {
  process.stdout.write(`${VERSION}\n`);
} else {
  // Loaded only here, so that the version is printed at once.
  const { runInProcess } = await import('./run-in-process.ts');
  await runInProcess(args);
}
