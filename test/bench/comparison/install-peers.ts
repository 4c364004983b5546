import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The Python programs; this file runs from `dist`. */
export const PEERS_FOLDER = fileURLToPath(new URL('../../peers/', import.meta.url));

/**
 * Installs what the peers need from PyPI into a folder of its own, one for each state of `requirements.txt`.
 * @returns the interpreter in that folder
 * @throws when there is no Python of version 3.10 or newer with `venv`, or a package cannot be installed
 */
export async function installPeers(workFolder: string): Promise<string> {
  const requirements = join(PEERS_FOLDER, 'requirements.txt');
  const hash = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 12);
  const folder = join(workFolder, `peers-${hash}`);
  const python = join(folder, 'bin/python');
  if (existsSync(python)) return python;
  try {
    await run('python3', ['-m', 'venv', folder]);
    await run(python, ['-m', 'pip', 'install', '--quiet', '--requirement', requirements]);
  } catch (thrown) {
    // A folder without its packages would be taken for complete.
    await rm(folder, { recursive: true, force: true });
    throw thrown;
  }
  return python;
}
