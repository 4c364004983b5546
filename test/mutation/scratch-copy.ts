import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * A copy of the sources that may be changed: it shares the installed dependencies, but not the packages of this
 * repository.
 */
export interface ScratchCopy {
  readonly directory: string;
  remove(): void;
}

/** Copies what git tracks, with uncommitted changes, and files that git would track. */
export function scratchCopy(top: string): ScratchCopy {
  const directory = mkdtempSync(join(tmpdir(), 'edrlake-mutate-'));
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: top,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const deleted = new Set(
    execFileSync('git', ['ls-files', '-z', '--deleted'], { cwd: top, encoding: 'utf8' }).split('\0'),
  );
  for (const path of listed.split('\0')) {
    if (path === '' || deleted.has(path)) continue;
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    copyFileSync(join(top, path), join(directory, path));
  }
  linkDependencies(top, directory);
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** The packages of this repository are linked to the copy, everything else to the installed one. */
function linkDependencies(top: string, directory: string): void {
  const from = join(top, 'node_modules');
  const to = join(directory, 'node_modules');
  mkdirSync(join(to, '@edrlake'), { recursive: true });
  for (const name of readdirSync(from)) {
    if (name === '@edrlake' || name === 'edrlake') continue;
    symlinkSync(join(from, name), join(to, name));
  }
  for (const name of readdirSync(join(directory, 'packages'))) {
    if (name === 'edrlake') symlinkSync(join(directory, 'packages', name), join(to, 'edrlake'));
    else symlinkSync(join(directory, 'packages', name), join(to, '@edrlake', name));
  }
}
