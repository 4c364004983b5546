import type { TableFormat } from '@edrlake/core';
import type { CompactReport, PublishReport, VacuumReport } from '@edrlake/lake';
import type { DivideTaskOutput } from './divide-task.ts';
import type { EnrichTaskOutput } from './enrich-task.ts';
import type { ExportTaskOutput } from './export-tasks.ts';
import type { HuntTaskOutput } from './hunt-task.ts';
import type { QueryTaskOutput } from './query-task.ts';
import type { QuietTaskOutput } from './quiet-task.ts';
import type { ReconcileTaskOutput, RepairTaskOutput } from './reconcile-tasks.ts';
import type { RecountTaskOutput } from './recount-task.ts';

/** What the `backfill` task is given: whole UTC days, both included. */
export interface BackfillTaskInput {
  /** `2020-08-17` */
  readonly from: string;
  readonly to: string;
  /** Fetch also what the lake has proven. Default `false`. */
  readonly force?: boolean | undefined;
  /** Delete stored events of the days that the API no longer returns. Default `false`. */
  readonly replace?: boolean | undefined;
}

/** What the `divide` task is given: whole UTC days, both included. */
export interface DivideTaskInput {
  /** `2020-08-17` */
  readonly from: string;
  readonly to: string;
}

/** What the `sync` task is given. */
export interface SyncTaskInput {
  /** `event` on platforms that cannot be searched by processing time. Default `processed`. */
  readonly axis?: 'processed' | 'event' | undefined;
  /** The UTC day on which the very first sync begins. Default: there must have been one. */
  readonly since?: string | null | undefined;
  /** How far behind the watermark counts are compared again, at most 720. Default 6. */
  readonly lookBackHours?: number | undefined;
  /** How far behind now it ends, at most 1,440. Default 15. */
  readonly settleLagMinutes?: number | undefined;
}

/** What the `reconcile` task is given. */
export interface ReconcileTaskInput {
  /** UTC days before the run began, at most 3,660. Default 7. */
  readonly lastDays?: number | undefined;
  /** Whether differing days make the run a mismatch. Default `true`. */
  readonly mismatchCounts?: boolean | undefined;
}

/** What the `recount` task is given. */
export interface RecountTaskInput {
  /** Requests that it may send, at most 10,000. Default 20. */
  readonly maxRequests?: number | undefined;
  /** Whether differing days make the run a mismatch. Default `true`. */
  readonly mismatchCounts?: boolean | undefined;
}

/** What the `repair` task is given. */
export interface RepairTaskInput {
  /** UTC days, as a reconciliation found them. Default null: the last days are compared first. */
  readonly days?: string[] | null | undefined;
  /** Default 7. */
  readonly lastDays?: number | undefined;
}

/** What the `compact` task is given: nothing. */
export type CompactTaskInput = Record<string, never>;

/** What the `vacuum` task is given. */
export interface VacuumTaskInput {
  /** How long files stay that no version names any more. Default 7. */
  readonly graceDays?: number | undefined;
}

/** What the `publish` task is given. */
export interface PublishTaskInput {
  /** `delta`, `iceberg`, `ducklake` or several of them. */
  readonly formats: TableFormat[];
  /** A folder on the file system of the lake. Default null: `_tables` in the lake. */
  readonly to?: string | null | undefined;
}

/** What the `publish-ocsf` task is given. */
export interface PublishOcsfTaskInput {
  /** The folder, or the address `s3://bucket/prefix`, to publish into. */
  readonly to: string;
  /** Default 1.3.0. */
  readonly version?: '1.3.0' | '1.8.0' | undefined;
  /** Default `plain`. */
  readonly layout?: 'plain' | 'security-lake' | undefined;
  /** Of the bucket; only for `security-lake`, which needs it. */
  readonly region?: string | null | undefined;
  /** In the folders, for all events. Default null: `external_<customer>`. */
  readonly accountId?: string | null | undefined;
}

/** What the `publish-ocsf` task has done. */
export interface PublishOcsfTaskOutput {
  readonly directory: string;
  /** The version of the lake that is shown there. */
  readonly lakeVersion: number;
  /** Days. */
  readonly published: number;
  readonly unchanged: number;
  /** Share of the values that became typed attributes, from 0 to 1; null where nothing was ever published. */
  readonly typedShare: number | null;
}

/** What the `enrich` task is given. */
export interface EnrichTaskInput {
  /** A condition on `events`, in SQL. */
  readonly where: string;
  /** Requests that it may send, at most 10,000. Default 100. */
  readonly maxRequests?: number | undefined;
}

/** What the `hunt` task is given. */
export interface HuntTaskInput {
  /** The folder with the lists. Default null: the setting `hunts`, or the folder `hunts`. */
  readonly lists?: string | null | undefined;
}

/** What the `quiet` task is given: nothing. */
export type QuietTaskInput = Record<string, never>;

/** What the `query` task is given. */
export interface QueryTaskInput {
  readonly sql: string;
  /** Makes the task a check: another result is a mismatch. Default null. Not with `parquet`. */
  readonly expect?: 'rows' | 'no rows' | null | undefined;
  /** A Parquet file to write the result to. Default null. */
  readonly parquet?: string | null | undefined;
}

/** What the `webhook` task is given. */
export interface WebhookTaskInput {
  /** http or https. */
  readonly url: string;
  /** Members of the JSON document besides `pipeline` and `runId`. Default none. */
  readonly body?: Record<string, unknown> | undefined;
}

/** The input and the output of each built-in task, by the name in `uses`. */
export type BuiltInTypes = {
  readonly backfill: { readonly input: BackfillTaskInput; readonly output: ExportTaskOutput };
  readonly divide: { readonly input: DivideTaskInput; readonly output: DivideTaskOutput };
  readonly sync: { readonly input: SyncTaskInput; readonly output: ExportTaskOutput };
  readonly reconcile: { readonly input: ReconcileTaskInput; readonly output: ReconcileTaskOutput };
  readonly recount: { readonly input: RecountTaskInput; readonly output: RecountTaskOutput };
  readonly repair: { readonly input: RepairTaskInput; readonly output: RepairTaskOutput };
  readonly compact: { readonly input: CompactTaskInput; readonly output: CompactReport };
  readonly vacuum: { readonly input: VacuumTaskInput; readonly output: VacuumReport };
  readonly publish: { readonly input: PublishTaskInput; readonly output: PublishReport[] };
  readonly 'publish-ocsf': { readonly input: PublishOcsfTaskInput; readonly output: PublishOcsfTaskOutput };
  readonly enrich: { readonly input: EnrichTaskInput; readonly output: EnrichTaskOutput };
  readonly hunt: { readonly input: HuntTaskInput; readonly output: HuntTaskOutput };
  readonly query: { readonly input: QueryTaskInput; readonly output: QueryTaskOutput };
  readonly quiet: { readonly input: QuietTaskInput; readonly output: QuietTaskOutput };
  readonly webhook: { readonly input: WebhookTaskInput; readonly output: { readonly status: number } };
};
