import { existsSync } from 'node:fs';
import { lstat, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCaseGateway } from '../cases/gateway.ts';
import { inPlainDuckDb, runCommand, runJson, inShell as runScript } from './command.ts';

const SQL = 'select event_id from events order by 1';
/** Far more than the buffer of a pipe. */
const MUCH = `select repeat('x', 1000) as x from range(20000)`;
const CSV = 'event_id\nF_0\nF_1\nF_2\n';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-output-'));
  const events = [0, 1, 2].map((index) => ({
    id: `F_${index}`,
    type: 'FILE',
    dateTime: `2021-03-27T01:00:0${index}Z`,
  }));
  const gateway = await startCaseGateway({ events });
  const days = ['--from', '2021-03-27', '--to', '2021-03-27'];
  await runJson(['backfill', ...days, '--base-url', gateway.url, '--lake', join(directory, 'lake')]);
  await gateway.close();
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const query = (sql: string, output: string, format = 'csv') =>
  runCommand(['query', sql, '--lake', 'lake', '--format', format, '--output', output], { cwd: directory });

const inShell = (script: string) => runScript(script, directory);

describe('a result goes', () => {
  it.each(['csv', 'parquet'])('to the file behind a symbolic link, as %s, and leaves the link', async (format) => {
    await writeFile(join(directory, `there.${format}`), 'old');
    await symlink(`there.${format}`, join(directory, `link.${format}`));
    await symlink(join(directory, `new.${format}`), join(directory, `dangling.${format}`));
    for (const name of [`link.${format}`, `dangling.${format}`]) {
      expect(await query(SQL, name, format)).toMatchObject({ exitCode: 0, stderr: '' });
      expect(await readlink(join(directory, name))).toMatch(/there|new/);
    }
    for (const name of [`there.${format}`, `new.${format}`]) {
      const rows = await inPlainDuckDb(`from '${join(directory, name)}'`);
      expect(rows).toEqual([['F_0'], ['F_1'], ['F_2']]);
    }
    expect((await readdir(directory)).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it.each([
    ['.', 'it is a directory (EISDIR)'],
    ['no-such-folder/result', 'there is no such directory (ENOENT)'],
  ])('not to %s', async (output, reason) => {
    for (const format of ['csv', 'parquet']) {
      const { exitCode, stderr } = await query(SQL, output, format);
      const text = stderr.replace(/\s+/g, ' ');
      expect({ exitCode, text }).toMatchObject({ exitCode: 2, text: expect.stringContaining(reason) });
      expect(text).toContain('[USAGE]');
    }
  });
});

describe.skipIf(!existsSync('/dev/full'))('devices and pipes are written to, never replaced', () => {
  it('standard output by its name', async () => {
    const both = `edrlake query "${SQL}" --lake lake --format csv --output /dev/stdout`;
    const { stdout } = await inShell(`${both} | cat; echo before > log; ${both} >> log; cat log`);
    expect(stdout.toString()).toBe(`${CSV}before\n${CSV}`);
    expect((await lstat('/dev/stdout')).isSymbolicLink()).toBe(true);
  });

  it('standard output by its name, as Parquet', async () => {
    const script = `edrlake query "${SQL}" --lake lake --format parquet --output /dev/fd/1 | cat > piped.parquet`;
    expect(await inShell(script)).toMatchObject({ exitCode: 0, stderr: '' });
    const rows = await inPlainDuckDb(`from '${join(directory, 'piped.parquet')}'`);
    expect(rows).toEqual([['F_0'], ['F_1'], ['F_2']]);
  });

  it.each(['csv', 'json', 'parquet'])('a named pipe, as %s', async (format) => {
    const pipe = `pipe-${format}`;
    const ask = `edrlake query "${SQL}" --lake lake --format ${format} --output`;
    const { stdout } = await inShell(`mkfifo ${pipe}; cat ${pipe} > got-${format} & ${ask} ${pipe}; echo $?; wait`);
    expect(stdout.toString()).toBe('0\n');
    expect((await lstat(join(directory, pipe))).isFIFO()).toBe(true);
    const rows = await inPlainDuckDb(
      `from read_${format === 'json' ? 'json_auto' : format}('${directory}/got-${format}')`,
    );
    expect(rows).toEqual([['F_0'], ['F_1'], ['F_2']]);
  });

  it('a named pipe whose reader ends', async () => {
    const ask = `edrlake query "${MUCH}" --lake lake --format csv --output gone`;
    const { stdout, stderr } = await inShell(`mkfifo gone; head -c 100 gone > /dev/null & ${ask}; echo $?; wait`);
    expect({ stdout: stdout.toString(), stderr }).toMatchObject({
      stdout: '1\n',
      stderr: expect.stringContaining('[OUTPUT_FAILED]'),
    });
    expect(stderr.replace(/\s+/g, ' ')).toContain('the reader closed the pipe');
  });

  it.each(['csv', 'json', 'parquet'])('a full device, as %s', async (format) => {
    // Through a separate link: if it were replaced, the machine would lose its device.
    const full = join(directory, `full-${format}`);
    await symlink('/dev/full', full);
    const { exitCode, stderr } = await query(MUCH, full, format);
    const text = stderr.replace(/\s+/g, ' ');
    expect({ exitCode, text }).toMatchObject({ exitCode: 1, text: expect.stringContaining('is full (ENOSPC)') });
    expect(text).toContain('[OUTPUT_FAILED]');
    expect(await readlink(full)).toBe('/dev/full');
  });
});

it('an existing file stays when the query fails', async () => {
  await writeFile(join(directory, 'kept.csv'), 'old');
  expect((await query('select error(event_id) from events', 'kept.csv')).exitCode).toBe(2);
  expect(await readFile(join(directory, 'kept.csv'), 'utf8')).toBe('old');
});
