import type {
  AnyFacts,
  HooksSpec,
  Pipeline,
  RetrySpec,
  ScheduleSpec,
  TaskCondition,
  TaskContext,
  TaskRegistry,
  WebhookSpec,
  WorkflowServices,
} from './define-pipeline.ts';
import { type ParamValue, resolveParams } from './params.ts';
import {
  type CheckedPipeline,
  type CheckedTask,
  inputOf,
  partitionsOf,
  validatePipeline,
} from './validate-pipeline.ts';

// What is known of a run before it starts: shown to people, and checked, so that a wrong value fails at once.

/** One task of a pipeline that is described, not run. */
export interface TaskDescription {
  readonly name: string;
  /** The registered task, or null for the user's own function. */
  readonly uses: string | null;
  readonly needs: readonly string[];
  readonly when: TaskCondition;
  readonly retries: RetrySpec;
  /** null: no limit. */
  readonly timeoutMs: number | null;
  /** The partitions of a fan-out; null without one, or if they depend on results that do not exist yet. */
  readonly partitions: readonly string[] | null;
  readonly fansOut: boolean;
  /** What it would do, of a fan-out for its first partition; null if this depends on results that do not exist yet. */
  readonly wouldDo: string | null;
}

/** A pipeline as plain data, for people. */
export interface PipelineDescription {
  readonly name: string;
  readonly description: string | null;
  readonly schedule: ScheduleSpec | null;
  readonly params: Readonly<Record<string, ParamValue>>;
  /** Every task after its needs. */
  readonly tasks: readonly TaskDescription[];
  /** Its webhooks. Of an address only the host, because the rest may hold a token. */
  readonly hooks: readonly { readonly hook: keyof HooksSpec; readonly host: string }[];
}

/** The services with which tasks describe their work. */
export interface DescribeOptions<Provided> {
  readonly registry: TaskRegistry<Provided>;
  readonly provided: Provided;
  readonly params: Readonly<Record<string, ParamValue>>;
  readonly services: WorkflowServices;
}

/**
 * The tasks in order of execution, and what each would do now. Runs nothing; registered tasks may send requests to
 * answer.
 * @throws {EdrlakeError} as `validatePipeline` and `resolveParams`, and the error of a task that is asked.
 */
export async function describePipeline<Provided>(
  pipeline: Pipeline,
  options: DescribeOptions<Provided>,
): Promise<PipelineDescription> {
  const checked = validatePipeline(pipeline, options.registry);
  const params = resolveParams(pipeline.params ?? {}, options.params);
  const startedAtMs = options.services.clock.nowMs();
  const facts: StaticFacts = { params, startedAtMs };
  const tasks: TaskDescription[] = [];
  for (const task of checked.tasks) tasks.push(await describeTask(pipeline.name, task, facts, options));
  const { name, description = null, schedule = null } = pipeline;
  const hooks = hooksOf(pipeline).map(({ hook, host }) => ({ hook, host }));
  return { name, description, schedule, params, tasks, hooks };
}

/** The webhooks of a pipeline, in the order in which they are declared. */
export function hooksOf({
  hooks = {},
}: Pipeline): { readonly hook: keyof HooksSpec; readonly host: string; readonly webhook: WebhookSpec }[] {
  const given = Object.entries(hooks) as [keyof HooksSpec, WebhookSpec | undefined][];
  return given.flatMap(([hook, webhook]) =>
    webhook === undefined ? [] : [{ hook, host: new URL(webhook.url).host, webhook }],
  );
}

async function describeTask<Provided>(
  pipeline: string,
  task: CheckedTask<Provided>,
  facts: StaticFacts,
  { provided, services }: DescribeOptions<Provided>,
): Promise<TaskDescription> {
  const { name, spec, registered, needs, when, retries } = task;
  const fansOut = spec.forEach !== undefined;
  const partitions = fansOut ? staticPartitions(task, facts).answer : null;
  const partition = partitions?.[0] ?? null;
  const run = { pipeline, runId: 'dry-run', startedAtMs: facts.startedAtMs };
  const asked = { run, task: name, partition, attempt: 1, services, provided };
  const context: TaskContext<Provided> = { ...asked, notify: async () => null };
  let wouldDo = registered?.meaning ?? null;
  if (registered?.describe !== undefined && (!fansOut || partition !== null)) {
    const { answer } = staticInput(task, facts, partition ?? '');
    wouldDo = answer === null ? null : await registered.describe(answer.input, context);
  }
  const timeoutMs = spec.timeoutMs ?? null;
  return { name, uses: spec.uses ?? null, needs, when, retries, timeoutMs, partitions, fansOut, wouldDo };
}

/** The facts about a run that are known before any of its tasks has a result. */
export type StaticFacts = Pick<AnyFacts, 'params' | 'startedAtMs'>;

/** The answers of the functions of a pipeline before anything has run. */
interface StaticAnswer<T> {
  /** null if the answer depends on results that do not exist yet. */
  readonly answer: T | null;
}

/**
 * Calls a function of a pipeline before any task has run. A task can read only results of upstream tasks, so each of
 * these is a getter that records the read: an answer made from a missing result is discarded.
 * @throws the error of the function, unless it had read a result
 */
function evaluateEarly<Provided, T>(
  task: CheckedTask<Provided>,
  facts: StaticFacts,
  call: (facts: Omit<AnyFacts, 'partition'>) => T,
): StaticAnswer<T> {
  let readsResult = false;
  const missing: object = {};
  for (const name of task.upstream) {
    const get = () => {
      readsResult = true;
      return undefined;
    };
    Object.defineProperty(missing, name, { enumerable: true, get });
  }
  try {
    const results = missing as Record<string, never>;
    const answer = call({ ...facts, outputs: results, partitionOutputs: results });
    return { answer: readsResult ? null : answer };
  } catch (thrown) {
    if (!readsResult) throw thrown;
    return { answer: null };
  }
}

/**
 * The partitions of a task that fans out.
 * @throws {EdrlakeError} `CONFIG_INVALID` if they are known already and wrong
 */
function staticPartitions<Provided>(task: CheckedTask<Provided>, facts: StaticFacts): StaticAnswer<readonly string[]> {
  return evaluateEarly(task, facts, (known) => partitionsOf(task, { ...known, partition: '' }));
}

/**
 * The input of a task, or of one partition of it.
 * @throws {EdrlakeError} `CONFIG_INVALID` if it is known already and wrong
 */
function staticInput<Provided>(
  task: CheckedTask<Provided>,
  facts: StaticFacts,
  partition: string,
): StaticAnswer<{ readonly input: unknown }> {
  return evaluateEarly(task, facts, (known) => ({ input: inputOf(task, { ...known, partition }) }));
}

/**
 * Checks everything that depends only on params, before a run: a wrong value must not show only in the middle of the
 * night.
 * @throws {EdrlakeError} `CONFIG_INVALID`
 */
export function assertStatic<Provided>({ tasks }: CheckedPipeline<Provided>, facts: StaticFacts): void {
  for (const task of tasks) {
    const partitions = task.spec.forEach === undefined ? [''] : (staticPartitions(task, facts).answer ?? []);
    const [first] = partitions;
    if (first !== undefined) staticInput(task, facts, first);
  }
}
