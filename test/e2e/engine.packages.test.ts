import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand } from './command.ts';

// The packages of Temporal are no dependencies of this repository: `npm run test:services -- temporal` installs them.
it('an engine whose packages are not installed says how to install them', async () => {
  await inFreshDirectory(async (cwd) => {
    for (const args of [
      ['run', 'nightly'],
      ['worker', '--base-url', 'http://127.0.0.1:9'],
    ]) {
      const { exitCode, stderr } = await runCommand([...args, '--engine', 'temporal'], { cwd });
      expect(exitCode).toBe(2);
      expect(stderr.replaceAll(/\s+/g, ' ')).toContain(
        'npm install @temporalio/client@~1.24.0 @temporalio/worker@~1.24.0 @temporalio/workflow@~1.24.0 @temporalio/activity@~1.24.0',
      );
    }
  });
});
