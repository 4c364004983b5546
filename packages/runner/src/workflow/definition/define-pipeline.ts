import type { ParamSpec, ParamSpecs, ParamValue, ParamValues } from './params.ts';
import { deepFreeze } from './plain-data.ts';
import type { TaskContext, TaskTypes } from './task-registry.ts';

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
  readonly tries: number;
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
  readonly tries?: number;
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
}

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

interface UsesTask<Facts, Names, Name, Input> extends TaskCommon<Facts, Names> {
  /** The registered task. */
  readonly uses: Name;
  readonly with?: Input | ((facts: Facts) => Input);
  readonly run?: undefined;
}

interface OwnTask<Facts, Names> extends TaskCommon<Facts, Names> {
  readonly uses?: undefined;
  readonly with?: undefined;
  /** The user's own function. Idempotent, plain data in and out, as `RegisteredTask` says. */
  readonly run: (input: Facts, context: TaskContext<unknown>) => Promise<unknown>;
}

type OutputOf<Types extends TaskTypes, Name> = Name extends keyof Types ? Types[Name]['output'] : unknown;

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
