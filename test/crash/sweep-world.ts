import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dayOf, MS_PER_DAY, startOfDayMs } from '@edrlake/core';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { expect } from 'vitest';
import { inPlainDuckDb, runCommand, startCommand } from '../e2e/command.ts';
import { expectLakeHoldsTruth } from '../e2e/lake-truth.ts';
import { COUNTED, type FaultPlan, type SweptCommand, type Trial } from './sweep-plan.ts';

const HOOK = fileURLToPath(new URL('./fault-hook.mjs', import.meta.url));
const EVENTS = 240;

/** A gateway with three days of events, and for each command a lake that has work for it. */
export interface SweepWorld {
  /** The operations of an undisturbed run of the command on the lake. */
  stepsOf(command: SweptCommand): Promise<string[]>;
  /** Disturbs a run, runs the command once more, and checks the lake during both. */
  attempt(trial: Trial): Promise<Outcome>;
  close(): Promise<void>;
}

/** How a disturbed run ended: by the kill, with an exit code, or before the step was reached. */
export type Outcome = 'killed' | 'failed' | 'survived' | 'not reached';

export async function sweepWorld(): Promise<SweepWorld> {
  const endMs = startOfDayMs(dayOf(Date.now()));
  const range = { startMs: endMs - 3 * MS_PER_DAY, endMs };
  const lateness = [{ share: 1, minMs: 1_000, maxMs: 60_000 }];
  const simulator = await startSimulator({ events: EVENTS, range, seed: 5, lateness });
  const folder = await mkdtemp(join(tmpdir(), 'edrlake-crash-'));
  const days = { first: dayOf(range.startMs), last: dayOf(endMs - 1) };
  const target = (lake: string) => ['--lake', lake, '--base-url', simulator.url, '--page-size', '60'];
  const argumentsOf = (command: SweptCommand, lake: string): string[] => {
    const all = ['--from', days.first, '--to', days.last, ...target(lake)];
    switch (command) {
      case 'backfill':
        return ['backfill', ...all];
      case 'sync':
        return ['sync', '--since', days.first, ...target(lake)];
      case 'compact':
        return ['compact', '--lake', lake];
      case 'vacuum':
        return ['vacuum', '--grace', '0s', '--lake', lake];
      case 'repair':
        return ['reconcile', '--repair', ...all];
      case 'nightly':
        return ['run', 'nightly', '--param', `since=${days.first}`, '--param', 'days=3', ...target(lake)];
    }
  };
  const succeed = async (args: readonly string[], options = {}) => {
    const ended = await runCommand(args, options);
    expect(ended.exitCode, `edrlake ${args.join(' ')}\n${ended.stdout}${ended.stderr}`).toBe(0);
  };
  const made = new Map<SweptCommand, Promise<string>>();
  const templateOf = (command: SweptCommand): Promise<string> => {
    const known = made.get(command);
    if (known !== undefined) return known;
    const making = makeTemplate(command);
    made.set(command, making);
    return making;
  };

  /** The first day only, all days, all days compacted, or all days without two files. */
  async function makeTemplate(command: SweptCommand): Promise<string> {
    const lake = join(folder, `lake-for-${command}`);
    if (command === 'sync' || command === 'nightly') {
      await succeed(['backfill', '--from', days.first, '--to', days.first, ...target(lake)]);
    } else if (command === 'compact') {
      await succeed(argumentsOf('backfill', lake));
    } else if (command !== 'backfill') {
      await cp(await templateOf('compact'), lake, { recursive: true });
      if (command === 'vacuum') await succeed(argumentsOf('compact', lake));
      if (command === 'repair') {
        for (const table of ['events', 'certificates']) {
          const names = await readdir(join(lake, table), { recursive: true });
          await rm(join(lake, table, names.filter((name) => name.endsWith('.parquet')).sort()[0] ?? ''));
        }
      }
    }
    return lake;
  }

  async function newLake(command: SweptCommand): Promise<string> {
    const template = await templateOf(command);
    const lake = join(await mkdtemp(join(folder, 'trial-')), 'lake');
    if (command !== 'backfill') await cp(template, lake, { recursive: true });
    return lake;
  }

  const withFault = (lake: string, fault: Omit<FaultPlan, 'root' | 'matching'>) => ({
    env: {
      NODE_OPTIONS: `--import=${HOOK}`,
      EDRLAKE_TEST_FAULT: JSON.stringify({ root: `${lake}/`, matching: COUNTED, ...fault } satisfies FaultPlan),
    },
  });

  return {
    async stepsOf(command) {
      const lake = await newLake(command);
      const stepsFile = `${lake}-steps`;
      await succeed(argumentsOf(command, lake), withFault(lake, { step: 0, action: 'none', stepsFile }));
      const lines = (await readFile(stepsFile, 'utf8')).trim().split('\n');
      return lines.map((line) => line.slice(line.indexOf(' ') + 1));
    },
    async attempt(trial) {
      const { command, step, action } = trial;
      const lake = await newLake(command);
      const stepsFile = `${lake}-steps`;
      const running = startCommand(argumentsOf(command, lake), withFault(lake, { step, action, stepsFile }));
      const reading = readViews(lake, simulator, running.ended);
      const { exitCode, stdout, stderr } = await running.ended;
      const said = `${stdout}${stderr}`;
      await reading;
      const reached = (await readFile(stepsFile, 'utf8')).trim().split('\n').length >= step;
      const isKill = action.startsWith('kill');
      if (reached && isKill) expect(exitCode, said).toBeNull();
      if (!isKill) {
        expect([0, 1, 2, 3], said).toContain(exitCode);
        expect(said).not.toContain('[BUG]');
        // Everything that a successful command reports is in the lake.
        if (exitCode === 0) await expectTruth(lake, simulator);
      }
      await succeed(argumentsOf(command, lake));
      await expectTruth(lake, simulator);
      await succeed(['vacuum', '--grace', '0s', '--lake', lake]);
      await expectNothingLeft(lake);
      await rm(join(lake, '..'), { recursive: true, force: true });
      return !reached ? 'not reached' : isKill ? 'killed' : exitCode === 0 ? 'survived' : 'failed';
    },
    async close() {
      await simulator.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const TABLES = ['events', 'certificates', 'indicators', 'interfaces', 'asset_tags'];

/** By pattern over the folders and through the views. */
async function expectTruth(lake: string, simulator: Simulator): Promise<void> {
  await expectLakeHoldsTruth(lake, simulator);
  const views = join(lake, 'lake.duckdb');
  for (const table of TABLES) {
    const columns = table === 'events' ? 'event_id' : 'event_id, position';
    const sql = (from: string) => `select count(*), coalesce(sum(hash(${columns})), 0) from ${from}`;
    const plain = await inPlainDuckDb(sql(`read_parquet('${lake}/${table}/*/*.parquet', hive_partitioning = true)`));
    expect(await inPlainDuckDb(sql(table), views), `${table} by its view`).toEqual(plain);
  }
}

/** While a command works on the lake, `lake.duckdb` always shows one whole version of it. */
async function readViews(lake: string, simulator: Simulator, ended: Promise<unknown>): Promise<void> {
  let isOver = false;
  const over = ended.then(() => {
    isOver = true;
  });
  const truth = new Set(simulator.truth.ids());
  while (!isOver) {
    const rows = await inPlainDuckDb(
      `select event_id, (select count(*) from certificates anti join events using (event_date, event_id)) from events`,
      join(lake, 'lake.duckdb'),
    ).catch(() => []);
    const ids = new Set(rows.map(([id]) => id));
    expect(ids.size, 'event_id is unique in the view').toBe(rows.length);
    expect(rows.filter(([id, orphans]) => !truth.has(id ?? '') || orphans !== '0')).toEqual([]);
    await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 50))]);
  }
}

async function expectNothingLeft(lake: string): Promise<void> {
  for (const folder of ['_leases', '_trash', '_spool/tmp'])
    expect(await readdir(join(lake, folder)), folder).toEqual([]);
  expect(await readdir(join(lake, '_spool')), '_spool').toEqual(['tmp']);
  const names = await readdir(lake, { recursive: true });
  expect(names.filter((name) => /\.partial$|\.part$/.test(name))).toEqual([]);
}
