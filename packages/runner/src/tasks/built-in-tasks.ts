import type { TaskRegistry } from '../workflow/definition/define-pipeline.ts';
import { divideTask } from './divide-task.ts';
import { enrichTask } from './enrich-task.ts';
import { backfillTask, syncTask } from './export-tasks.ts';
import { huntTask } from './hunt-task.ts';
import { queryTask } from './query-task.ts';
import { quietTask } from './quiet-task.ts';
import { reconcileTask, repairTask } from './reconcile-tasks.ts';
import { recountTask } from './recount-task.ts';
import type { TaskTools } from './task-tools.ts';
import { compactTask, publishOcsfTask, publishTask, vacuumTask } from './upkeep-tasks.ts';
import { webhookTask } from './webhook-task.ts';

/** The tasks that every pipeline can use, by the name in `uses`. */
export const BUILT_IN_TASKS = {
  backfill: backfillTask,
  divide: divideTask,
  sync: syncTask,
  reconcile: reconcileTask,
  recount: recountTask,
  repair: repairTask,
  compact: compactTask,
  vacuum: vacuumTask,
  publish: publishTask,
  'publish-ocsf': publishOcsfTask,
  enrich: enrichTask,
  hunt: huntTask,
  query: queryTask,
  quiet: quietTask,
  webhook: webhookTask,
} satisfies TaskRegistry<TaskTools>;
