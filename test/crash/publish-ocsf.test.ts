import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@edrlake/core';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeObjects } from '../../packages/lake/test/lake-homes.ts';
import { S3_KEY } from '../../packages/lake/test/object-address.ts';
import { type S3Server, startS3Server } from '../../packages/lake/test/s3-server.ts';
import { inPlainDuckDb, runCommand, startCommand } from '../e2e/command.ts';
import type { FaultPlan } from './sweep-plan.ts';

const HOOK = fileURLToPath(new URL('./fault-hook.mjs', import.meta.url));
const DAY = '2020-08-17';
const TRIALS = 3;
const LONG_MS = 600_000;

let folder: string;
let server: S3Server;
let simulator: Simulator;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edrlake-ocsf-'));
  server = await startS3Server();
  const startMs = Date.parse(`${DAY}T00:00:00Z`);
  simulator = await startSimulator({ events: 120, range: { startMs, endMs: startMs + 86_400_000 }, seed: 5 });
  const all = ['--from', DAY, '--to', DAY, '--base-url', simulator.url];
  await succeed(['backfill', '--filter', 'type: FILE', ...all]);
  await succeed(['publish', 'ocsf', '--to', 'before']);
  await succeed(['backfill', ...all]);
}, LONG_MS);
afterAll(async () => {
  await simulator.close();
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function succeed(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  const { exitCode, stdout, stderr } = await runCommand(args, { cwd: folder, env });
  expect(exitCode, `${stdout}${stderr}`).toBe(0);
}

/** How often a reader of the folder sees each event. */
async function timesSeen(target: string): Promise<string[][]> {
  const files = (await readdir(join(folder, target), { recursive: true })).filter(
    (name) => name.endsWith('.parquet') && !name.startsWith('_edrlake') && !name.includes('finding'),
  );
  const list = files.map((name) => `'${join(folder, target, name)}'`).join(', ');
  const read = `read_parquet([${list}], union_by_name = true, hive_partitioning = false)`;
  const rows = await inPlainDuckDb(`SELECT metadata.uid, count(*) FROM ${read} GROUP BY ALL ORDER BY ALL`);
  return rows.map((row) => row.map(String));
}

async function eventsOf(where: string): Promise<string[][]> {
  const files = `read_parquet('${join(folder, 'lake')}/events/*/*.parquet')`;
  const rows = await inPlainDuckDb(`SELECT event_id, 1 FROM ${files} WHERE ${where} ORDER BY ALL`);
  return rows.map((row) => row.map(String));
}

test(
  'a publication killed at any step shows each event once, and is whole after one more run',
  async () => {
    const [before, after] = [await eventsOf("event_type = 'FILE'"), await eventsOf('TRUE')];
    expect(await timesSeen('before')).toEqual(before);
    const withFault = (target: string, fault: Pick<FaultPlan, 'step' | 'action'>) => ({
      NODE_OPTIONS: `--import=${HOOK}`,
      EDRLAKE_TEST_FAULT: JSON.stringify({
        ...{ root: `${join(folder, target)}/`, matching: '', stepsFile: join(folder, `${target}-steps`) },
        ...fault,
      } satisfies FaultPlan),
    });
    const copyOf = async (target: string) => {
      await cp(join(folder, 'before'), join(folder, target), { recursive: true });
      return ['publish', 'ocsf', '--to', target];
    };
    await succeed(await copyOf('whole'), withFault('whole', { step: 0, action: 'none' }));
    expect(await timesSeen('whole')).toEqual(after);
    const steps = (await readFile(join(folder, 'whole-steps'), 'utf8')).trim().split('\n');
    // The day is put in place in the last third of the steps.
    const random = seededRandom(8);
    for (let trial = 0; trial < TRIALS; trial += 1) {
      const step = Math.ceil(steps.length * (2 / 3 + random() / 3));
      const [target, action] = [`killed-${trial}`, trial % 2 === 0 ? 'kill-before' : 'kill-after'] as const;
      const args = await copyOf(target);
      const ended = await startCommand(args, { cwd: folder, env: withFault(target, { step, action }) }).ended;
      expect(ended.exitCode, `${steps[step - 1]} ${ended.stdout}${ended.stderr}`).toBeNull();
      const seen = await timesSeen(target);
      expect(seen.filter(([, times]) => times !== '1')).toEqual([]);
      const ids = new Set(seen.map(([id]) => id));
      expect(before.filter(([id]) => !ids.has(id))).toEqual([]);
      await succeed(args);
      expect(await timesSeen(target)).toEqual(after);
      expect(await readdir(join(folder, target, '_edrlake', 'work'))).toEqual([]);
    }
  },
  LONG_MS,
);

test(
  'into a bucket too: a publication killed at any request shows no event twice, and is whole after one more run',
  async () => {
    const env = {
      ...{ AWS_ENDPOINT_URL: server.url, AWS_REGION: 'eu-central-1', XDG_STATE_HOME: join(folder, 'state') },
      ...{ AWS_ACCESS_KEY_ID: S3_KEY.accessKeyId, AWS_SECRET_ACCESS_KEY: S3_KEY.secretAccessKey },
    };
    const args = ['publish', 'ocsf', '--to', 's3://lake/ocsf'];
    const seenNow = async (name: string) => {
      await writeObjects(server.objects, 'ocsf', join(folder, name));
      return timesSeen(name);
    };
    const running = startCommand(args, { cwd: folder, env });
    let uploads = 0;
    server.fault = ({ method, key }) => {
      uploads += method === 'PUT' && key.endsWith('.parquet') ? 1 : 0;
      if (uploads < 3) return null;
      running.kill('SIGKILL');
      return 'unanswered';
    };
    expect((await running.ended).exitCode).toBeNull();
    server.fault = () => null;
    const seen = await seenNow('killed-in-bucket');
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.filter(([, times]) => times !== '1')).toEqual([]);
    await succeed(args, env);
    expect(await seenNow('whole-in-bucket')).toEqual(await eventsOf('TRUE'));
    const { stdout } = await runCommand([...args, '--json'], { cwd: folder, env });
    expect(JSON.parse(stdout)).toMatchObject({ directory: 's3://lake/ocsf', days: { published: 0, unchanged: 1 } });
  },
  LONG_MS,
);
