import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { startCaseGateway } from '../cases/gateway.ts';
import { inFreshDirectory, inPlainDuckDb, runCommand, runJson } from './command.ts';

const BINARY = fileURLToPath(new URL('../../packages/edrlake/bin/edrlake.js', import.meta.url));

/**
 * Runs the command where no file may be larger than 200 KiB: less than a DuckDB database, more than a small data file.
 * @param untilSaid ends it by a signal once this was said
 */
function withSmallFiles(args: readonly string[], env: Readonly<Record<string, string>>, untilSaid?: string) {
  const script = `trap '' XFSZ; ulimit -f 200; exec "$0" "$@"`;
  const child = spawn('bash', ['-c', script, process.execPath, BINARY, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (piece: Buffer) => {
      text += piece.toString();
      if (untilSaid !== undefined && text.includes(untilSaid)) child.kill('SIGTERM');
    });
  }
  return new Promise<{ exitCode: number | null; text: string }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode, text: text.replace(/\s+/g, ' ') }));
  });
}

it('a disk that refuses lake.duckdb loses no data, and the message says so', async () => {
  const event = (index: number) => ({ id: `F_${index}`, type: 'FILE', dateTime: `2021-03-27T01:00:0${index}Z` });
  const gateway = await startCaseGateway({ events: [0, 1, 2].map(event) });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = join(directory, 'lake');
      const days = ['--from', '2021-03-27', '--to', '2021-03-27'];
      const args = ['backfill', ...days, '--base-url', gateway.url, '--lake', lake];
      const first = await withSmallFiles(args, { EDRLAKE_USERNAME: 'demo', EDRLAKE_PASSWORD: 'demo' });
      expect(first.exitCode, first.text).toBe(3);
      expect(first.text).toMatch(/Events 3 counted · 3 new .*Run .* version 1 is committed and safe/);
      expect(first.text).toContain('version 1 is committed and safe, but lake.duckdb could not be written');
      expect(first.text).toContain('files may not be so large here (EFBIG) [VIEWS_STALE]');
      const asked = await runCommand(['query', 'select event_id from events', '--lake', lake, '--format', 'csv']);
      expect(asked.stdout).toBe('event_id\nF_0\nF_1\nF_2\n');
      // The next command that writes updates it, and fetches nothing again.
      const pages = gateway.asked('events');
      expect(await runJson(args)).toMatchObject({ outcome: 'done' });
      expect(gateway.asked('events')).toBe(pages);
      expect(await inPlainDuckDb('select count(*) from events', join(lake, 'lake.duckdb'))).toEqual([['3']]);
    });
  } finally {
    await gateway.close();
  }
});

it('a pipeline, also of a schedule, shows its work before it reports that lake.duckdb could not be written', async () => {
  const event = (index: number) => ({ id: `F_${index}`, type: 'FILE', dateTime: `2021-03-27T01:00:0${index}Z` });
  const gateway = await startCaseGateway({ events: [0, 1, 2].map(event) });
  try {
    await inFreshDirectory(async (directory) => {
      const file = join(directory, 'day.ts');
      await writeFile(
        file,
        `import { definePipeline } from 'edrlake';
         export default definePipeline({ name: 'day', schedule: { cron: '15 2 * * *', timeZone: 'UTC' }, tasks: { day: { uses: 'backfill', with: { from: '2021-03-27', to: '2021-03-27' } } } });`,
      );
      const target = [file, '--base-url', gateway.url, '--lake'];
      const demo = { EDRLAKE_USERNAME: 'demo', EDRLAKE_PASSWORD: 'demo' };
      const ended = await withSmallFiles(['run', ...target, join(directory, 'lake')], demo);
      expect(ended.exitCode, ended.text).toBe(3);
      expect(ended.text).toMatch(/State done.*lake.duckdb could not be written.*\[VIEWS_STALE\]/);

      // A schedule warns of it after each run, and goes on.
      const schedule = ['schedule', ...target, join(directory, 'scheduled')];
      const scheduled = await withSmallFiles(schedule, demo, 'day: next run at');
      expect(scheduled.exitCode, scheduled.text).toBe(0);
      expect(scheduled.text).toMatch(
        /day done in .*warn.*day: version 1 is committed and safe, .*\[VIEWS_STALE\].*next run/i,
      );
    });
  } finally {
    await gateway.close();
  }
});
