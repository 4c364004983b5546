import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';

const TOP = fileURLToPath(new URL('../../', import.meta.url));

/** A world in which power is cut soon after a commit. */
const FORGOTTEN = { seed: '112', steps: '4' };

beforeAll(async () => {
  const built = await run(join(TOP, 'node_modules/.bin/tsc'), ['-p', join(TOP, 'test/simulation')]);
  expect(built, 'the simulation compiles').toMatchObject({ exitCode: 0 });
}, 120_000);

describe('a simulated world', () => {
  it('is the same, operation for operation, in two runs of one seed, and differs with another seed', async () => {
    const traces = async (seed: number) => {
      const { stdout } = await simulate(['--seed', String(seed), '--steps', '3']);
      return /trace (\w{32})/.exec(stdout)?.[1];
    };
    const first = await traces(4);
    expect(first).toMatch(/^\w{32}$/);
    expect(await traces(5)).not.toBe(first);
    // Worlds of one run share modules and DuckDB: earlier worlds must not affect this one.
    const { stdout } = await simulate(['--seed', '3', '--seeds', '2', '--steps', '3']);
    expect(/seed 4: .* trace (\w{32})/.exec(stdout)?.[1]).toBe(first);
  }, 240_000);

  // Node versions other than the running one: paths with colons between them.
  const otherNodes = (process.env.EDRLAKE_OTHER_NODES ?? '').split(':').filter((path) => path !== '');
  it.each(otherNodes)(
    'is the same with %s',
    async (node) => {
      const worlds = ['--seed', '4', '--steps', '4'];
      expect((await simulate(worlds, node)).stdout).toBe((await simulate(worlds)).stdout);
    },
    240_000,
  );

  it('keeps all promises in worlds that broke one once, in fixed worlds, and in some new ones', async () => {
    for (const worlds of [['--corpus'], ['--seed', '1', '--seeds', '3'], ['--seeds', '2']]) {
      const { exitCode, stdout, stderr } = await simulate(worlds);
      expect(exitCode, stdout + stderr).toBe(0);
      expect(stdout).toMatch(/worlds [1-9]\d*, failed 0, /);
    }
  }, 240_000);

  it('notices a gateway whose counts and pages lack an event, and a disk that forgets its syncs', async () => {
    const hidden = await simulate(['--seed', '1', '--steps', '4', '--sabotage', 'count', '--no-shrink']);
    expect(hidden).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(/promise (3|exit code)/) });
    const { seed } = FORGOTTEN;
    const forgotten = await simulate([
      '--seed',
      seed,
      '--steps',
      FORGOTTEN.steps,
      '--sabotage',
      'syncs',
      '--no-shrink',
    ]);
    expect(forgotten).toMatchObject({ exitCode: 1, stdout: expect.stringContaining(`seed ${seed}: BROKEN`) });
  }, 240_000);
});

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function simulate(args: readonly string[], node = process.execPath): Promise<Ended> {
  return run(node, [join(TOP, 'test/simulation/dist/simulate.js'), ...args]);
}

function run(program: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, args, { maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : typeof error.code === 'number' ? error.code : null, stdout, stderr });
    });
  });
}
