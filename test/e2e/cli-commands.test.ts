import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseRange } from '@edrlake/core';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { inFreshDirectory, inPlainDuckDb, runCommand, runJson, startCommand } from './command.ts';

const BINARY = fileURLToPath(new URL('../../packages/edrlake/bin/edrlake.js', import.meta.url));
const TWO_DAYS = ['--from', '2020-08-17', '--to', '2020-08-18'];

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({ events: 30_000, range: parseRange('2020-08-17', '2020-08-18'), seed: 3 });
});
afterAll(() => simulator.close());

describe('init', () => {
  it('writes a configuration that works unchanged, once', async () => {
    await inFreshDirectory(async (directory) => {
      const written = await runCommand(['init', '--base-url', simulator.url], { cwd: directory });
      expect(written).toMatchObject({ exitCode: 0, stderr: '' });
      const text = await readFile(join(directory, 'edrlake.config.ts'), 'utf8');
      expect(text).toContain(`  baseUrl: '${simulator.url}',`);
      expect((await runCommand(['count'], { cwd: directory })).stdout).toBe('30000\n');
      const again = await runCommand(['init'], { cwd: directory });
      expect(again.exitCode).toBe(2);
      expect(await readFile(join(directory, 'edrlake.config.ts'), 'utf8')).toBe(text);
    });
  }, 240_000);

  it('is overridden by the environment, which is overridden by a flag', async () => {
    await inFreshDirectory(async (directory) => {
      const config = { baseUrl: simulator.url, from: '2020-08-17', to: '2020-08-17' };
      await writeFile(join(directory, 'edrlake.config.json'), JSON.stringify(config));
      const env = { EDRLAKE_TO: '2020-08-18' };
      const oneDay = simulator.truth.perDay()[0]?.events;
      expect((await runCommand(['count'], { cwd: directory })).stdout).toBe(`${oneDay}\n`);
      expect((await runCommand(['count'], { cwd: directory, env })).stdout).toBe('30000\n');
      const flagged = await runCommand(['count', '--to', '2020-08-17'], { cwd: directory, env });
      expect(flagged.stdout).toBe(`${oneDay}\n`);
    });
  }, 240_000);
});

describe('looking at the API', () => {
  it('counts by field', async () => {
    const types = (await runJson(['count', '--base-url', simulator.url, '--group-by', 'type'])) as {
      groups: { value: string; count: number }[];
    };
    expect(types.groups.reduce((sum, { count }) => sum + count, 0)).toBe(30_000);
    expect(types.groups.map(({ value }) => value)).toContain('FILE');
  });

  it('plans without fetching', async () => {
    const before = simulator.calls.all().length;
    const plan = (await runJson(['plan', ...TWO_DAYS, '--base-url', simulator.url])) as {
      events: number;
      requests: { planned: number; lowerBound: number };
      windows: { count: number }[];
    };
    expect(plan.events).toBe(30_000);
    expect(plan.windows.reduce((sum, { count }) => sum + count, 0)).toBe(30_000);
    expect(plan.requests.lowerBound).toBe(30);
    const calls = simulator.calls.all().slice(before);
    expect(calls.filter(({ endpoint }) => endpoint === 'events')).toEqual([]);
  });

  it('is examined by doctor', async () => {
    await inFreshDirectory(async (directory) => {
      const args = ['doctor', '--base-url', simulator.url, '--lake', join(directory, 'lake')];
      const { findings } = (await runJson(args)) as { findings: { name: string; status: string }[] };
      expect(findings.map(({ name }) => name)).toEqual(expect.arrayContaining(['login', 'lake']));
      const refused = await runCommand(args, { env: { EDRLAKE_PASSWORD: 'wrong-password' } });
      expect(refused.exitCode).toBe(2);
      expect(refused.stdout).toContain('✘ login');
      expect(refused.stdout).not.toContain('wrong-password');
    });
  }, 240_000);
});

describe('a lake', () => {
  it('is exported, shown and queried', async () => {
    await inFreshDirectory(async (directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      const report = await runJson(['backfill', ...TWO_DAYS, '--base-url', simulator.url, ...lake]);
      expect(report).toMatchObject({ outcome: 'done', events: { counted: 30_000, new: 30_000 } });

      const status = (await runJson(['status', ...lake])) as {
        coverage: { day: string; verdict: string }[];
        tables: { table: string; rows: number }[];
      };
      expect(status.coverage.map(({ day, verdict }) => [day, verdict])).toEqual([
        ['2020-08-17', 'complete'],
        ['2020-08-18', 'complete'],
      ]);
      expect(status.tables.find(({ table }) => table === 'events')?.rows).toBe(30_000);

      const count = 'select count(*) as n from events';
      expect((await runCommand(['query', count, ...lake, '--json'])).stdout).toBe('[\n{"n":30000}\n]\n');
      expect((await runCommand(['query', '-', ...lake, '--format', 'csv'], { stdin: count })).stdout).toBe(
        'n\n30000\n',
      );
      expect((await runCommand(['sql', ...lake, '--format', 'ndjson'], { stdin: `${count}; ${count};` })).stdout).toBe(
        '{"n":30000}\n{"n":30000}\n',
      );
      const script = `.help\n.format csv\n${count};\n.quit\nselec 1;\n`;
      expect((await runCommand(['sql', ...lake], { stdin: script })).stdout).toMatch(
        /^\.tables .*\n[\s\S]*\nn\n30000\n$/,
      );
      expect(await runCommand(['sql', ...lake], { stdin: '.tabels\n' })).toMatchObject({
        exitCode: 2,
        stderr: expect.stringMatching(/found "\.tabels" \[USAGE\]\nDid you mean \.tables\?/),
      });
      const broken = await runCommand(['query', 'selec 1', ...lake]);
      expect(broken).toMatchObject({ exitCode: 2, stdout: '' });

      const file = join(directory, 'events.parquet');
      const wanted = 'from events order by event_id limit 5000';
      await runJson(['query', wanted, ...lake, '--format', 'parquet', '--output', file]);
      expect(await inPlainDuckDb(`select count(*) from '${file}'`)).toEqual([['5000']]);

      const exact =
        "select 9007199254740993 as big, NULL as nothing, '' as empty, timestamp '2020-08-17 01:02:03' as at";
      const csv = await runCommand(['query', exact, ...lake, '--format', 'csv']);
      expect(csv.stdout).toBe('big,nothing,empty,at\n9007199254740993,,"",2020-08-17T01:02:03.000Z\n');

      expect(await firstLineOnly(['query', 'from events', ...lake, '--format', 'ndjson'])).toEqual({
        exitCode: 0,
        stderr: '',
      });
    });
  }, 240_000);

  it('shows an event as the lake and as the API have it', async () => {
    await inFreshDirectory(async (directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      await runJson(['backfill', ...TWO_DAYS, '--base-url', simulator.url, ...lake]);
      const sql = "select agent_id, event_id from events where event_type = 'FILE' order by event_id limit 1";
      const found = await runCommand(['query', sql, ...lake, '--format', 'csv']);
      const [agentId = '', eventId = ''] = (found.stdout.split('\n')[1] ?? '').split(',');
      const stored = await runJson(['event', eventId, '--explain', '--api', '--base-url', simulator.url, ...lake]);
      expect(stored).toMatchObject({ event: { event_id: eventId }, explanation: { broughtBy: { version: 1 } } });
      expect(stored.differences).not.toEqual([]);
      const asked = ['event', eventId, '--api', '--agent', agentId, '--base-url', simulator.url];
      const event = await runCommand([...asked, '--lake', join(directory, 'none')]);
      expect(event.exitCode, event.stderr).toBe(0);
      expect(event.stdout.split('\n').length).toBeGreaterThan(10);
      // The detail of older payloads names the event by its time series, so the agent shows that it is the right one.
      expect(JSON.stringify(JSON.parse(event.stdout))).toContain(agentId);
    });
  }, 240_000);

  it('is safe when the export is interrupted, which says how to continue', async () => {
    await inFreshDirectory(async (directory) => {
      const slow = await startSimulator({
        events: 30_000,
        range: parseRange('2020-08-17', '2020-08-18'),
        seed: 3,
        latencyMs: 100,
      });
      try {
        const args = ['backfill', ...TWO_DAYS, '--base-url', slow.url, '--lake', join(directory, 'lake')];
        const running = startCommand([...args, '--log-level', 'debug']);
        await running.said('page 0 of');
        running.kill('SIGINT');
        const ended = await running.ended;
        expect(ended.exitCode).toBe(130);
        expect(ended.stdout).toBe('');
        expect(ended.stderr).toContain('Run the same command again to resume.');
        const resumed = await runCommand(args);
        expect(resumed.exitCode, resumed.stderr).toBe(0);
      } finally {
        await slow.close();
      }
    });
  }, 240_000);
});

it('a command that waits for a disk without an answer ends within moments of Ctrl-C', async () => {
  await inFreshDirectory(async (directory) => {
    // Reading it waits for a writer, in a thread of Node's that no interrupt reaches.
    const password = join(directory, 'password');
    execFileSync('mkfifo', [password]);
    const args = ['backfill', ...TWO_DAYS, '--base-url', 'http://127.0.0.1:9', '--lake', join(directory, 'lake')];
    const env = { EDRLAKE_PASSWORD: '', EDRLAKE_PASSWORD_FILE: password };
    const running = startCommand(args, { env });
    // It can be opened so once it is being read.
    const writer = await vi.waitFor(() => openSync(password, constants.O_WRONLY | constants.O_NONBLOCK), 30_000);
    running.kill('SIGINT');
    const ended = await running.ended;
    closeSync(writer);
    expect(ended).toMatchObject({ exitCode: 130, stderr: expect.stringContaining('[INTERRUPTED]') });
  });
}, 60_000);

describe('simulate', () => {
  it('prints its address, serves, and ends on a signal', async () => {
    const child = spawn(process.execPath, [BINARY, 'simulate', '--events', '10', '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const line = await new Promise<string>((resolve) => child.stdout.setEncoding('utf8').once('data', resolve));
    const { url } = JSON.parse(line) as { url: string };
    expect((await runCommand(['count', '--base-url', url])).stdout).toBe('10\n');
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });
});

describe('demo', () => {
  it('exports, proves and queries; a second run finds nothing new; a compaction makes no day larger', async () => {
    await inFreshDirectory(async (directory) => {
      const first = await runCommand(['demo'], { cwd: directory });
      expect(first.exitCode, first.stderr).toBe(0);
      for (const text of [
        '120,000',
        '2020-08-23',
        'equal',
        'family_name',
        'duckdb -readonly ./lake/demo/lake.duckdb',
      ]) {
        expect(first.stdout).toContain(text);
      }
      expect(first.stdout).not.toContain('NOT EQUAL');
      const second = (await runJson(['demo'], { cwd: directory })) as { report: { events: Record<string, number> } };
      expect(second.report.events).toMatchObject({ counted: 120_000, new: 0, changed: 0 });
      const lake = join(directory, 'lake/demo');
      const before = await bytesByDay(lake);
      expect(await runJson(['compact', '--lake', lake])).toMatchObject({ filesAfter: 35 });
      const after = await bytesByDay(lake);
      expect([...after.keys()]).toEqual([...before.keys()]);
      expect([...after].filter(([day, bytes]) => bytes > (before.get(day) ?? 0))).toEqual([]);
    });
  }, 300_000);

  it('does not write into a lake of other data', async () => {
    await inFreshDirectory(async (directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      await runJson(['backfill', ...TWO_DAYS, '--base-url', simulator.url, ...lake]);
      expect(await runCommand(['demo', ...lake])).toMatchObject({ exitCode: 2, stdout: '' });
    });
  }, 240_000);
});

/** The size of all data files of each day. */
async function bytesByDay(lake: string): Promise<Map<string, number>> {
  const files = await inPlainDuckDb(
    `SELECT filename, size FROM read_blob('${lake}/*/event_date=*/*.parquet') ORDER BY filename`,
  );
  const days = new Map<string, number>();
  for (const [file, size] of files) {
    const day = /event_date=([\d-]+)/.exec(file ?? '')?.[1] ?? '';
    days.set(day, (days.get(day) ?? 0) + Number(size));
  }
  return days;
}

/** Reads the first line of a long output and ends, like `head -1`. */
function firstLineOnly(args: readonly string[]): Promise<{ exitCode: number | null; stderr: string }> {
  const child = spawn(process.execPath, [BINARY, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdout.once('data', () => child.stdout.destroy());
  return new Promise((resolve) => child.once('close', (exitCode) => resolve({ exitCode, stderr })));
}
