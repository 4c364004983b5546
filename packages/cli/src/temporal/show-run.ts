import { nounText } from '@edrlake/core';
import type { PendingActivity, RunProgress, WorkflowNews } from '@edrlake/temporal';
import type { ProgressDisplay } from '../progress/progress-display.ts';

/** Shows a run that workers do, from what is seen of it now and then. */
export interface ShownRun {
  advance(news: WorkflowNews<RunProgress>): void;
  /** Lines that are known. */
  known(): number;
  /** null until a worker has begun it. */
  runId(): string | null;
}

/** Looks without news of a task before its progress is said again. */
const LOOKS_PER_LINE = 10;

/** Turns the lines of a run, as they come, into the events that a display shows. */
export function showRun(pipeline: string, display: ProgressDisplay): ShownRun {
  let known = 0;
  let runId: string | null = null;
  let saidWaiting = false;
  const begun = new Map<string, number>();
  const said = sayPending(display);

  function begin(task: string, partition: string | null, isAttempt: boolean): number {
    const key = `${task} ${partition ?? ''}`;
    const attempt = (begun.get(key) ?? 0) + (isAttempt ? 1 : 0);
    begun.set(key, attempt);
    return attempt;
  }

  function advance({ progress, pending }: WorkflowNews<RunProgress>): void {
    if (progress === null) {
      if (!saidWaiting) display.log({ level: 'info', text: 'no worker answers yet: the run waits for one' });
      saidWaiting = true;
      return;
    }
    if (runId === null) display.emit({ type: 'pipeline', pipeline, runId: progress.runId, state: 'started' });
    runId = progress.runId;
    known += progress.lines.length;
    for (const line of progress.lines) {
      if (line.type !== 'task-start' && line.type !== 'task-end' && line.type !== 'task-retry') continue;
      const { task, partition } = line;
      const attempt = begin(task, partition, line.type === 'task-start');
      const { code = null, message = null } = line.type === 'task-start' ? {} : (line.error ?? {});
      const state = line.type === 'task-start' ? 'started' : line.type === 'task-retry' ? 'retry' : line.outcome;
      const delayMs = line.type === 'task-retry' ? line.delayMs : null;
      display.emit({ type: 'task', pipeline, runId, task, partition, state, attempt, delayMs, code, message });
    }
    said(pending);
  }

  return { advance, known: () => known, runId: () => runId };
}

/** Says now and then how far activities at work are, and at once why one waits. */
function sayPending({ log }: ProgressDisplay): (pending: readonly PendingActivity[]) => void {
  let looks = 0;
  const last = new Map<string, string>();
  return (pending) => {
    looks += 1;
    for (const { details, isAtWork, lastFailure } of pending) {
      if (details === null || details.task === '') continue;
      const { task, partition, pages, windows, commits } = details;
      const name = partition === null ? task : `${task} ${partition}`;
      const counts = [nounText(pages, 'page'), nounText(windows, 'window'), nounText(commits, 'commit')].join(', ');
      const text = isAtWork ? `${name}: ${counts}` : `${name} waits: ${lastFailure ?? 'for a worker'}`;
      if (last.get(name) === text || (isAtWork && looks % LOOKS_PER_LINE !== 0)) continue;
      last.set(name, text);
      log({ level: 'info', text });
    }
  };
}
