import type { TaskRegistry, TaskTypesOf } from '../workflow/definition/task-registry.ts';
import { backfillTask, type GivenBackfill, type GivenSync, syncTask } from './export-tasks.ts';
import { type GivenQuery, queryTask } from './query-task.ts';
import { type GivenReconcile, type GivenRepair, reconcileTask, repairTask } from './reconcile-tasks.ts';
import type { TaskTools } from './task-tools.ts';
import { compactTask, type GivenCompact, type GivenVacuum, vacuumTask } from './upkeep-tasks.ts';
import { type GivenWebhook, webhookTask } from './webhook-task.ts';

/** The tasks that every pipeline can use, by the name in `uses`. */
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

/** What `with` may give each task: the input before defaults are filled in. */
interface GivenInputs {
  readonly backfill: GivenBackfill;
  readonly sync: GivenSync;
  readonly reconcile: GivenReconcile;
  readonly repair: GivenRepair;
  readonly compact: GivenCompact;
  readonly vacuum: GivenVacuum;
  readonly query: GivenQuery;
  readonly webhook: GivenWebhook;
}

type Outputs = TaskTypesOf<typeof BUILT_IN_TASKS>;

/** The input and the output of each task, by its name. */
export type BuiltInTypes = {
  readonly [Name in keyof GivenInputs]: { readonly input: GivenInputs[Name]; readonly output: Outputs[Name]['output'] };
};
