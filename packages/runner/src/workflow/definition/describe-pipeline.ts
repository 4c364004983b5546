import { type StaticFacts, staticInput, staticPartitions } from './author-functions.ts';
import type { Pipeline, RetrySpec, ScheduleSpec, TaskCondition } from './define-pipeline.ts';
import { type ParamValue, resolveParams } from './params.ts';
import type { TaskContext, TaskRegistry, WorkflowServices } from './task-registry.ts';
import { type CheckedTask, validatePipeline } from './validate-pipeline.ts';

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
  return { name, description, schedule, params, tasks };
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
  const context: TaskContext<Provided> = { run, task: name, partition, tryNumber: 1, services, provided };
  let wouldDo = registered?.meaning ?? null;
  if (registered?.describe !== undefined && (!fansOut || partition !== null)) {
    const { answer } = staticInput(task, facts, partition ?? '');
    wouldDo = answer === null ? null : await registered.describe(answer.input, context);
  }
  const timeoutMs = spec.timeoutMs ?? null;
  return { name, uses: spec.uses ?? null, needs, when, retries, timeoutMs, partitions, fansOut, wouldDo };
}
