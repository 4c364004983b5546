import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { lstat, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemProcesses } from '@edrlake/core';
import { tableFromIPC } from 'apache-arrow';
import { backfill, type Lake, openLake } from 'edrlake';
import { startTestGateway, type TestGateway } from 'edrlake/testing';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inPlainDuckDb, inShell, runCommand, runJson } from './command.ts';

let directory: string;
let gateway: TestGateway;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-export-'));
  gateway = await startTestGateway({ events: 300, from: '2020-08-17', to: '2020-08-19', seed: 3 });
  await inLake((lake) => backfill(lake, gateway.source, { from: '2020-08-17', to: '2020-08-18' }));
});
afterAll(async () => {
  await gateway.close();
  await rm(directory, { recursive: true, force: true });
});

async function inLake<T>(work: (lake: Lake) => Promise<T>): Promise<T> {
  const lake = await openLake(join(directory, 'lake'));
  try {
    return await work(lake);
  } finally {
    await lake.close();
  }
}

const stored = () => inLake((lake) => lake.query('from events order by event_id').toArray());
const toFolder = (...more: string[]) =>
  runJson(['export', 'events', '--output', 'parts/', ...more], { cwd: directory });

describe('edrlake export', () => {
  it('writes a table as a file of its extension, as a plain reader of each format reads it', async () => {
    const expected = await stored();
    const ids = expected.map(({ event_id }) => event_id);
    for (const format of ['arrow', 'parquet', 'csv', 'ndjson']) {
      const ended = await runCommand(['export', 'events', '--output', `all.${format}`], { cwd: directory });
      expect({ format, ...ended }).toEqual({ format, exitCode: 0, stdout: '', stderr: '' });
    }
    const byId = (rows: readonly Readonly<Record<string, unknown>>[]) => rows.map((row) => row.event_id).sort();
    const arrow = tableFromIPC(await readFile(join(directory, 'all.arrow')));
    expect(byId(arrow.toArray())).toEqual(ids);
    const file = await asyncBufferFromFile(join(directory, 'all.parquet'));
    const rows = await parquetReadObjects({ file, compressors });
    expect(byId(rows)).toEqual(ids);
    const times = new Map(expected.map(({ event_id, event_time }) => [event_id, event_time]));
    expect(rows.filter((row) => (row.event_time as Date).toISOString() !== times.get(row.event_id as string))).toEqual(
      [],
    );
    for (const name of ['all.csv', 'all.ndjson']) {
      const read = await inPlainDuckDb(`select event_id from '${join(directory, name)}' order by 1`);
      expect(read.map(([id]) => id)).toEqual(ids);
    }
  });

  it('writes a statement to standard output, and refuses what has no format or no days', async () => {
    const sql = 'select count(*) as n from events';
    const answered = await runCommand(['export', '-', '--format', 'csv'], { cwd: directory, stdin: sql });
    expect(answered).toEqual({ exitCode: 0, stdout: `n\n${(await stored()).length}\n`, stderr: '' });
    for (const [args, problem] of [
      [['events'], 'expected --format'],
      [['events', '--format', 'table'], '--format: expected arrow, parquet, csv or ndjson, found "table"'],
      [['events', '--format', 'xls'], '--format: expected arrow, parquet, csv or ndjson, found "xls"'],
      [['events', '--format'], '--format: expected arrow, parquet, csv or ndjson, found nothing'],
      [[sql, '--output', 'parts/'], 'only tables have days'],
      [['coverage', '--output', 'parts/'], 'it has no days'],
    ] as const) {
      const { exitCode, stderr } = await runCommand(['export', ...args], { cwd: directory });
      expect({ exitCode, stderr: stderr.replace(/\s+/g, ' ') }).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining(problem),
      });
    }
    expect(existsSync(join(directory, 'parts', 'coverage.export.json'))).toBe(false);
  });

  it('writes a day a file into a folder, goes on where it was stopped, and after a commit with what changed', async () => {
    const before = (await stored()).length;
    const first = await toFolder();
    expect(first).toMatchObject({ written: 2, unchanged: 0, rowCount: before, version: 1, before: null });
    const parts = join(directory, 'parts');
    const [one, two] = ['events-2020-08-17.parquet', 'events-2020-08-18.parquet'];
    expect((await readdir(parts)).sort()).toEqual([one, two, 'events.export.json']);
    const writtenAt = async (name: string) => (await stat(join(parts, name), { bigint: true })).mtimeNs;
    const [ofOne, ofTwo] = [await writtenAt(one), await writtenAt(two)];
    // As a killed export leaves it: one day is whole, the other is not.
    const list = JSON.parse(await readFile(join(parts, 'events.export.json'), 'utf8'));
    const { [Object.keys(list.parts)[1] ?? '']: _, ...left } = list.parts;
    await writeFile(join(parts, 'events.export.json'), JSON.stringify({ ...list, parts: left }));
    await writeFile(join(parts, `${two}.partial`), 'the beginning');
    expect(await toFolder()).toMatchObject({ written: 1, unchanged: 1, rowCount: before });
    expect(await writtenAt(one)).toBe(ofOne);
    expect(await writtenAt(two)).not.toBe(ofTwo);
    await inLake((lake) => backfill(lake, gateway.source, { from: '2020-08-19', to: '2020-08-19' }));
    const text = await runCommand(['export', 'events', '--output', 'parts'], { cwd: directory });
    const all = await stored();
    expect(text.stdout.replace(/\s+/g, ' ')).toBe(
      'The lake is at version 2; the export in parts was of version 1. ' +
        `events: 1 day written, 2 unchanged; ${all.length} rows in parts `,
    );
    expect(await writtenAt(one)).toBe(ofOne);
    expect(await readdir(parts)).toHaveLength(4);
    const read = await inPlainDuckDb(`select event_id from '${parts}/*.parquet' order by 1`);
    expect(read.map(([id]) => id)).toEqual(all.map(({ event_id }) => event_id));
    // A file that was cut short, or is gone, is written again.
    await writeFile(join(parts, one), 'x');
    await rm(join(parts, two));
    expect(await toFolder()).toMatchObject({ written: 2, unchanged: 1 });
    const other = await runCommand(['export', 'events', '--output', 'parts', '--format', 'csv'], { cwd: directory });
    expect({ ...other, stderr: other.stderr.replace(/\s+/g, ' ') }).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('names events of qualys-edr as parquet'),
    });
  });

  it('is refused while another process exports into the folder, and goes on where that was killed', async () => {
    const folder = join(directory, 'claimed');
    const hook = fileURLToPath(new URL('../crash/fault-hook.mjs', import.meta.url));
    const fault = { root: `${folder}/`, matching: '^rename events.export.json', step: 2, action: 'kill-before' };
    const env = { NODE_OPTIONS: `--import=${hook}`, EDRLAKE_TEST_FAULT: JSON.stringify(fault) };
    const args = ['export', 'events', '--output', 'claimed/'];
    expect((await runCommand(args, { cwd: directory, env })).exitCode).toBe(null);
    expect(await readdir(folder)).toContain('_exporting.1.json');
    const own = JSON.stringify(systemProcesses.current());
    await writeFile(join(folder, '_exporting.2.json'), own);
    const before = await readdir(folder);
    const refused = await runCommand([...args, '--format', 'parquet'], { cwd: directory });
    expect({ ...refused, stderr: refused.stderr.replace(/\s+/g, ' ') }).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(`process ${process.pid} is exporting into ${folder}`),
    });
    expect(await readdir(folder)).toEqual(before);
    // What cannot be seen from here may still be running: the file to remove is named.
    for (const [claim, problem] of [
      ['{"host":"there","pid":7,"startIdentity":"x"}', 'process 7 of there, which cannot be seen from here, is'],
      ['', 'is claimed by a file that names no process'],
    ] as const) {
      await writeFile(join(folder, '_exporting.2.json'), claim);
      const { exitCode, stderr } = await runCommand(args, { cwd: directory });
      expect({ exitCode, stderr: stderr.replace(/\s+/g, ' ') }).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining(problem),
      });
      expect(stderr.replace(/\s+/g, '')).toContain(`remove${join(folder, '_exporting.2.json')}`);
    }
    await rm(join(folder, '_exporting.2.json'));
    const days = (await inLake((lake) => lake.query('select distinct event_date from events').toArray())).length;
    expect(await runJson(args, { cwd: directory })).toMatchObject({ unchanged: 1, written: days - 1 });
    expect((await readdir(folder)).filter((name) => !/^events-[-\d]+\.parquet$/.test(name))).toEqual([
      'events.export.json',
    ]);
  });
});

describe.skipIf(!existsSync('/dev/null'))('what is no file', () => {
  const ids = (bytes: Buffer) => tableFromIPC(bytes).toArray().length;

  it('is written to and never replaced: a named pipe, /dev/null, /dev/stdout', async () => {
    const ask = 'edrlake export events --lake lake --format arrow --output';
    const script = `mkfifo pipe; cat pipe > got & ${ask} pipe; wait; ${ask} /dev/null; ${ask} /dev/stdout | cat`;
    const { exitCode, stdout, stderr } = await inShell(script, directory);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const expected = (await stored()).length;
    expect([ids(await readFile(join(directory, 'got'))), ids(stdout)]).toEqual([expected, expected]);
    expect((await lstat(join(directory, 'pipe'))).isFIFO()).toBe(true);
    expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true);
  });

  it('may end before the result does, and a slow reader gets every byte', async () => {
    const much = `select range, repeat('x', 1000) as x from range(100000)`;
    const ask = `edrlake export "${much}" --lake lake --format`;
    const script = `set -o pipefail; ${ask} ndjson | head -c 1000 | wc -c; ${ask} arrow | (read -t 1 <> <(:); cat) | sha256sum`;
    const { exitCode, stdout, stderr } = await inShell(script, directory);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const hash = createHash('sha256');
    await inLake(async (lake) => {
      for await (const part of lake.query(much).toArrowStream()) hash.update(part);
    });
    expect(stdout.toString().trim().split(/\s+/)).toEqual(['1000', hash.digest('hex'), '-']);
  });
});
