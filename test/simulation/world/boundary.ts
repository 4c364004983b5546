import crypto from 'node:crypto';
import type { EventEmitter } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import { simulateDuckDb } from './duckdb.ts';
import { type FileWorld, simulatedBlocking, simulatedPromises } from './files.ts';
import { type Listener, type Network, openSocket, sendRequest } from './network.ts';
import { currentProcess, type SimulatedProcess } from './simulated-process.ts';

/** The world behind the boundary of a process. */
export interface BoundaryWorld extends FileWorld {
  readonly network: Network;
  readonly hostName: (process: SimulatedProcess) => string;
  /** Whether a process with that id runs where this one does. */
  readonly isRunning: (pid: number, process: SimulatedProcess) => boolean;
}

type AnyFunction = (...given: never[]) => unknown;

let current: BoundaryWorld | null = null;

/** Selects the world in which processes run from now on. */
export function enterWorld(world: BoundaryWorld): void {
  current = world;
}

function world(): BoundaryWorld {
  if (current === null) throw new Error('there is no world yet');
  return current;
}

/** Server that never listens on a socket: the network of the next world calls its listener. */
let served: Listener | null = null;

/** The listener of the server that was created last; it is returned once. */
export function takeListener(): Listener {
  const listener = served;
  served = null;
  if (listener === null) throw new Error('no server was created');
  return listener;
}

/**
 * Replaces everything that leads out of a process: files, time, chance, network, process table and DuckDB's library.
 * Calls of the world itself pass through. Called once, before any module of edrlake is loaded.
 */
export function installBoundary(): void {
  replaceAll(fs.promises as unknown as Record<string, AnyFunction>, simulatedPromises(world), isPath);
  replaceAll(fs as unknown as Record<string, AnyFunction>, simulatedBlocking(world), isPath);
  replaceAll(crypto as unknown as Record<string, AnyFunction>, {
    randomUUID: () => currentProcess()?.uuid(),
  });
  replaceAll(os as unknown as Record<string, AnyFunction>, {
    hostname: () => world().hostName(currentProcess() as SimulatedProcess),
  });
  replaceAll(net as unknown as Record<string, AnyFunction>, {
    connect: () => openSocket(world().network) as EventEmitter,
  });
  replaceAll(process as unknown as Record<string, AnyFunction>, {
    kill: (pid: number) => {
      if (!world().isRunning(pid, currentProcess() as SimulatedProcess)) {
        throw Object.assign(new Error('kill ESRCH'), { code: 'ESRCH' });
      }
      return true;
    },
  });
  const realPid = process.pid;
  Object.defineProperty(process, 'pid', { configurable: true, get: () => currentProcess()?.pid ?? realPid });
  http.createServer = ((listener: Listener) => {
    served = listener;
    return silentServer();
  }) as unknown as typeof http.createServer;
  installTimers();
  syncBuiltinESMExports();
  const { Dispatcher } = createRequire(createRequire(import.meta.url).resolve('@edrlake/client'))('undici');
  replaceAll(Dispatcher.prototype, { request: (request: never) => sendRequest(world().network, request) });
  simulateDuckDb(world);
}

/** The functions that processes get in place of the real ones. */
function replaceAll(
  target: Record<string, AnyFunction>,
  replacements: Readonly<Record<string, AnyFunction>>,
  isMeant: (given: readonly unknown[]) => boolean = () => true,
): void {
  for (const [name, replacement] of Object.entries(replacements)) {
    const original = target[name] as AnyFunction;
    target[name] = function (this: unknown, ...given: never[]) {
      return currentProcess() === null || !isMeant(given) ? original.apply(this, given) : replacement(...given);
    };
  }
}

/** Modules are loaded by URL, and open files have numbers. */
function isPath([path]: readonly unknown[]): boolean {
  return typeof path === 'string';
}

function installTimers(): void {
  const start =
    (repeats: boolean) =>
    (fire: (...given: unknown[]) => void, delayMs = 0, ...given: unknown[]) => {
      const { scheduler } = world();
      const owner = currentProcess();
      let running = scheduler.timer(owner, delayMs, () => run());
      const run = () => {
        if (repeats) running = scheduler.timer(owner, Math.max(1, delayMs), () => run());
        fire(...given);
      };
      const timer = { stop: () => running.stop(), ref: () => timer, unref: () => timer, hasRef: () => false };
      return timer;
    };
  const stop = (timer: { stop?: () => void } | undefined) => timer?.stop?.();
  replaceAll(globalThis as unknown as Record<string, AnyFunction>, {
    setTimeout: start(false) as AnyFunction,
    setInterval: start(true) as AnyFunction,
    clearTimeout: stop as AnyFunction,
    clearInterval: stop as AnyFunction,
  });
}

function silentServer() {
  return {
    keepAliveTimeout: 0,
    once: () => undefined,
    on: () => undefined,
    listen: (_port: number, _host: string, isListening: () => void) => isListening(),
    address: () => ({ port: 8443 }),
    close: (isClosed: () => void) => isClosed(),
    closeAllConnections: () => undefined,
  };
}
