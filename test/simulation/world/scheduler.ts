import { createHash } from 'node:crypto';
import type { Random } from '@edrlake/core';
import { runAs, type SimulatedProcess } from './simulated-process.ts';

/** One operation at the boundary of a process that waits for its turn. */
export interface Task {
  /** null: the world's own. */
  readonly owner: SimulatedProcess | null;
  /** Its description, without parts that differ from machine to machine: part of the trace. */
  readonly label: string;
  /** The kind of operation, by which faults select it; null for one that never fails. */
  readonly kind: string | null;
  readonly perform: () => unknown;
  /**
   * The partial effect where its process ends in the middle; without it the operation happens completely or not at all.
   */
  readonly half?: () => unknown;
}

/** Decides about an operation just before its turn. */
export interface Interference {
  /** A replacement for the task's action, or null for no change. May end processes. */
  before(task: Task): (() => unknown) | null;
  after(task: Task): void;
}

interface Waiting extends Task {
  readonly order: number;
  readonly settle: (outcome: { readonly value: unknown } | { readonly thrown: unknown }) => void;
}

interface Timer {
  readonly owner: SimulatedProcess | null;
  readonly order: number;
  readonly dueMs: number;
  readonly fire: () => void;
}

/** A timer that can be stopped. */
export interface StartedTimer {
  stop(): void;
}

/** The longest time of an operation, in the world's time. */
const OPERATION_MS = 3;
/** How often time advances to the next timer although operations wait: to a near one, and to a far one. */
const NEAR_TIMER_FIRST = 0.08;
const NEAR_MS = 500;
const FAR_TIMER_FIRST = 0.001;
/** The longest real time to wait for something outside of the world. */
const STUCK_AFTER_MS = 20_000;
/** A world that has not ended by then never will. */
const OPERATIONS_LIMIT = 400_000;

/**
 * The order in which everything in a world happens: one operation at a time, chosen by the seed among the waiting ones
 * once no code can continue by itself. So the speed of a machine or a Node version has no effect.
 */
export class Scheduler {
  nowMs: number;
  random: Random;
  interference: Interference | null = null;
  performed = 0;
  /** The last operations, to examine a failure. */
  readonly recent: string[] = [];
  /** Receives every line of the trace; for comparing two runs. */
  onTrace: ((line: string) => void) | null = null;
  private readonly hash = createHash('sha256');
  private waiting: Waiting[] = [];
  private timers: Timer[] = [];
  private orders = 0;

  constructor(startMs: number, random: Random) {
    this.nowMs = startMs;
    this.random = random;
  }

  /** Requests a turn. The promise of a process that ends first stays pending for ever. */
  task<T>(task: Task & { readonly perform: () => T | Promise<T> }): Promise<T> {
    if (task.owner !== null && !task.owner.isAlive) return new Promise(() => {});
    return new Promise((resolve, reject) => {
      this.waiting.push({
        ...task,
        order: this.orders++,
        settle: (outcome) => ('value' in outcome ? resolve(outcome.value as T) : reject(outcome.thrown)),
      });
    });
  }

  /** Calls back after the delay in the world's time, as the owner. */
  timer(owner: SimulatedProcess | null, delayMs: number, fire: () => void): StartedTimer {
    const timer = { owner, order: this.orders++, dueMs: this.nowMs + Math.max(0, delayMs), fire };
    if (owner === null || owner.isAlive) this.timers.push(timer);
    return {
      stop: () => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
    };
  }

  /** A line of the trace. */
  note(line: string): void {
    this.hash.update(`${line}\n`);
    this.recent.push(line);
    if (this.recent.length > 400) this.recent.splice(0, 200);
    this.onTrace?.(line);
  }

  /** A hash of everything so far. */
  traceHash(): string {
    return this.hash.copy().digest('hex').slice(0, 32);
  }

  /** Removes the operations of an ended process. */
  drop(process: SimulatedProcess): void {
    this.waiting = this.waiting.filter(({ owner }) => owner !== process);
    this.timers = this.timers.filter(({ owner }) => owner !== process);
  }

  /** Rejects waiting operations of a process, as an interrupted call does. */
  reject(process: SimulatedProcess, isMeant: (task: Task) => boolean, thrown: unknown): void {
    const meant = this.waiting.filter((task) => task.owner === process && isMeant(task));
    this.waiting = this.waiting.filter((task) => !meant.includes(task));
    for (const { settle } of meant) settle({ thrown });
  }

  /** Lets the world continue until the condition is true, checked between operations. */
  async runUntil(isOver: () => boolean): Promise<void> {
    let idleSinceMs: number | null = null;
    for (;;) {
      await settled();
      if (isOver()) return;
      if (this.performed > OPERATIONS_LIMIT) throw new Error(`no end after ${OPERATIONS_LIMIT} operations`);
      const hasMoved = await this.step();
      if (hasMoved) {
        idleSinceMs = null;
        continue;
      }
      // Only something outside the world can be in progress, such as loading a module.
      idleSinceMs ??= Date.now();
      if (Date.now() - idleSinceMs > STUCK_AFTER_MS) throw new Error('everything waits, and nothing can happen');
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  private async step(): Promise<boolean> {
    const next = this.nextTimer();
    const isNear = next !== null && next.dueMs - this.nowMs <= NEAR_MS;
    if (this.waiting.length === 0 || this.random() < (isNear ? NEAR_TIMER_FIRST : FAR_TIMER_FIRST)) {
      if (next === null) return this.waiting.length > 0;
      this.fire(next);
      return true;
    }
    const sorted = [...this.waiting].sort(byOwnerAndLabel);
    const chosen = sorted[Math.floor(this.random() * sorted.length)] as Waiting;
    this.waiting = this.waiting.filter((task) => task !== chosen);
    this.nowMs += Math.floor(this.random() * OPERATION_MS);
    while (this.timers.some(({ dueMs }) => dueMs <= this.nowMs)) this.fire(this.nextTimer() as Timer);
    await this.perform(chosen);
    return true;
  }

  private async perform(task: Waiting): Promise<void> {
    this.performed += 1;
    if (task.owner !== null) task.owner.operations += 1;
    const replacement = this.interference?.before(task) ?? null;
    if (task.owner !== null && !task.owner.isAlive) return;
    let outcome: { readonly value: unknown } | { readonly thrown: unknown };
    try {
      outcome = { value: await runAs(null, replacement ?? task.perform) };
    } catch (thrown) {
      outcome = { thrown };
    }
    this.note(
      `${this.nowMs} ${nameOf(task.owner)} ${task.label}${'thrown' in outcome ? ` ! ${codeOf(outcome.thrown)}` : ''}`,
    );
    this.interference?.after(task);
    if (task.owner === null || task.owner.isAlive) task.settle(outcome);
  }

  /**
   * An operation that blocks its process: it happens at once. A process that has ended gets an error and changes
   * nothing.
   */
  immediate<T>(task: Task & { readonly perform: () => T }): T {
    const { owner } = task;
    const refuseTheDead = () => {
      if (owner?.isAlive === false) throw processEnded();
    };
    refuseTheDead();
    this.performed += 1;
    if (owner !== null) owner.operations += 1;
    const replacement = this.interference?.before(task) ?? null;
    refuseTheDead();
    try {
      const value = runAs(null, () => (replacement === null ? task.perform() : replacement())) as T;
      this.note(`${this.nowMs} ${nameOf(owner)} ${task.label}`);
      return value;
    } catch (thrown) {
      this.note(`${this.nowMs} ${nameOf(owner)} ${task.label} ! ${codeOf(thrown)}`);
      throw thrown;
    } finally {
      this.interference?.after(task);
    }
  }

  private nextTimer(): Timer | null {
    let next: Timer | null = null;
    for (const timer of this.timers) {
      if (next === null || timer.dueMs < next.dueMs || (timer.dueMs === next.dueMs && timer.order < next.order))
        next = timer;
    }
    return next;
  }

  private fire(timer: Timer): void {
    this.timers = this.timers.filter((other) => other !== timer);
    this.nowMs = Math.max(this.nowMs, timer.dueMs);
    runAs(timer.owner, timer.fire);
  }
}

function byOwnerAndLabel(a: Waiting, b: Waiting): number {
  const owners = (a.owner?.number ?? 0) - (b.owner?.number ?? 0);
  if (owners !== 0) return owners;
  if (a.label !== b.label) return a.label < b.label ? -1 : 1;
  return a.order - b.order;
}

function processEnded(): Error {
  return Object.assign(new Error('the process has ended'), { code: 'EIO' });
}

function nameOf(owner: SimulatedProcess | null): string {
  return owner === null ? 'world' : `${owner.number}:${owner.name}`;
}

function codeOf(thrown: unknown): string {
  const { code, message } = thrown as { code?: unknown; message?: unknown };
  // A message may contain paths and times of this machine; its beginning shows its kind.
  return typeof code === 'string' ? code : (/^[\w ]+/.exec(String(message))?.[0] ?? 'error');
}

const realSetImmediate = setImmediate;

/** Resolves once all code that can continue without the world has done so, including modules that are being loaded. */
async function settled(): Promise<void> {
  do await new Promise<void>((resolve) => realSetImmediate(resolve));
  while (process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq')));
}
