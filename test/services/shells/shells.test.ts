/** What edrlake gives to zsh and systemd, held against the real ones. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, test } from 'vitest';
import { definePart, output, run, TOP } from '../part.ts';

const PROGRAMS = { zsh: 'zsh', 'systemd-analyze': 'systemd' } as const;

async function install(): Promise<null> {
  for (const [program, name] of Object.entries(PROGRAMS)) {
    const isThere = () => run(program, ['--version'], { cwd: TOP }).catch(() => null);
    if ((await isThere()) !== null) continue;
    if (process.getuid?.() === 0) {
      await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', name], { cwd: TOP });
      if ((await isThere()) !== null) continue;
    }
    throw new Error(`${program}: needed, and not found. Install it (apt-get install ${name}).`);
  }
  return null;
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'edrlake-shells-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** At the end of `.zshrc`: a prompt to wait for, and a key that keeps the line as it is then. */
const KEEP_LINE = `
PS1='ready> '
keep-line() { print -r -- "$BUFFER" > "$HOME/line"; BUFFER=exit; zle accept-line }
zle -N keep-line
bindkey '^G' keep-line
`;

/** Starts a zsh on a terminal of its own, and types a line, Tab and that key. */
const TYPE_INTO_ZSH = `
zmodload zsh/zpty
zpty typed zsh -i
zpty -r typed seen '*ready> '
zpty -w -n typed "$1"$'\\t\\a'
while zpty -r typed seen; do :; done
`;

definePart('shells', install, () => {
  const path = [join(TOP, 'node_modules/.bin'), dirname(process.execPath), '/usr/local/bin:/usr/bin:/bin'].join(':');

  /** @param startUp what `.zshrc` says before the script of edrlake, where it has that */
  async function completedLine(line: string, startUp: string, ownScript = true): Promise<string> {
    return inFolder(async (home) => {
      const env = { HOME: home, ZDOTDIR: home, PATH: path, TERM: 'dumb' };
      const script = await output('edrlake', ['completion', 'zsh'], { cwd: TOP, env });
      await writeFile(join(home, '.zshrc'), `${startUp}\n${ownScript ? script : ''}${KEEP_LINE}`);
      await writeFile(join(home, 'lake.sql'), '');
      await writeFile(join(home, 'type.zsh'), TYPE_INTO_ZSH);
      await output('zsh', ['-f', 'type.zsh', line], { cwd: home, env, timeoutMs: 60_000 });
      return (await readFile(join(home, 'line'), 'utf8')).trimEnd();
    });
  }

  it.each([
    ['edrlake ba', 'edrlake backfill'],
    ['edrlake help sta', 'edrlake help status'],
    ['edrlake publish oc', 'edrlake publish ocsf'],
    ['edrlake backfill --pl', 'edrlake backfill --platform'],
    ['edrlake query --format nd', 'edrlake query --format ndjson'],
    ['edrlake query --format=nd', 'edrlake query --format=ndjson'],
    ['edrlake query --output la', 'edrlake query --output lake.sql'],
    ['edrlake query --output=la', 'edrlake query --output=lake.sql'],
  ])('zsh completes %s', async (line, expected) => {
    expect(await completedLine(line, 'autoload -Uz compinit; compinit -i')).toBe(expected);
  });

  test('zsh completes where .zshrc sets nothing up', async () => {
    expect(await completedLine('edrlake ba', '')).toBe('edrlake backfill');
  });

  test('zsh finds the script in its function path', async () => {
    await inFolder(async (functions) => {
      const script = await output('edrlake', ['completion', 'zsh'], { cwd: TOP, env: { PATH: path } });
      await mkdir(functions, { recursive: true });
      await writeFile(join(functions, '_edrlake'), script);
      const startUp = `fpath=('${functions}' $fpath); autoload -Uz compinit; compinit -i`;
      expect(await completedLine('edrlake ba', startUp, false)).toBe('edrlake backfill');
    });
  });

  test('systemd accepts the unit of README', async () => {
    const readme = await readFile(join(TOP, 'README.md'), 'utf8');
    const unit = /^```ini\n(.*?)^```/ms.exec(readme)?.[1] ?? '';
    expect(unit).toContain('edrlake schedule');
    await inFolder(async (folder) => {
      await writeFile(join(folder, 'edrlake.service'), unit.replaceAll('/opt/edrlake/', TOP));
      const checked = await run('systemd-analyze', ['verify', '--man=no', './edrlake.service'], { cwd: folder });
      expect(checked).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    });
  });
});
