import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { EdrlakeError, type Random, seededRandom } from '@edrlake/core';
import type { SimulatorOptions } from '@edrlake/simulator';
import { type BoundaryWorld, enterWorld } from './boundary.ts';
import { Disk } from './disk.ts';
import { type Gateway, openGateway, subSeed, worldClock } from './gateway.ts';
import type { Network } from './network.ts';
import { Scheduler } from './scheduler.ts';
import { runAs, SimulatedProcess } from './simulated-process.ts';

/** The properties of a world, without its steps. */
export interface WorldSetting {
  readonly startMs: number;
  readonly gateway: SimulatorOptions;
  /** The gateway's clock minus the machine's. */
  readonly gatewaySkewMs: number;
  /** Each command runs in a container: with a host name of its own, or with that of the machine. null: none does. */
  readonly containers: 'own names' | 'one name' | null;
  /** The time of a request to the gateway, and of an answer back: from 0 to this. */
  readonly latencyMs: number;
}

/** The result of a command, and its output. */
export interface Ended {
  readonly process: SimulatedProcess;
  readonly args: readonly string[];
  /** null: it was killed, or its machine lost power. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** In the world's time. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** The smallest offset of its machine's clock from the world's time while it ran. */
  readonly clockOffsetMs: number;
}

/** A running command. */
export interface Running {
  readonly process: SimulatedProcess;
  /** null while it runs. */
  ended: Ended | null;
}

/** The command's entry; edrlake is loaded only after its boundary is in place. */
export type RunProgram = typeof import('@edrlake/cli').runProgram;

/** A command that does not stop within this time after a signal ends by itself, as the real one does. */
const STOP_WITHIN_MS = 1_800;

/** The gateway's password. No output of a command may contain it. */
export const PASSWORD = 'secret-demo';

/** A file system in memory, if there is one: nothing of a world needs to last. */
const MEMORY = '/dev/shm';

/** A machine with a lake, a gateway, and the time and chance of both. */
export class World {
  readonly scheduler: Scheduler;
  readonly disk: Disk;
  readonly gateway: Gateway;
  readonly network: Network;
  readonly running: Running[] = [];
  readonly lake: string;
  /** The offset of the machine's clock from the world's time, for processes that start from now on. */
  clockOffsetMs = 0;
  /** Called for every command that ends, to print it. */
  onEnded: ((ended: Ended) => void) | null = null;
  private readonly seed: number;
  private readonly runProgram: RunProgram;
  private readonly boundary: BoundaryWorld;
  private readonly containers: WorldSetting['containers'];
  private processes = 0;
  private boots = 1;

  private constructor(
    seed: number,
    setting: WorldSetting,
    runProgram: RunProgram,
    scheduler: Scheduler,
    gateway: Gateway,
  ) {
    this.seed = seed;
    this.runProgram = runProgram;
    this.scheduler = scheduler;
    this.gateway = gateway;
    const folder = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'edrlake-world-'));
    this.disk = new Disk(
      folder,
      () => scheduler.nowMs + this.clockOffsetMs,
      () => scheduler.nowMs,
    );
    this.lake = join(this.disk.root, 'lake');
    this.containers = setting.containers;
    const latency = seededRandom(subSeed(seed, 'latency'));
    this.network = {
      scheduler,
      listener: gateway.listener,
      gatewayNow: gateway.nowMs,
      latencyMs: () => Math.floor(latency() * setting.latencyMs),
      onArrival: gateway.advance,
    };
    this.boundary = {
      scheduler,
      disk: this.disk,
      network: this.network,
      hostName: ({ number }) => (setting.containers === 'own names' ? `container-${number}` : 'machine'),
      isRunning: (pid, asking) => this.running.some(({ process }) => process.pid === pid && this.sees(asking, process)),
      readSystemFile: (path, asking) => this.readSystemFile(path, asking),
    };
    enterWorld(this.boundary);
  }

  /** Makes a world in a folder of its own; `close` removes it. */
  static async open(seed: number, setting: WorldSetting, runProgram: RunProgram): Promise<World> {
    const scheduler = new Scheduler(setting.startMs, seededRandom(subSeed(seed, 'order')));
    const gateway = await openGateway(setting.gateway, scheduler, setting.gatewaySkewMs);
    return new World(seed, setting, runProgram, scheduler, gateway);
  }

  /** Starts a command; it runs while the world does. @param prepare called before its first operation */
  start(args: readonly string[], prepare: (process: SimulatedProcess) => void): Running {
    this.processes += 1;
    const { scheduler } = this;
    const number = this.processes;
    const process = new SimulatedProcess(
      number,
      this.containers === null ? 1000 + number : 7,
      args[0] ?? '',
      subSeed(this.seed, `process ${number}`),
      this.clockOffsetMs,
    );
    const running: Running = { process, ended: null };
    prepare(process);
    this.running.push(running);
    const stdout = new Text();
    const stderr = new Text();
    const startedAtMs = scheduler.nowMs;
    process.atEnd.push(() => {
      running.ended ??= this.endedAs(process, args, null, { stdout, stderr, startedAtMs });
    });
    scheduler.note(`${scheduler.nowMs} start ${number}: ${args.join(' ').replaceAll(this.disk.root, '')}`);
    const { random } = process;
    const surroundings = {
      env: { EDRLAKE_USERNAME: 'demo', EDRLAKE_PASSWORD: PASSWORD, EDRLAKE_LAKE: this.lake, EDRLAKE_THREADS: '1' },
      workingDirectory: this.disk.root,
      stdin: Readable.from([]),
      stdout,
      stderr,
      clock: processClock(scheduler, process),
      random: () => random(),
      signal: process.interrupt.signal,
      version: '0.0.0',
      selfCommand: ['edrlake'] as const,
      spawnChild: () => {
        throw new Error('no child process in a simulation');
      },
    };
    const over = (exitCode: number) => {
      if (!process.isAlive) return;
      running.ended = this.endedAs(process, args, exitCode, { stdout, stderr, startedAtMs });
      this.end(process);
    };
    runAs(process, () => {
      this.runProgram(args, surroundings).then(over, (thrown) => {
        stderr.text += `not caught: ${String(thrown)}`;
        over(70);
      });
    });
    return running;
  }

  /** Ends a process at once, like SIGKILL, or after its own end. */
  end(process: SimulatedProcess): void {
    if (!process.isAlive) return;
    process.isAlive = false;
    this.scheduler.drop(process);
    for (const close of process.atEnd) close();
    const at = this.running.findIndex((running) => running.process === process);
    const [running] = this.running.splice(at, 1);
    this.scheduler.note(`${this.scheduler.nowMs} end ${process.number}: ${running?.ended?.exitCode ?? 'killed'}`);
    if (running?.ended) this.onEnded?.(running.ended);
  }

  /** Sends the first Ctrl-C. */
  interrupt(process: SimulatedProcess): void {
    if (!process.isAlive || process.interrupt.signal.aborted) return;
    this.scheduler.note(`${this.scheduler.nowMs} interrupt ${process.number}`);
    this.scheduler.timer(process, STOP_WITHIN_MS, () => {
      const running = this.running.find((each) => each.process === process);
      if (running === undefined) return;
      running.ended = { ...this.endedAs(process, [], 130, null), args: [process.name] };
      runAs(null, () => this.end(process));
    });
    const hint = { hint: 'Run the same command again to resume.' };
    runAs(process, () => process.interrupt.abort(new EdrlakeError('INTERRUPTED', 'stopped before the end', hint)));
  }

  /** Cuts the machine's power: all its processes end, and what was not synced may be lost. */
  cutPower(random: Random): void {
    for (const { process } of [...this.running]) this.end(process);
    this.boots += 1;
    this.scheduler.note('power cut');
    this.disk.crash(random, (line) => this.scheduler.note(line));
  }

  /** Sets the machine's clock, for running and later processes. Sleepers still sleep for the rest of their time. */
  setClock(offsetMs: number): void {
    this.clockOffsetMs = offsetMs;
    for (const { process } of this.running) process.setClock(offsetMs);
    this.scheduler.note(`${this.scheduler.nowMs} clock ${offsetMs}`);
  }

  /** Time passes with nothing at work; everything written is durable by then. */
  pass(ms: number): void {
    this.scheduler.nowMs += ms;
    this.disk.flush();
    this.gateway.advance();
    this.scheduler.note(`${this.scheduler.nowMs} passed ${ms}`);
  }

  /** Removes everything. */
  async close(): Promise<void> {
    for (const { process } of [...this.running]) this.end(process);
    rmSync(this.disk.root, { recursive: true, force: true });
  }

  private endedAs(
    process: SimulatedProcess,
    args: readonly string[],
    exitCode: number | null,
    said: { readonly stdout: Text; readonly stderr: Text; readonly startedAtMs: number } | null,
  ): Ended {
    const { stdout, stderr, startedAtMs } = said ?? { stdout: new Text(), stderr: new Text(), startedAtMs: 0 };
    const endedAtMs = this.scheduler.nowMs;
    const { leastClockOffsetMs: clockOffsetMs } = process;
    return { process, args, exitCode, stdout: stdout.text, stderr: stderr.text, startedAtMs, endedAtMs, clockOffsetMs };
  }

  /** Whether two processes share a pid namespace. */
  private sees(asking: SimulatedProcess, other: SimulatedProcess): boolean {
    return this.containers === null || asking === other;
  }

  private readSystemFile(path: string, asking: SimulatedProcess): string | null {
    if (path === '/proc/sys/kernel/random/boot_id') return `boot-${this.boots}\n`;
    if (path === '/proc/self') return String(asking.pid);
    if (path === '/proc/self/ns/pid') return `pid:[${this.containers === null ? 1 : asking.number}]`;
    const named = /^\/proc\/(\w+)\/stat$/.exec(path)?.[1];
    const pid = named === 'self' ? asking.pid : Number(named);
    const found = this.running.find(({ process }) => process.pid === pid && this.sees(asking, process));
    if (found === undefined) return null;
    return `${pid} (node) S ${Array(18).fill('1').join(' ')} ${found.process.number * 7} 0\n`;
  }
}

function processClock(scheduler: Scheduler, process: SimulatedProcess) {
  const { nowMs, sleep } = worldClock(scheduler, () => process.clockOffsetMs);
  return { nowMs, sleep };
}

/** A stream that keeps its text. */
class Text extends Writable {
  text = '';

  constructor() {
    super({ decodeStrings: false });
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
