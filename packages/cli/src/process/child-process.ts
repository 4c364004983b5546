import { spawn } from 'node:child_process';
import { EdrlakeError } from '@edrlake/core';
import type { Child, ProcessContext } from './process-context.ts';

/** A child that ignores the request to end is killed after this time. */
const STOP_WITHIN_MS = 2_000;

/**
 * Makes the function that starts children which cannot outlive this process: by signal, and by a channel whose end they
 * notice.
 */
export function childSpawner(process: NodeJS.Process): ProcessContext['spawnChild'] {
  return ([program, ...args], options): Child => {
    const child = spawn(program, args, {
      env: options.env as NodeJS.ProcessEnv,
      cwd: options.workingDirectory,
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    const killNow = () => child.kill('SIGKILL');
    process.once('exit', killNow);
    const { stdout } = child;
    if (stdout === null) throw new EdrlakeError('BUG', 'expected a pipe to the child process, found none');
    return {
      stdout,
      stop: async () => {
        child.kill('SIGTERM');
        const timer = setTimeout(killNow, STOP_WITHIN_MS);
        await ended;
        clearTimeout(timer);
        process.off('exit', killNow);
      },
    };
  };
}
