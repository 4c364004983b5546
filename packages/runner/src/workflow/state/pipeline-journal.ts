import type { ProcessOwner } from '@edrlake/core';
import type { ParamValue } from '../definition/params.ts';
import type { PlainData } from '../definition/plain-data.ts';

/** How a reader finds out whether the process of a run is alive. */
export interface RunLook {
  isOwnerAlive(owner: ProcessOwner): boolean;
}

/** The identity of this process, and how to find out whether another one is alive; certainty may take a while. */
export interface Liveness {
  readonly owner: ProcessOwner;
  isOwnerAlive(owner: ProcessOwner): boolean | Promise<boolean>;
}

/** The outcome of a task or of one partition of its fan-out. `partly`: it finished, but some of its work failed. */
export type TaskOutcome = 'done' | 'mismatch' | 'rejected' | 'partly' | 'failed' | 'skipped' | 'interrupted';

/** The outcome of a run. `partly`: something failed, but no task as a whole. */
export type RunOutcome = 'done' | 'mismatch' | 'rejected' | 'partly' | 'failed' | 'interrupted';

/** A webhook of a pipeline, by the outcomes that it reports. */
export type HookName = 'onSuccess' | 'onFailure' | 'onMismatch' | 'onRejects';

/** The stored part of an error: from edrlake's own errors, which hold no secrets. */
export interface ErrorSummary {
  readonly code: string;
  readonly message: string;
}

/** A task as it was when the run started. */
export interface JournaledTask {
  readonly name: string;
  readonly uses: string | null;
  readonly needs: readonly string[];
  readonly fansOut: boolean;
}

/** One line of the journal of a pipeline's run, in order. `partition` is null for a task as a whole. */
export type PipelineLine =
  | {
      readonly type: 'pipeline-start';
      readonly atMs: number;
      readonly owner: ProcessOwner;
      readonly pipeline: string;
      readonly params: Readonly<Record<string, ParamValue>>;
      /** In order of execution. */
      readonly tasks: readonly JournaledTask[];
    }
  | {
      readonly type: 'pipeline-resume';
      readonly atMs: number;
      readonly owner: ProcessOwner;
      /** Tasks whose results, if they have any, are void because one of their needs is repeated. */
      readonly again: readonly string[];
    }
  | { readonly type: 'fan-out'; readonly atMs: number; readonly task: string; readonly partitions: readonly string[] }
  | { readonly type: 'task-start'; readonly atMs: number; readonly task: string; readonly partition: string | null }
  | {
      readonly type: 'task-retry';
      readonly atMs: number;
      readonly task: string;
      readonly partition: string | null;
      readonly delayMs: number;
      readonly error: ErrorSummary;
    }
  | {
      readonly type: 'task-end';
      readonly atMs: number;
      readonly task: string;
      readonly partition: string | null;
      readonly outcome: TaskOutcome;
      readonly output: PlainData;
      readonly error: ErrorSummary | null;
      /** Only for `skipped`: a need ended badly, or the condition of the task was not met. */
      readonly reason: 'need-failed' | 'not-needed' | null;
    }
  | {
      readonly type: 'hook';
      readonly atMs: number;
      readonly hook: HookName;
      readonly delivered: boolean;
      readonly tries: number;
    }
  | { readonly type: 'pipeline-end'; readonly atMs: number; readonly outcome: RunOutcome };
