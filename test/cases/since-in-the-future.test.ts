import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, inFreshDirectory, runCommand } from '../e2e/command.ts';
import { type CaseGateway, startCaseGateway } from './gateway.ts';

const HOUR_MS = 3_600_000;
const AHEAD = '2130-01-01';

let gateway: CaseGateway;
beforeAll(async () => {
  const firstMs = Date.now() - 2 * HOUR_MS;
  const events = Array.from({ length: 40 }, (_, n) => {
    const time = new Date(firstMs + n * 1_000).toISOString().replace('Z', '+0000');
    return { id: `F_${n}`, type: 'FILE', dateTime: time, eventProcessedTime: time, asset: { agentId: 'a' } };
  });
  gateway = await startCaseGateway({ events });
});
afterAll(() => gateway.close());

function edrlake(directory: string, ...args: string[]): Promise<Ended> {
  const [command = '', ...rest] = args;
  const gatewayFlags = command === 'status' ? [] : ['--base-url', gateway.url];
  return runCommand([command, ...rest, ...gatewayFlags, '--lake', join(directory, 'lake')], {
    cwd: directory,
  });
}

/** A lake without a commit whose sync begins ahead of now, as earlier versions left it. */
async function poisonedLake(directory: string): Promise<void> {
  const made = await edrlake(directory, 'backfill', '--from', '2020-01-01', '--to', '2020-01-01');
  expect(made.exitCode, made.stderr).toBe(0);
  await writeFile(
    join(directory, 'lake/_runs/follow.json'),
    JSON.stringify({ [JSON.stringify(['processed', null, null])]: Date.parse(AHEAD) }),
  );
}

describe('a beginning in the future', () => {
  it.each([
    ['sync', ['sync', '--since', AHEAD]],
    ['the nightly pipeline', ['run', 'nightly', '--param', `since=${AHEAD}`]],
  ])(
    'is refused by %s, and leaves nothing behind',
    async (_, args) => {
      await inFreshDirectory(async (directory) => {
        await mkdir(join(directory, 'pipelines'));
        const pipeline = await readFile(new URL('../../pipelines/nightly.ts', import.meta.url), 'utf8');
        await writeFile(join(directory, 'pipelines/nightly.ts'), pipeline);
        const ended = await edrlake(directory, ...args);
        expect(ended.exitCode, ended.stderr + ended.stdout).toBe(2);
        expect(ended.stderr + ended.stdout).toMatch(/2130-01-01T00:00:00.000Z has not come\s+yet/);
        await expect(access(join(directory, 'lake/_runs/follow.json'))).rejects.toThrow();

        const plain = await edrlake(directory, 'sync');
        expect(plain).toMatchObject({ exitCode: 2, stdout: '' });
        expect(plain.stderr).toContain('--since');
        expect((await edrlake(directory, 'status', '--max-age', '26h')).exitCode).not.toBe(0);
      });
    },
    60_000,
  );

  it('is refused by backfill and plan', async () => {
    await inFreshDirectory(async (directory) => {
      for (const command of ['plan', 'backfill']) {
        const ended = await edrlake(directory, command, '--from', AHEAD, '--to', AHEAD);
        expect(ended).toMatchObject({ exitCode: 2, stdout: '' });
        expect(ended.stderr).toContain('[RANGE_INVALID]');
      }
    });
  }, 60_000);
});

it('a lake whose sync begins ahead of now is never reported as complete, and is repaired by a new beginning', async () => {
  await inFreshDirectory(async (directory) => {
    await poisonedLake(directory);
    const sync = await edrlake(directory, 'sync');
    expect(sync.exitCode).toBe(1);
    expect(sync.stderr).toContain('[CLOCK_WRONG]');
    expect(sync.stderr).toMatch(/edrlake\s+sync\s+--lake\s+\S+\s+--since/);
    const status = await edrlake(directory, 'status', '--max-age', '26h');
    expect(status.exitCode).toBe(4);
    expect(status.stdout).not.toContain('2130');

    const since = new Date(Date.now() - 24 * HOUR_MS).toISOString().slice(0, 10);
    const mended = await edrlake(directory, 'sync', '--since', since);
    expect(mended.exitCode, mended.stderr).toBe(0);
    expect(mended.stdout).toContain('40 new');
    expect((await edrlake(directory, 'sync')).exitCode).toBe(0);
    expect((await edrlake(directory, 'status', '--max-age', '26h')).exitCode).toBe(0);
  });
}, 60_000);
