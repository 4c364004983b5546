import { expectTypeOf, test } from 'vitest';
import type { BUILT_IN_TASKS } from '../src/tasks/built-in-tasks.ts';
import type { GivenDivide } from '../src/tasks/divide-task.ts';
import type { GivenEnrich } from '../src/tasks/enrich-task.ts';
import type { GivenBackfill, GivenSync } from '../src/tasks/export-tasks.ts';
import type { GivenHunt } from '../src/tasks/hunt-task.ts';
import type { GivenQuery } from '../src/tasks/query-task.ts';
import type { GivenQuiet } from '../src/tasks/quiet-task.ts';
import type { GivenReconcile, GivenRepair } from '../src/tasks/reconcile-tasks.ts';
import type { GivenRecount } from '../src/tasks/recount-task.ts';
import type { BuiltInTypes } from '../src/tasks/task-types.ts';
import type { GivenCompact, GivenPublish, GivenPublishOcsf, GivenVacuum } from '../src/tasks/upkeep-tasks.ts';
import type { GivenWebhook } from '../src/tasks/webhook-task.ts';
import type { TaskTypesOf } from '../src/workflow/definition/define-pipeline.ts';

// The compiler checks this file: the types that authors of pipelines see are those of the schemas that read their
// input.

/** The types of the schemas, before defaults are filled in. */
interface GivenInputs {
  readonly backfill: GivenBackfill;
  readonly sync: GivenSync;
  readonly reconcile: GivenReconcile;
  readonly recount: GivenRecount;
  readonly enrich: GivenEnrich;
  readonly divide: GivenDivide;
  readonly repair: GivenRepair;
  readonly compact: GivenCompact;
  readonly vacuum: GivenVacuum;
  readonly publish: GivenPublish;
  readonly 'publish-ocsf': GivenPublishOcsf;
  readonly hunt: GivenHunt;
  readonly query: GivenQuery;
  readonly quiet: GivenQuiet;
  readonly webhook: GivenWebhook;
}

type Writable<Type> = Type extends unknown[] ? Type : { -readonly [Key in keyof Type]: Type[Key] };

test('the input of each task is that of its schema', () => {
  type Written = { readonly [Name in keyof BuiltInTypes]: Writable<BuiltInTypes[Name]['input']> };
  expectTypeOf<Written>().toEqualTypeOf<GivenInputs>();
});

test('the output of each task is that of its function', () => {
  type Outputs = { readonly [Name in keyof BuiltInTypes]: BuiltInTypes[Name]['output'] };
  type Registered = TaskTypesOf<typeof BUILT_IN_TASKS>;
  expectTypeOf<Outputs>().toEqualTypeOf<{ readonly [Name in keyof Registered]: Registered[Name]['output'] }>();
});
