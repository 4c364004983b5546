import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startCaseGateway } from '../cases/gateway.ts';
import { inFreshDirectory, runCommand, startCommand } from './command.ts';

it('a second run of a pipeline names the first one in one line, and ends with success', async () => {
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const gateway = await startCaseGateway({
    events: [],
    answer: async ({ kind }) => {
      if (kind === 'auth') return false;
      asked();
      // Never answers: the first run waits for it.
      return new Promise<boolean>(() => {});
    },
  });
  try {
    await inFreshDirectory(async (directory) => {
      const args = ['run', 'nightly', '--param', 'since=2021-03-27', '--base-url', gateway.url];
      const lake = ['--lake', join(directory, 'lake')];
      const first = startCommand([...args, ...lake], { cwd: directory });
      await isAsked;
      const second = await runCommand([...args, ...lake], { cwd: directory });
      expect(second.exitCode, second.stderr).toBe(0);
      expect(second.stdout).toBe('');
      expect(second.stderr.replace(/\s+/g, ' ')).toMatch(
        new RegExp(
          `edrlake: nightly is already running: process ${first.pid}, since \\S+Z, run \\S+; nothing to do here $`,
        ),
      );
      const asJson = await runCommand([...args, ...lake, '--json'], { cwd: directory });
      expect(asJson.exitCode).toBe(0);
      expect(JSON.parse(asJson.stdout)).toMatchObject({ state: 'already-running', pid: first.pid });
      first.kill('SIGTERM');
      expect((await first.ended).exitCode).toBe(130);
    });
  } finally {
    await gateway.close();
  }
});
