/** What README gives to shells: completion in bash, and lines for cron, in the little environment that cron has. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseRange } from '@edrlake/core';
import { startSimulator } from '@edrlake/simulator';
import { describe, expect, it, test } from 'vitest';
import { inFreshDirectory, inShell } from './command.ts';

const TOP = fileURLToPath(new URL('../../', import.meta.url));

describe('completion in bash', () => {
  // The words as bash divides a line: at "=" too, which is a word of its own then.
  it.each([
    ['edrlake ba', 'backfill'],
    ['edrlake help sta', 'status'],
    ['edrlake publish ', 'delta iceberg ducklake ocsf'],
    ['edrlake backfill --pl', '--platform'],
    ['edrlake query --format nd', 'ndjson'],
    ['edrlake query --format = nd', 'ndjson'],
    ['edrlake query --format =', 'table csv json ndjson arrow parquet'],
    ['edrlake query --lake ', ''],
  ])('of %s is %s', async (line, expected) => {
    const words = line.split(' ').map((word) => `'${word}'`);
    const script = `source <(edrlake completion bash)
      COMP_WORDS=(${words.join(' ')}) COMP_CWORD=${words.length - 1}
      _edrlake && echo "\${COMPREPLY[*]}"; complete -p edrlake`;
    const { exitCode, stdout, stderr } = await inShell(script, TOP);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout.toString()).toBe(`${expected}\ncomplete -o bashdefault -o default -F _edrlake edrlake\n`);
  });
});

test('the lines for cron export a night, tell of a wrong password, and of a lake that is not there', async () => {
  const simulator = await startSimulator({
    events: 2_000,
    range: parseRange('2026-11-10', '2026-11-11'),
    seed: 5,
    nowMs: null,
  });
  try {
    await inFreshDirectory(async (folder) => {
      const crontab = await readCrontab(folder, simulator.url);
      const [nightly = '', stale = ''] = crontab.commands;
      const log = () => readFile(join(folder, 'log'), 'utf8').catch(() => '');

      expect(await crontab.run(stale)).toEqual({ exitCode: 0, output: '' });
      expect(await log()).toBe('-p user.err the EDR lake is stale\n');

      await writeFile(join(folder, 'password'), 'wrong');
      expect(await crontab.run(nightly)).toEqual({ exitCode: 0, output: '' });
      expect(await log()).toMatch(/\n-p user\.err edrlake nightly ended with 2\n$/);
      expect(await readFile(join(folder, 'edrlake.log'), 'utf8')).toContain('[AUTH_REJECTED]');

      await writeFile(join(folder, 'password'), 'demo');
      const before = await log();
      expect(await crontab.run(nightly)).toEqual({ exitCode: 0, output: '' });
      expect(await crontab.run(stale)).toEqual({ exitCode: 0, output: '' });
      expect(await log()).toBe(before);
      expect(await readFile(join(folder, 'edrlake.log'), 'utf8')).toMatch(/ nightly \S+: done\n/);
    });
  } finally {
    await simulator.close();
  }
});

/** The block for cron of README, with a gateway and folders that this machine has. `logger` writes into a file. */
async function readCrontab(folder: string, url: string) {
  const readme = await readFile(join(TOP, 'README.md'), 'utf8');
  const block = /^```cron\n(.*?)^```/ms.exec(readme)?.[1] ?? '';
  const here = block
    .replaceAll('/opt/edrlake/', TOP)
    .replace('EDRLAKE_PLATFORM=US2', `EDRLAKE_BASE_URL=${url}`)
    .replace('/data/edr', join(folder, 'lake'))
    .replace('EDRLAKE_USERNAME=exporter', 'EDRLAKE_USERNAME=demo')
    .replace('/etc/edrlake/password', join(folder, 'password'))
    .replaceAll('/var/log/', `${folder}/`);
  const lines = here.trim().split('\n');
  const settings = lines.flatMap((line) => /^([A-Z_]+)=(.*)$/.exec(line)?.slice(1, 3).join('=') ?? []);
  const commands = lines.flatMap((line) => /^(?:[\d*/,-]+\s+){5}(.*)$/.exec(line)?.[1] ?? []);
  expect([settings.length, commands.length]).toEqual([5, 2]);

  const programs = join(folder, 'bin');
  await mkdir(programs);
  await mkdir(join(folder, 'home'));
  await writeFile(join(programs, 'logger'), `#!/bin/sh\necho "$*" >> '${folder}/log'\n`);
  await chmod(join(programs, 'logger'), 0o755);
  const asCron = ['HOME=home', 'LOGNAME=edrlake', 'SHELL=/bin/sh', ...settings].map((setting) =>
    setting.replace(/^HOME=/, `HOME=${folder}/`).replace(/^PATH=/, `PATH=${programs}:${dirname(process.execPath)}:`),
  );
  const quoted = (words: readonly string[]) => words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`);
  return {
    commands,
    run: async (command: string) => {
      const words = quoted(['env', '-i', ...asCron, '/bin/sh', '-c', command]);
      const { exitCode, stdout, stderr } = await inShell(words.join(' '), join(folder, 'home'));
      return { exitCode, output: stdout.toString() + stderr };
    },
  };
}
