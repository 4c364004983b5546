import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { inFreshDirectory } from './command.ts';

const run = promisify(execFile);
const TOP = fileURLToPath(new URL('../../', import.meta.url));

interface Result {
  readonly targets: readonly { readonly name: string; readonly verdict: string }[];
  readonly compared: readonly {
    readonly figures: { readonly forwarded: number; readonly contestants: Readonly<Record<string, unknown>> };
  }[];
}

it('compares a small export with the floor, row for row, and answers every request from the recording', async () => {
  await inFreshDirectory(async (directory) => {
    await run(join(TOP, 'node_modules/.bin/tsc'), ['-p', join(TOP, 'test/bench')]);
    const file = join(directory, 'result.json');
    const flags = ['--events', '2000', '--days', '1', '--rounds', '1', '--skip', 'again,start-up'];
    const bench = [join(TOP, 'test/bench/dist/bench.js'), ...flags, '--work', directory, '--json', file];
    const { stdout } = await run(process.execPath, bench);
    expect(stdout).toMatch(/the same in edrlake, duckdb-batch +rows\nevents +2,000\n/);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    const { compared, targets } = JSON.parse(await readFile(file, 'utf8')) as Result;
    expect(compared[0]?.figures.forwarded).toBe(0);
    expect(Object.keys(compared[0]?.figures.contestants ?? {})).toEqual(['edrlake', 'duckdb-batch', 'parse', 'server']);
    expect(
      targets.map(({ verdict }) => verdict).filter((verdict) => verdict !== 'met' && verdict !== 'missed'),
    ).toEqual([]);
  });
}, 120_000);
