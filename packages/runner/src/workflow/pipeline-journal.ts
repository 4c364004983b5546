import { type FileHandle, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import type { ParamValue } from './params.ts';
import type { PlainData } from './plain-data.ts';

/** The process that runs something, in a form that another process can check. */
export interface RunOwner {
  readonly pid: number;
}

/** How to tell whether the process of a run lives, for who only looks. */
export interface RunLook {
  isOwnerAlive(owner: RunOwner): boolean;
}

/** Who this process is, and how to tell whether another one still lives; it may take a while to be certain. */
export interface Liveness {
  readonly owner: RunOwner;
  isOwnerAlive(owner: RunOwner): boolean | Promise<boolean>;
}

/** How a task, or one part of its fan-out, ended. `partly`: it finished, but some of its work failed. */
export type TaskOutcome = 'done' | 'mismatch' | 'rejected' | 'partly' | 'failed' | 'skipped' | 'interrupted';

/** How a run ended. `partly`: something failed, but no task as a whole. */
export type RunOutcome = 'done' | 'mismatch' | 'rejected' | 'partly' | 'failed' | 'interrupted';

/** A webhook of a pipeline, by the ends of a run that it hears of. */
export type HookName = 'onSuccess' | 'onFailure' | 'onMismatch' | 'onRejects';

/** The part of an error that is kept: from edrlake's own errors, which hold no secrets. */
export interface ErrorSummary {
  readonly code: string;
  readonly message: string;
}

/** A task as the run knew it when it started. */
export interface JournaledTask {
  readonly name: string;
  readonly uses: string | null;
  readonly needs: readonly string[];
  readonly fansOut: boolean;
}

/** One line of the journal of a pipeline's run, in the order things happened. `partition` is null for a task as a whole. */
export type PipelineLine =
  | {
      readonly type: 'pipeline-start';
      readonly atMs: number;
      readonly owner: RunOwner;
      readonly pipeline: string;
      readonly params: Readonly<Record<string, ParamValue>>;
      /** In order of execution. */
      readonly tasks: readonly JournaledTask[];
    }
  | {
      readonly type: 'pipeline-resume';
      readonly atMs: number;
      readonly owner: RunOwner;
      /** Tasks whose results, if they have any, are void because something they need is done again. */
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
      /** Only for `skipped`: a need ended badly, or the condition of the task did not come true. */
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

/** The journal of a run, open for appending. A line is on disk when `append` resolves. */
export interface PipelineJournal {
  append(line: PipelineLine): Promise<void>;
  /** Resolves when what was appended is written and the file is closed. */
  close(): Promise<void>;
}

/**
 * Opens the journal `<runs>/<run-id>.jsonl`: a new run's must not exist, a resumed run's must. After a crash it ends in at
 * most one torn line, which is closed here and skipped by readers.
 * @throws {EdrlakeError} `RUN_BUSY` when a new run finds its journal in place; `LAKE_UNWRITABLE` when the folder refuses.
 */
export async function openPipelineJournal(
  runsDirectory: string,
  runId: string,
  mode: 'new' | 'resume',
): Promise<PipelineJournal> {
  const file = await openFile(runsDirectory, runId, mode);
  let tail: Promise<void> = Promise.resolve();
  let torn = mode === 'resume';
  return {
    // Lines from concurrent tasks queue up behind each other, so that none is torn by another.
    append: (line) => {
      tail = tail.then(async () => {
        await file.appendFile(`${torn ? '\n' : ''}${JSON.stringify(line)}\n`);
        torn = false;
        await file.datasync();
      });
      return tail;
    },
    close: async () => {
      // Whoever appended the line that failed has been told.
      await tail.catch(() => {});
      await file.close();
    },
  };
}

/** The lines of a run's journal, oldest first, torn ones left out. Empty where there is no such journal. */
export async function readLines(runsDirectory: string, runId: string): Promise<readonly { readonly type: string }[]> {
  const text = await readFile(journalPath(runsDirectory, runId), 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return '';
    throw new EdrlakeError('RUN_MISSING', `the journal of run ${runId} cannot be read`, { cause });
  });
  const lines: { readonly type: string }[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    try {
      const parsed: unknown = JSON.parse(line);
      if (typeof parsed === 'object' && parsed !== null && 'type' in parsed) lines.push(parsed as { type: string });
    } catch {
      // The line that was being written when the process died.
    }
  }
  return lines;
}

/** Removes the journal of a run that did nothing. */
export async function forgetJournal(runsDirectory: string, runId: string): Promise<void> {
  await rm(journalPath(runsDirectory, runId), { force: true });
}

async function openFile(runsDirectory: string, runId: string, mode: 'new' | 'resume'): Promise<FileHandle> {
  try {
    await mkdir(runsDirectory, { recursive: true });
    const file = await open(journalPath(runsDirectory, runId), mode === 'new' ? 'ax' : 'a');
    if (mode === 'new') await syncDirectory(runsDirectory);
    return file;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') {
      throw new EdrlakeError('RUN_BUSY', `there is already a run ${runId}`, {
        cause,
        hint: 'Resume it, or start another.',
      });
    }
    throw new EdrlakeError('LAKE_UNWRITABLE', `the journal of run ${runId} cannot be written`, {
      cause,
      context: { runsDirectory },
      hint: 'Check that the lake exists, is writable and has free space.',
    });
  }
}

/** Makes a new file's name durable, where the system lets a directory be synced. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => null);
  if (handle === null) return;
  try {
    await handle.sync();
  } catch {
    // Some file systems refuse; the file's own sync is what they offer.
  } finally {
    await handle.close();
  }
}

const RUN_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

function journalPath(runsDirectory: string, runId: string): string {
  if (!RUN_ID.test(runId)) {
    throw new EdrlakeError('RUN_MISSING', `"${runId}" is not the id of a run`, {
      hint: 'List the runs to see their ids.',
    });
  }
  return join(runsDirectory, `${runId}.jsonl`);
}
