import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { run, TOP } from '../part.ts';

const PROGRAM = join(TOP, 'packages/edrlake/bin/edrlake.js');

/** A shell in the folder of a user who has a configuration and whose path has the command. */
export async function homeOfUser(cwd: string, baseUrl: string) {
  const bin = join(cwd, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'edrlake'), `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`, { mode: 0o755 });
  const env = {
    PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`,
    EDRLAKE_BASE_URL: baseUrl,
    ...{ EDRLAKE_USERNAME: 'demo', EDRLAKE_PASSWORD: 'demo' },
  };
  return {
    env,
    /** Runs a command as it was pasted. */
    paste: async (command: string, exitCode = 0) => {
      const ended = await run('sh', ['-c', command], { cwd, env });
      if (ended.exitCode !== exitCode) {
        throw new Error(`${command} ended with ${ended.exitCode}:\n${ended.stdout}${ended.stderr}`);
      }
      return ended;
    },
  };
}

/** `edrlake serve` over `lake` of a folder, on a free port. @returns once it listens, with its address */
export async function startServe(cwd: string, env: Readonly<Record<string, string>> = {}) {
  const server = spawn(process.execPath, [PROGRAM, 'serve', '--port', '0'], { cwd, env: { ...process.env, ...env } });
  const [line] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
  return { server, url: (JSON.parse(line) as { url: string }).url };
}

/** Does work while `edrlake serve` runs. @param use gets the address of the page */
export async function serving(
  cwd: string,
  env: Readonly<Record<string, string>>,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const { server, url } = await startServe(cwd, env);
  try {
    await use(url);
  } finally {
    server.kill('SIGINT');
    if (server.exitCode === null) await once(server, 'exit');
  }
}
