import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect, it } from 'vitest';
import { runCommand } from '../e2e/command.ts';
import { startCaseGateway } from './gateway.ts';

const DAY = ['--from', '2021-03-27', '--to', '2021-03-27'];
const EVENTS = Array.from({ length: 50 }, (_, index) => {
  const at = new Date(Date.parse('2021-03-27T00:00:00Z') + index * 60_000).toISOString().replace('Z', '+0000');
  return { id: `F_${index}`, type: 'FILE', dateTime: at, eventProcessedTime: at, asset: { agentId: 'a' } };
});

async function viewRows(file: string): Promise<string> {
  const instance = await DuckDBInstance.create(file, { access_mode: 'READ_ONLY' });
  const connection = await instance.connect();
  try {
    return String((await connection.runAndReadAll('select count(*) from events')).getRows()[0]?.[0]);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

it('a lake with * or [ in its path works like any other, next to any other folder', async () => {
  const gateway = await startCaseGateway({ events: EVENTS });
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-path-'));
  const lake = join(directory, 'what [old]*');
  const run = async (args: readonly string[]) => {
    const ended = await runCommand([...args, '--lake', lake]);
    expect(ended.exitCode, ended.stdout + ended.stderr).toBe(0);
    return ended.stdout;
  };
  try {
    const ends = ['--base-url', gateway.url];
    await run(['backfill', ...DAY, ...ends]);
    expect(await run(['query', 'select count(*) as n from events', '--format', 'csv'])).toContain('n\n50\n');
    // A pattern would match this folder as well.
    await mkdir(join(directory, 'what o!'), { recursive: true });
    await cp(lake, join(directory, 'what o!'), { recursive: true });
    await run(['backfill', ...DAY, '--force', ...ends]);
    await run(['reconcile', ...DAY, ...ends]);
    await run(['compact']);
    expect(await run(['query', 'select count(*) as n from events', '--format', 'csv'])).toContain('n\n50\n');
    expect(await viewRows(join(lake, 'lake.duckdb'))).toBe('50');
  } finally {
    await gateway.close();
    await rm(directory, { recursive: true, force: true });
  }
});

it('an address that is no lake is refused before any request or file', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-path-'));
  try {
    const ends = ['--base-url', 'http://127.0.0.1:1'];
    const known = 'a lake is in a folder or at s3://bucket/prefix';
    for (const [address, problem] of [
      ['s3://bucket/../lake', known],
      ['file:///srv/lake', known],
      ['gs://bucket/lake', 'two writers could both commit'],
      ['az://container/lake', 'a lake cannot be kept at az://container/lake'],
    ] as const) {
      const ended = await runCommand(['backfill', ...DAY, ...ends, '--lake', address], { cwd: directory });
      expect(ended.exitCode).toBe(2);
      expect(ended.stderr.replace(/\s+/g, ' ')).toContain(problem);
    }
    expect(await readdir(directory)).toEqual([]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

it('a question mark, which DuckDB does not accept, is refused before any request or file', async () => {
  const gateway = await startCaseGateway({ events: EVENTS });
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-path-'));
  try {
    for (const command of ['backfill', 'doctor', 'status']) {
      const range = command === 'status' ? [] : [...DAY, '--base-url', gateway.url];
      const ended = await runCommand([command, ...range, '--lake', join(directory, 'what?')]);
      expect(ended.exitCode).toBe(2);
      expect(ended.stderr.replace(/\s+/g, ' ')).toContain('a lake cannot be in a folder with a question mark');
    }
    expect(gateway.log).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  } finally {
    await gateway.close();
    await rm(directory, { recursive: true, force: true });
  }
});

it.each(['platform=US2', 'EVENT_DATE=2021-01-01', 'ingest_date=2021-01-01'])(
  'a lake below %s, the name of a column, is refused before any request or file',
  async (folder) => {
    const gateway = await startCaseGateway({ events: EVENTS });
    const directory = await mkdtemp(join(tmpdir(), 'edrlake-path-'));
    try {
      for (const command of ['backfill', 'status']) {
        const range = command === 'status' ? [] : [...DAY, '--base-url', gateway.url];
        const ended = await runCommand([command, ...range, '--lake', join(directory, folder, 'lake')]);
        expect(ended.exitCode, ended.stdout).toBe(2);
        expect(ended.stderr.replace(/\s+/g, ' ')).toContain('a lake cannot be below a folder');
      }
      expect(gateway.log).toEqual([]);
      expect(await readdir(directory)).toEqual([]);
    } finally {
      await gateway.close();
      await rm(directory, { recursive: true, force: true });
    }
  },
);

it('a lake below source=edr, which is no column, works like any other', async () => {
  const gateway = await startCaseGateway({ events: EVENTS });
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-path-'));
  try {
    const lake = ['--lake', join(directory, 'source=edr', 'lake')];
    expect((await runCommand(['backfill', ...DAY, ...lake, '--base-url', gateway.url])).exitCode).toBe(0);
    const { stdout } = await runCommand(['query', 'select count(*) as n from events', '--format', 'csv', ...lake]);
    expect(stdout).toBe('n\n50\n');
  } finally {
    await gateway.close();
    await rm(directory, { recursive: true, force: true });
  }
});
