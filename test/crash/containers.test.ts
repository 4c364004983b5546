import { spawn, spawnSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseRange } from '@edrlake/core';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { expect, it } from 'vitest';
import { type Ended, inFreshDirectory, runCommand } from '../e2e/command.ts';
import { expectLakeHoldsTruth } from '../e2e/lake-truth.ts';
import type { DiskAction, FaultPlan } from './sweep-plan.ts';

const BINARY = fileURLToPath(new URL('../../packages/edrlake/bin/edrlake.js', import.meta.url));
const HOOK = fileURLToPath(new URL('./fault-hook.mjs', import.meta.url));
const RANGE = ['--from', '2020-08-17', '--to', '2020-08-19'];

/**
 * Namespaces as containers have them. Where the system refuses them, the processes share one, and their leases are
 * separated.
 */
const CAN_UNSHARE = spawnSync('unshare', ['--fork', '--pid', '--mount-proc', '--uts', 'true']).status === 0;

interface Contained {
  readonly ended: Promise<Ended>;
  /**
   * The command has ended, but not its namespace: a new one could get its number, and would then know that the process
   * is dead.
   */
  readonly commandEnded: Promise<void>;
  leave(): void;
}

/** Runs the command in a separate pid namespace, under a host name of its own unless it shares the machine's. */
function inContainer(
  args: readonly string[],
  options: { readonly host?: string; readonly fault?: FaultPlan },
): Contained {
  const { host, fault } = options;
  const named = host === undefined ? '' : `hostname ${host}; `;
  // Not as the first process of its namespace, which cannot stop or kill itself. Nor with the shell's input: a killed
  // node leaves a pipe that does not block, and the shell would read its end.
  const script = `${named}"$0" "$@" </dev/null; code=$?; echo ended; read _; exit $code`;
  const namespaces = ['--fork', '--pid', '--mount-proc', '--kill-child', ...(host === undefined ? [] : ['--uts'])];
  const hook =
    fault === undefined ? {} : { NODE_OPTIONS: `--import=${HOOK}`, EDRLAKE_TEST_FAULT: JSON.stringify(fault) };
  const child = spawn('unshare', [...namespaces, 'sh', '-c', script, process.execPath, BINARY, ...args], {
    env: { ...process.env, EDRLAKE_USERNAME: 'demo', EDRLAKE_PASSWORD: 'demo', ...hook },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject).on('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
  const commandEnded = new Promise<void>((resolve) => {
    child.stdout.on('data', () => {
      if (stdout.endsWith('ended\n')) resolve();
    });
  });
  const leave = () => child.stdin.end('\n');
  return { ended, commandEnded, leave };
}

const atLink = (lake: string, action: DiskAction): FaultPlan => ({
  ...{ root: `${lake}/`, matching: '^link _log/', step: 1, action, stepsFile: null },
});

async function withGateway<T>(work: (simulator: Simulator) => Promise<T>): Promise<T> {
  const simulator = await startSimulator({ events: 200, range: parseRange('2020-08-17', '2020-08-19') });
  try {
    return await work(simulator);
  } finally {
    await simulator.close();
  }
}

const target = (lake: string, simulator: Simulator) => [
  '--lake',
  lake,
  '--base-url',
  simulator.url,
  '--page-size',
  '50',
];

/** The process that works on the lake, once it is stopped. */
async function stoppedOn(lake: string): Promise<number> {
  for (;;) {
    for (const name of await readdir('/proc')) {
      const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
      if (!stat.slice(stat.lastIndexOf(')') + 2).startsWith('T')) continue;
      const called = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
      if (called.includes(lake)) return Number(name);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function expectWhole(lake: string, simulator: Simulator): Promise<void> {
  await expectLakeHoldsTruth(lake, simulator);
  expect(await readdir(join(lake, '_spool'))).toEqual(['tmp']);
  for (const folder of ['_leases', '_spool/tmp']) expect(await readdir(join(lake, folder)), folder).toEqual([]);
}

// Without namespaces for this user, packages/lake/test/lease.fencing.test.ts tests the same with leases alone.
/** Where the next command began so late that the lease had expired already, there was nothing to wait for. */
function expectWaitSaid(stderr: string, killedAtMs: number, words: RegExp): void {
  const firstLineMs = Date.parse(stderr.slice(0, '2020-08-17T00:00:00Z'.length));
  expect(firstLineMs, stderr).not.toBeNaN();
  if (firstLineMs - killedAtMs < 25_000) expect(stderr).toMatch(words);
}

it.runIf(CAN_UNSHARE).concurrent(
  'containers that share a host name do not take each other’s commits away',
  async () => {
    await withGateway((simulator) =>
      inFreshDirectory(async (directory) => {
        const lake = join(directory, 'lake');
        const backfill = ['backfill', ...RANGE, ...target(lake, simulator)];
        const slow = inContainer(backfill, { fault: atLink(lake, 'stop-before') });
        const stopped = await stoppedOn(lake);
        const other = inContainer(['compact', '--lake', lake], {});
        await other.commandEnded;
        other.leave();
        const compacted = await other.ended;
        expect(compacted.exitCode, compacted.stderr).toBe(0);
        expect(compacted.stderr).toMatch(/a commit is held by process \d+ of .*; waiting up to 30 s for its lease/);
        process.kill(stopped, 'SIGCONT');
        slow.leave();
        const { exitCode, stderr } = await slow.ended;
        expect({ exitCode, isLost: stderr.includes('[LEASE_LOST]') }, stderr).toEqual({ exitCode: 1, isLost: true });
        const again = await runCommand(backfill);
        expect(again.exitCode, again.stderr).toBe(0);
        await expectWhole(lake, simulator);
      }),
    );
  },
  180_000,
);

it.runIf(CAN_UNSHARE).concurrent(
  'a container killed while it publishes and asks is missed after half a minute, and the next one says why it waits',
  async () => {
    await withGateway((simulator) =>
      inFreshDirectory(async (directory) => {
        const lake = join(directory, 'lake');
        const backfill = ['backfill', ...RANGE, ...target(lake, simulator)];
        const killed = inContainer(backfill, { host: 'c1', fault: atLink(lake, 'kill-before') });
        await killed.commandEnded;
        const killedAtMs = Date.now();
        const next = inContainer(backfill, { host: 'c2' });
        next.leave();
        const { exitCode, stderr } = await next.ended;
        killed.leave();
        expect((await killed.ended).exitCode).not.toBe(0);
        expect(exitCode, stderr).toBe(0);
        expectWaitSaid(
          stderr,
          killedAtMs,
          /held by process \d+ of c1, which cannot be seen from here; waiting up to 30 s/,
        );
        await expectWhole(lake, simulator);
      }),
    );
  },
  180_000,
);

it.runIf(CAN_UNSHARE).concurrent(
  'a container killed while requests are under way gives its places and its run to the next one',
  async () => {
    await withGateway((simulator) =>
      inFreshDirectory(async (directory) => {
        const lake = join(directory, 'lake');
        const backfill = ['backfill', ...RANGE, ...target(lake, simulator)];
        const fault = { ...atLink(lake, 'kill-before'), matching: '^open _spool/.*\\.part$', step: 2 };
        const killed = inContainer(backfill, { host: 'c1', fault });
        await killed.commandEnded;
        const killedAtMs = Date.now();
        const pages = () => simulator.calls.of('events').length;
        const before = pages();
        const next = inContainer(backfill, { host: 'c2' });
        next.leave();
        const { exitCode, stderr } = await next.ended;
        killed.leave();
        expect((await killed.ended).exitCode).not.toBe(0);
        expect(exitCode, stderr).toBe(0);
        expectWaitSaid(stderr, killedAtMs, /(this run is|places for requests are) held by process \d+ of c1/);
        expect(stderr).toContain('resuming run');
        // Four pages, all full, and the one behind them, which is empty.
        expect(pages() - before).toBeLessThanOrEqual(5);
        await expectWhole(lake, simulator);
      }),
    );
  },
  180_000,
);
