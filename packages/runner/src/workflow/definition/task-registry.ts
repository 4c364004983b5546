import type { Clock, Emit, Random } from '@edrlake/core';

/** The services that a task, or the whole engine, needs from outside. */
export interface WorkflowServices {
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  /**
   * For a task: aborted at its timeout or when the run is stopped. The task must then end within moments, by throwing.
   */
  readonly signal: AbortSignal;
}

/** The run that a task works for. */
export interface RunIdentity {
  readonly pipeline: string;
  readonly runId: string;
  /** When the run first started; a resumed run keeps it, so that "yesterday" stays the same day. */
  readonly startedAtMs: number;
}

/** The context of a task, in addition to its input. */
export interface TaskContext<Provided> {
  readonly run: RunIdentity;
  readonly task: string;
  /** The partition of a fan-out, or null. */
  readonly partition: string | null;
  /** From 1. */
  readonly tryNumber: number;
  readonly services: WorkflowServices;
  /**
   * The value that the caller of the run provides to all tasks: a lake, a source, settings. The engine never reads it.
   */
  readonly provided: Provided;
}

/**
 * A task by name. It must be idempotent: it runs again after a crash, a failed attempt or an interrupt, and the result
 * must be as if it had run once. Input and output are plain data without secrets: both can be read in the journal of
 * the run.
 *
 * In its output, `outcome: 'mismatch'` means that a comparison found differences, `'rejected'` that too many records
 * could not be read, `'partly'` that some of the work failed and the task should run again. The numbers `requests` and
 * `rows` are added up in the history of the run.
 */
export interface RegisteredTask<Input, Output, Provided> {
  /** A phrase that describes the task to readers of a pipeline. */
  readonly meaning: string;
  /**
   * Checks and types the input from `with`; undefined where there is no `with`. @throws {EdrlakeError} naming the key.
   */
  parseInput(input: unknown): Input;
  /**
   * @throws {EdrlakeError} with disposition `retry` where another attempt may succeed; any other error ends the task.
   */
  run(input: Input, context: TaskContext<Provided>): Promise<Output>;
  /** One line about what `run` would do now; changes nothing. */
  describe?(input: Input, context: TaskContext<Provided>): Promise<string>;
}

/** Registered tasks by the name in `uses`. */
export type TaskRegistry<Provided> = Readonly<Record<string, RegisteredTask<unknown, unknown, Provided>>>;

/** The inputs and outputs of registered tasks, by name. */
export type TaskTypes = Readonly<Record<string, { readonly input: unknown; readonly output: unknown }>>;

/** The types in a registry that was declared with `satisfies`, which keeps the names. */
export type TaskTypesOf<Registry> = {
  readonly [Name in keyof Registry]: Registry[Name] extends {
    parseInput(input: unknown): infer Input;
    run(...args: never[]): Promise<infer Output>;
  }
    ? { readonly input: Input; readonly output: Output }
    : never;
};
