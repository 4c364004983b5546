import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dayOf, MS_PER_DAY, startOfDayMs } from '@edrlake/core';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { expect } from 'vitest';
import type { S3Fault, S3Request } from '../../packages/lake/test/s3-server.ts';
import { inPlainDuckDb, runCommand, startCommand } from '../e2e/command.ts';
import type { LakeHome } from '../e2e/lake-home.ts';
import { expectLakeHoldsTruth, parquetOf, type TrueDataset } from '../e2e/lake-truth.ts';
import {
  COUNTED,
  type DiskAction,
  type FaultPlan,
  type RequestAction,
  type Step,
  type SweptCommand,
  type Trial,
  type Variant,
} from './sweep-plan.ts';

const HOOK = fileURLToPath(new URL('./fault-hook.mjs', import.meta.url));
const EVENTS = 240;

/** A gateway with three days of events, and for each command a lake that has work for it. */
export interface SweepWorld {
  /** The operations of an undisturbed run of the command on the lake. */
  stepsOf(command: SweptCommand): Promise<Step[]>;
  /** Disturbs a run, runs the command once more, and checks the lake during both. */
  attempt(trial: Trial): Promise<Outcome>;
  close(): Promise<void>;
}

/** How a disturbed run ended: by the kill, with an exit code, or before the step was reached. */
export type Outcome = 'killed' | 'failed' | 'survived' | 'not reached';

export async function sweepWorld(variant: Variant): Promise<SweepWorld> {
  const { dataset, writer, homes } = variant;
  const endMs = startOfDayMs(dayOf(Date.now()));
  const range = { startMs: endMs - 3 * MS_PER_DAY, endMs };
  const lateness = [{ share: 1, minMs: 1_000, maxMs: 60_000 }];
  const simulator = await startSimulator({ events: EVENTS, range, seed: 5, lateness });
  const folder = await mkdtemp(join(tmpdir(), 'edrlake-crash-'));
  const days = { first: dayOf(range.startMs), last: dayOf(endMs - 1) };
  const target = ({ args }: LakeHome) => [...args, '--base-url', simulator.url, '--page-size', '60'];
  const argumentsOf = (command: SweptCommand, home: LakeHome): string[] => {
    const all = ['--from', days.first, '--to', days.last, ...target(home)];
    switch (command) {
      case 'backfill':
        return ['backfill', ...all];
      case 'sync':
        return ['sync', '--since', days.first, ...target(home)];
      case 'compact':
        return ['compact', ...home.args];
      case 'vacuum':
        return ['vacuum', '--grace', '0s', ...home.args];
      case 'repair':
        return ['reconcile', '--repair', ...all];
      case 'nightly':
        return ['run', 'nightly', '--param', `since=${days.first}`, '--param', 'days=3', ...target(home)];
    }
  };
  const succeed = async (
    home: LakeHome,
    args: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ): Promise<void> => {
    const env = { EDRLAKE_WRITER: writer, ...home.env, ...more };
    const ended = await runCommand(args, { env });
    expect(ended.exitCode, `edrlake ${args.join(' ')}\n${ended.stdout}${ended.stderr}`).toBe(0);
  };
  const run = (home: LakeHome, command: SweptCommand, more: Readonly<Record<string, string>> = {}) =>
    succeed(home, argumentsOf(command, home), more);
  const made = new Map<SweptCommand, Promise<LakeHome>>();
  const templateOf = (command: SweptCommand): Promise<LakeHome> => {
    const known = made.get(command);
    if (known !== undefined) return known;
    const making = makeTemplate(command);
    made.set(command, making);
    return making;
  };
  const newFolder = (name: string) => mkdtemp(join(folder, `${name}-`));

  /** The first day only, all days, all days compacted, or all days without two files. */
  async function makeTemplate(command: SweptCommand): Promise<LakeHome> {
    if (command === 'vacuum' || command === 'repair') {
      const home = await (await templateOf('compact')).copyTo(await newFolder(`lake-for-${command}`));
      if (command === 'vacuum') await run(home, 'compact');
      else await loseFiles(home, dataset);
      return home;
    }
    const home = await homes.at(await newFolder(`lake-for-${command}`), dataset);
    if (command === 'sync' || command === 'nightly') {
      await succeed(home, ['backfill', '--from', days.first, '--to', days.first, ...target(home)]);
    } else if (command === 'compact') await run(home, 'backfill');
    return home;
  }

  async function newLake(command: SweptCommand): Promise<{ readonly home: LakeHome; readonly root: string }> {
    const root = await newFolder('trial');
    const home = command === 'backfill' ? homes.at(root, dataset) : (await templateOf(command)).copyTo(root);
    return { home: await home, root };
  }

  const withFault = ({ work }: LakeHome, fault: Omit<FaultPlan, 'root' | 'matching'>) => ({
    NODE_OPTIONS: `--import=${HOOK}`,
    EDRLAKE_TEST_FAULT: JSON.stringify({ root: `${work}/`, matching: COUNTED, ...fault } satisfies FaultPlan),
  });

  return {
    async stepsOf(command) {
      const { home, root } = await newLake(command);
      const stepsFile = join(root, 'steps');
      const before = home.place?.requests.length ?? 0;
      await run(home, command, withFault(home, { step: 0, action: 'none', stepsFile }));
      const onDisk = (await linesOf(stepsFile)).map((line) => line.slice(line.indexOf(' ') + 1));
      const requests = home.place?.requests.slice(before).map(requestText) ?? [];
      await home.close();
      return [
        ...onDisk.map((what, n) => ({ at: 'disk' as const, number: n + 1, kind: what.split(' ')[0] ?? '', what })),
        ...requests.map(({ kind, what }, n) => ({ at: 'store' as const, number: n + 1, kind, what })),
      ];
    },
    async attempt({ command, step, action }) {
      const { home, root } = await newLake(command);
      const stepsFile = join(root, 'steps');
      const isKill = action.toString().startsWith('kill');
      const onDisk =
        step.at === 'disk' ? { step: step.number, action: action as DiskAction } : { step: 0, action: 'none' as const };
      const disturbed = disturbRequest(home, step, action as RequestAction);
      const env = { EDRLAKE_WRITER: writer, ...home.env, ...withFault(home, { ...onDisk, stepsFile }) };
      const running = startCommand(argumentsOf(command, home), { env });
      disturbed.begin(() => running.kill('SIGKILL'));
      // A lake that is damaged already is no version that could be read.
      const isWhole = home.place === null || command !== 'repair';
      const reading = isWhole ? readWhileRunning(home, simulator, running.ended, dataset) : Promise.resolve();
      // It is looked at below, after the command has ended.
      reading.catch(() => undefined);
      const { exitCode, stdout, stderr } = await running.ended;
      const isReached = step.at === 'store' ? disturbed.isReached() : (await linesOf(stepsFile)).length >= step.number;
      disturbed.end();
      const said = `${stdout}${stderr}`;
      await reading;
      if (isReached && isKill) expect(exitCode, said).toBeNull();
      if (!isKill) {
        // A request is repeated; what a list showed too late is refused at worst.
        const allowed = step.at === 'store' && action !== 'stale-list' ? [0] : [0, 1, 2, 3];
        expect(allowed, said).toContain(exitCode);
        expect(said).not.toContain('[BUG]');
        // Everything that a successful command reports is in the lake.
        if (exitCode === 0) await expectTruth(home, simulator, variant);
      }
      await run(home, command);
      await expectTruth(home, simulator, variant);
      await succeed(home, argumentsOf('vacuum', home), { EDRLAKE_WRITER: 'duckdb' });
      await expectNothingLeft(home.work);
      await home.close();
      await rm(root, { recursive: true, force: true });
      return !isReached ? 'not reached' : isKill ? 'killed' : exitCode === 0 ? 'survived' : 'failed';
    },
    async close() {
      for (const home of made.values()) await (await home).close();
      await simulator.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function linesOf(file: string): Promise<string[]> {
  return (await readFile(file, 'utf8')).trim().split('\n');
}

/** One file of the events and one of a child table. */
async function loseFiles(home: LakeHome, { children }: TrueDataset): Promise<void> {
  const files = await home.files();
  for (const table of ['events', Object.keys(children)[0] ?? '']) {
    const names = await readdir(join(files, table), { recursive: true });
    await home.lose(`${table}/${names.filter((name) => name.endsWith('.parquet')).sort()[0]}`);
  }
}

/** `PUT _log`, and the same with all of the key; the keys of lakes begin with a folder. */
function requestText({ method, key, query }: S3Request): { readonly kind: string; readonly what: string } {
  const verb = method === 'GET' && key === '' ? 'list' : method;
  const path = (key || (query.get('prefix') ?? '')).slice('edr/'.length);
  return { kind: `${verb} ${path.split('/')[0]}`, what: `${verb} ${path}` };
}

/** Lets one request to the object store fail, or kills the process that sends it. */
function disturbRequest({ place }: LakeHome, { at, number }: Step, action: RequestAction) {
  const before = place?.requests.length ?? 0;
  const isTurn = () => place !== null && at === 'store' && place.requests.length === before + number;
  return {
    begin: (kill: () => void) => {
      if (place === null) return;
      place.fault = (): S3Fault | null => {
        if (!isTurn()) return null;
        if (action !== 'kill-before' && action !== 'kill-after') return action;
        kill();
        return action === 'kill-before' ? 'lost' : 'unanswered';
      };
    },
    isReached: () => (place?.requests.length ?? 0) >= before + number,
    end: () => {
      if (place !== null) place.fault = () => null;
    },
  };
}

/** In the files that any engine finds and, where something writes them, through the views. */
async function expectTruth(home: LakeHome, simulator: Simulator, { dataset, writer }: Variant): Promise<void> {
  const files = await home.files();
  await expectLakeHoldsTruth(files, simulator, undefined, dataset);
  if (writer !== 'duckdb') return;
  const sums = (from: (table: string) => string) =>
    ['events', ...Object.keys(dataset.children)]
      .map((table) => {
        const columns = table === 'events' ? 'event_id' : 'event_id, position';
        return `select '${table}', count(*), coalesce(sum(hash(${columns})), 0) from ${from(table)}`;
      })
      .join(' union all ');
  const plain = await inPlainDuckDb(sums((table) => parquetOf(files, table)));
  expect((await home.viaViews(sums((table) => table))).sort(), 'by the views').toEqual(plain.sort());
}

/** While a command works on the lake, `lake.duckdb`, or what the log names, is always one whole version of it. */
async function readWhileRunning(
  home: LakeHome,
  simulator: Simulator,
  ended: Promise<unknown>,
  { children }: TrueDataset,
): Promise<void> {
  const child = Object.keys(children)[0] ?? '';
  let isOver = false;
  const over = ended.then(() => {
    isOver = true;
  });
  const truth = new Set(simulator.truth.ids());
  const orphans = (events: string, rows: string) =>
    `select event_id, (select count(*) from ${rows} anti join ${events} using (event_date, event_id)) from ${events}`;
  while (!isOver) {
    const read = home.place === null ? null : await home.files();
    const rows = await (read === null
      ? home.viaViews(orphans('events', child))
      : inPlainDuckDb(orphans(parquetOf(read, 'events'), parquetOf(read, child)))
    ).catch(() => []);
    const ids = new Set(rows.map(([id]) => id));
    expect(ids.size, 'event_id is unique').toBe(rows.length);
    expect(rows.filter(([id, count]) => !truth.has(id ?? '') || count !== '0')).toEqual([]);
    await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 50))]);
  }
}

async function expectNothingLeft(work: string): Promise<void> {
  const namesIn = (name: string) => readdir(join(work, name)).catch(() => []);
  for (const name of ['_leases', '_trash', '_spool/tmp']) expect(await namesIn(name), name).toEqual([]);
  expect(await readdir(join(work, '_spool')), '_spool').toEqual(['tmp']);
  // Others may be writing copies of objects; what is left of those goes after a while.
  const names = (await readdir(work, { recursive: true })).filter((name) => !name.startsWith('cache/'));
  expect(names.filter((name) => /\.partial$|\.part$/.test(name))).toEqual([]);
}
