import { type Clock, EdrlakeError, type Emit, type Random } from '@edrlake/core';
import type { ParamSpec, ParamSpecs, ParamValue, ParamValues } from './params.ts';

// What a pipeline file can say, the tasks that it can name with `uses`, and the plain data that goes in and out of
// them. No other package is loaded here: each pipeline file loads this one, and so does the history of runs.

/** When a pipeline is due: a cron line of five fields (or `@daily` and the like) on the clocks of a time zone. */
export interface ScheduleSpec {
  readonly cron: string;
  /** An IANA name such as `Europe/Berlin`, or `UTC`. */
  readonly timeZone: string;
}

/**
 * Attempts of a task, the first included, and the bounds of the random waits between them, which double from first to
 * max.
 */
export interface RetrySpec {
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

/** An HTTP POST at the end of a run. Neither URL nor headers appear in any journal or message. */
export interface WebhookSpec {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of one attempt. Default 10,000. */
  readonly timeoutMs?: number;
  /** Default 3. */
  readonly attempts?: number;
}

/**
 * Webhooks by the outcome of a run; `onFailure` is also called after a partly done run. An interrupted run calls none.
 */
export interface HooksSpec {
  readonly onSuccess?: WebhookSpec;
  readonly onFailure?: WebhookSpec;
  readonly onMismatch?: WebhookSpec;
  /** All counts agree, but too many records could not become rows. */
  readonly onRejects?: WebhookSpec;
  /** Called by the task `hunt`, for matches of standing hunts that no run has reported yet. */
  readonly onMatch?: WebhookSpec;
  /** Called by the task `quiet`, for sources and days of fewer events than expected that no run has reported yet. */
  readonly onQuiet?: WebhookSpec;
}

/** Hooks that tasks call for what they have found; the others are called for the outcome of a run. */
export const TASK_HOOKS = ['onMatch', 'onQuiet'] as const;
/** One of them. */
export type TaskHook = (typeof TASK_HOOKS)[number];

/**
 * When a task runs, by the outcomes of its needs: all with a result (mismatch included), any, or at least one failure.
 */
export type TaskCondition = 'success' | 'always' | 'failure';

/** One finished partition of a fan-out. */
export interface PartitionOutput<Output> {
  readonly partition: string;
  readonly output: Output;
}

/** The arguments of the functions of a pipeline. The functions must be pure: a resumed run calls them again. */
export interface TaskFacts<Params, Outputs, PartitionOutputs> {
  readonly params: Params;
  /** Results of all upstream tasks, by name. A task without a result, or with a `forEach`, is absent. */
  readonly outputs: Outputs;
  /**
   * Results of upstream tasks with `forEach`, in the order of their partitions; partitions without a result are absent.
   */
  readonly partitionOutputs: PartitionOutputs;
  /** When the run first started; the only "now" that a resumed run agrees on. */
  readonly startedAtMs: number;
  /** The partition to work on; empty text without `forEach`. */
  readonly partition: string;
}

/** What every task may say. */
interface TaskCommon<Facts, Names> {
  readonly needs?: readonly Names[];
  readonly retries?: RetrySpec;
  /** Of one attempt. Default: no limit. */
  readonly timeoutMs?: number;
  /**
   * The partitions, at most 10,000 distinct texts, for example days, in the order of their execution. Each has its own
   * attempts.
   */
  readonly forEach?: (facts: Facts) => readonly string[];
  /** Partitions in work at once. Default: the limit of the run. */
  readonly concurrency?: number;
  readonly when?: TaskCondition;
}

/** A task that a registered task does. */
interface UsesTask<Facts, Names, Name, Input> extends TaskCommon<Facts, Names> {
  /** The registered task. */
  readonly uses: Name;
  /** Its input, or a function that makes it of params and upstream results. */
  readonly with?: Input | ((facts: Facts) => Input);
  readonly run?: undefined;
}

/** A task that a function of the user does. */
interface OwnTask<Facts, Names> extends TaskCommon<Facts, Names> {
  readonly uses?: undefined;
  readonly with?: undefined;
  /** The user's own function. Idempotent, plain data in and out, as `RegisteredTask` says. */
  readonly run: (input: Facts, context: TaskContext<unknown>) => Promise<unknown>;
}

/** The output of the registered task of a name; unknown for functions of the user. */
type OutputOf<Types extends TaskTypes, Name> = Name extends keyof Types ? Types[Name]['output'] : unknown;

/** What the functions of one pipeline are given, by its params and tasks. */
type FactsOf<Params, Types extends TaskTypes, Uses> = TaskFacts<
  ParamValues<Params>,
  { readonly [Task in keyof Uses]: OutputOf<Types, Uses[Task]> },
  { readonly [Task in keyof Uses]: readonly PartitionOutput<OutputOf<Types, Uses[Task]>>[] }
>;

/** A pipeline as its author writes it. `Uses` maps the name of each task to the name of the registered task it uses. */
export interface PipelineDefinition<Types extends TaskTypes, Params, Uses> {
  readonly name: string;
  readonly description?: string;
  readonly schedule?: ScheduleSpec;
  /** `high`: its requests go before those of others that work on the same lake. Default `normal`. */
  readonly priority?: 'high' | 'normal';
  readonly params?: Params;
  readonly tasks: {
    readonly [Task in keyof Uses]:
      | UsesTask<
          FactsOf<Params, Types, Uses>,
          keyof Uses & string,
          Uses[Task] & keyof Types,
          Types[Uses[Task] & keyof Types]['input']
        >
      | OwnTask<FactsOf<Params, Types, Uses>, keyof Uses & string>;
  };
  readonly hooks?: HooksSpec;
}

/** The arguments without the types of one pipeline. */
export type AnyFacts = TaskFacts<
  Readonly<Record<string, ParamValue>>,
  Readonly<Record<string, unknown>>,
  Readonly<Record<string, readonly PartitionOutput<unknown>[]>>
>;

/** A task of any pipeline. */
export type AnyTask = UsesTask<AnyFacts, string, string, unknown> | OwnTask<AnyFacts, string>;

/** A pipeline of any types, frozen: the default export of a pipeline file. */
export interface Pipeline {
  readonly name: string;
  readonly description?: string;
  readonly schedule?: ScheduleSpec;
  /** `high`: its requests go before those of others that work on the same lake. Default `normal`. */
  readonly priority?: 'high' | 'normal';
  readonly params?: ParamSpecs;
  readonly tasks: Readonly<Record<string, AnyTask>>;
  readonly hooks?: HooksSpec;
}

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
  readonly attempt: number;
  readonly services: WorkflowServices;
  /**
   * Sends JSON to a hook that tasks call, with the pipeline and the run added. Resolves to whether it was delivered;
   * null where the pipeline has no such hook.
   */
  notify(hook: TaskHook, body: Readonly<Record<string, unknown>>): Promise<boolean | null>;
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

/**
 * Makes the function with which pipeline files define pipelines, typed by the tasks that they can use. The function
 * checks only types: `validatePipeline` reports errors, once all tasks are registered.
 */
export function pipelineDefiner<Types extends TaskTypes>(): <
  const Params extends Readonly<Record<string, ParamSpec>>,
  const Uses extends Readonly<Record<string, unknown>>,
>(
  definition: PipelineDefinition<Types, Params, Uses>,
) => Pipeline {
  return (definition) => deepFreeze({ ...definition }) as unknown as Pipeline;
}

/** Data that a journal can store: null, text, numbers, true and false, lists and objects of these. */
export type PlainData =
  | null
  | boolean
  | number
  | string
  | readonly PlainData[]
  | { readonly [key: string]: PlainData | undefined };

/** A result must fit into one line of a journal that a user can still open. */
const MAX_JSON_BYTES = 1_048_576;

const MAX_DEPTH = 64;

/**
 * The value as a journal returns it, so that a task sees the same results in a resumed run as in an uninterrupted one:
 * a frozen copy, without keys that are undefined; undefined itself becomes null.
 * @param what names the value in the error, for example `task "sync" returned`.
 * @throws {EdrlakeError} `CONFIG_INVALID` naming the path of a value that is not plain data, or the size that is too
 * large.
 */
export function toPlainData(value: unknown, what: string): PlainData {
  if (value === undefined) return null;
  assertPlain(value, what, '', 0);
  const json = JSON.stringify(value);
  const bytes = Buffer.byteLength(json);
  if (bytes > MAX_JSON_BYTES) {
    throw new EdrlakeError(
      'CONFIG_INVALID',
      `${what} ${bytes} bytes of JSON, more than the ${MAX_JSON_BYTES} allowed`,
      {
        hint: 'Write bulk data to a file and return where it is.',
      },
    );
  }
  return deepFreeze(JSON.parse(json) as PlainData);
}

/** Freezes lists and plain objects recursively, except functions, and returns the same value. */
function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}

/** An object with keys: not null, a list, or an instance of a class. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function assertPlain(value: unknown, what: string, path: string, depth: number): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || value === undefined) return;
  if (typeof value === 'number' && Number.isFinite(value)) return;
  if (depth < MAX_DEPTH && Array.isArray(value)) {
    for (const [position, inner] of value.entries()) assertPlain(inner, what, `${path}[${position}]`, depth + 1);
  } else if (depth < MAX_DEPTH && isPlainObject(value)) {
    for (const [key, inner] of Object.entries(value)) assertPlain(inner, what, `${path}.${key}`, depth + 1);
  } else {
    const place = path === '' ? '' : ` at ${path}`;
    throw new EdrlakeError('CONFIG_INVALID', `${what} ${kindOf(value)}${place}, which a journal cannot keep`, {
      hint: 'Use only text, finite numbers, true, false, null, lists and plain objects.',
    });
  }
}

function kindOf(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) || isPlainObject(value) ? 'data nested too deeply' : `a ${value.constructor?.name}`;
  }
  return typeof value === 'number' ? String(value) : `a ${typeof value}`;
}
