import { AsyncLocalStorage } from 'node:async_hooks';
import { type Random, seededRandom } from '@edrlake/core';

/** One running command: everything that an operating system knows of a process. */
export class SimulatedProcess {
  /** From 1 in the order of starting; part of every label, so that two processes differ. */
  readonly number: number;
  readonly pid: number;
  readonly name: string;
  readonly random: Random;
  /** Aborted by a signal, like the command's own controller. */
  readonly interrupt = new AbortController();
  /** The offset of this process's clock from the world's time: now, and the smallest since it began. */
  clockOffsetMs: number;
  leastClockOffsetMs: number;
  isAlive = true;
  /** Operations done so far, timers and synchronous ones included. */
  operations = 0;
  /** Called when the process has ended in any way: closes what the operating system would close. */
  readonly atEnd: (() => void)[] = [];
  private uuids = 0;

  constructor(number: number, pid: number, name: string, seed: number, clockOffsetMs: number) {
    this.number = number;
    this.pid = pid;
    this.name = name;
    this.random = seededRandom(seed);
    this.clockOffsetMs = clockOffsetMs;
    this.leastClockOffsetMs = clockOffsetMs;
  }

  /** Sets the clock of its machine. */
  setClock(offsetMs: number): void {
    this.clockOffsetMs = offsetMs;
    this.leastClockOffsetMs = Math.min(this.leastClockOffsetMs, offsetMs);
  }

  /** The next identifier of this process: unique in the world, and the same in every replay. */
  uuid(): string {
    this.uuids += 1;
    const text = [this.number, this.uuids, Math.floor(this.random() * 2 ** 32), Math.floor(this.random() * 2 ** 32)]
      .map((part) => part.toString(16).padStart(8, '0'))
      .join('');
    // Drawn parts first: some names use only the first eight digits.
    const mixed = text.slice(16) + text.slice(0, 16);
    return [8, 4, 4, 4, 12]
      .reduce(
        ({ parts, from }, length) => ({ parts: [...parts, mixed.slice(from, from + length)], from: from + length }),
        { parts: [] as string[], from: 0 },
      )
      .parts.join('-');
  }
}

const current = new AsyncLocalStorage<SimulatedProcess | null>();

/** The process whose code is running; null for the world's own. */
export function currentProcess(): SimulatedProcess | null {
  return current.getStore() ?? null;
}

/** Runs code as a process, or as the world itself. */
export function runAs<T>(process: SimulatedProcess | null, work: () => T): T {
  return current.run(process, work);
}
