import { pipelineDefiner } from '../workflow/define-pipeline.ts';
import type { TaskRegistry, TaskTypesOf } from '../workflow/task-registry.ts';
import { backfillTask, syncTask } from './export-tasks.ts';
import { queryTask } from './query-task.ts';
import { reconcileTask, repairTask } from './reconcile-tasks.ts';
import type { TaskTools } from './task-tools.ts';
import { compactTask, vacuumTask } from './upkeep-tasks.ts';
import { webhookTask } from './webhook-task.ts';

/** The tasks every pipeline can use, by the name its `uses` says. */
export const BUILT_IN_TASKS = {
  backfill: backfillTask,
  sync: syncTask,
  reconcile: reconcileTask,
  repair: repairTask,
  compact: compactTask,
  vacuum: vacuumTask,
  query: queryTask,
  webhook: webhookTask,
} satisfies TaskRegistry<TaskTools>;

/**
 * Defines a pipeline of built-in tasks and functions of your own; a pipeline file exports the result by default. Types tell
 * what tasks take and give; what types cannot tell is checked before a run starts.
 */
export const definePipeline = pipelineDefiner<TaskTypesOf<typeof BUILT_IN_TASKS>>();
