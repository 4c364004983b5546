import { countText, durationText, type RunEvent } from '@edrlake/core';
import { STATUS_MARKS } from '@edrlake/runner/states';
import { clockTimeText } from '../text/format-numbers.ts';
import { padEnd, truncate } from '../text/text-width.ts';
import { plainWorkLine, workLine } from './lake-progress.ts';
import type { ProgressView } from './progress-display.ts';
import { advanceProgress, type ProgressState, startProgress } from './progress-state.ts';
import { liveLines, plainLine } from './progress-text.ts';

type TaskEvent = Extract<RunEvent, { readonly type: 'task' }>;
type LakeWork = Extract<RunEvent, { readonly type: 'lake-work' }>;

interface TaskProgress {
  state: TaskEvent['state'] | 'pending';
  sinceMs: number;
  endedMs: number | null;
  attempt: number;
  message: string | null;
  /** When it is tried again, while it waits. */
  againAtMs: number | null;
  /** Parts of a fan-out that were begun, and that ended. */
  readonly parts: Set<string>;
  readonly ended: Set<string>;
}

const MARK_OF: Readonly<Record<TaskProgress['state'], string>> = {
  ...STATUS_MARKS,
  started: STATUS_MARKS.running,
  retry: STATUS_MARKS.waiting,
  reused: STATUS_MARKS.done,
};

/** A pipeline at work: a line for each task, and below them what the export that is going on does. */
export function pipelineProgress(tasks: readonly string[], startedAtMs: number): ProgressView {
  const byName = new Map<string, TaskProgress>(tasks.map((name) => [name, newTask(startedAtMs)]));
  const nameWidth = Math.max(0, ...tasks.map((name) => name.length));
  let exporting: ProgressState | null = null;
  let work: { readonly event: LakeWork; readonly sinceMs: number } | null = null;
  return {
    advance: (event, nowMs) => {
      if (event.type === 'task') {
        const task = byName.get(event.task) ?? newTask(nowMs);
        byName.set(event.task, task);
        applyTaskEvent(task, event, nowMs);
        if (event.state === 'started') exporting = null;
        work = null;
        return;
      }
      if (event.type === 'lake-work') {
        work = { event, sinceMs: work === null || event.done === 0 ? nowMs : work.sinceMs };
        return;
      }
      // Between runs there is nothing to show.
      if (event.type === 'pipeline') exporting = null;
      if (event.type === 'pipeline' || event.type === 'hook' || event.type === 'schedule') return;
      exporting ??= startProgress(nowMs);
      advanceProgress(exporting, event, nowMs);
    },
    lines: (nowMs, width) => {
      const isAtWork = [...byName.values()].some(({ state }) => state === 'started');
      const lines = [...byName].map(([name, task]) => taskLine(padEnd(name, nameWidth), task, nowMs));
      const ofExport = exporting === null ? [] : liveLines(exporting, nowMs, width - 2);
      const ofWork = work === null ? [] : [workLine(work.event, nowMs - work.sinceMs, width - 2)];
      const below = isAtWork ? [...ofExport, ...ofWork].map((line) => `  ${line}`) : [];
      return [...lines, ...below].map((line) => truncate(line, width));
    },
    plainLine: (nowMs) => {
      if (work !== null) return plainWorkLine(work.event, nowMs - work.sinceMs);
      return exporting === null ? null : plainLine(exporting, nowMs);
    },
  };
}

function newTask(sinceMs: number): TaskProgress {
  return {
    state: 'pending',
    sinceMs,
    endedMs: null,
    attempt: 0,
    message: null,
    againAtMs: null,
    parts: new Set(),
    ended: new Set(),
  };
}

function applyTaskEvent(task: TaskProgress, event: TaskEvent, nowMs: number): void {
  const hasEnded = event.state !== 'started' && event.state !== 'retry';
  if (event.partition !== null) {
    task.parts.add(event.partition);
    if (hasEnded) task.ended.add(event.partition);
    // A task is at work until it says itself that it has ended.
    if (hasEnded && event.state !== 'failed') return;
  }
  if (task.state === 'pending') task.sinceMs = nowMs;
  if (event.partition === null || !hasEnded) task.state = event.state;
  task.attempt = event.attempt;
  task.message = event.message ?? task.message;
  task.againAtMs = event.state === 'retry' && event.delayMs !== null ? nowMs + event.delayMs : null;
  task.endedMs = hasEnded && event.partition === null ? nowMs : null;
}

function taskLine(name: string, task: TaskProgress, nowMs: number): string {
  const { state, sinceMs, endedMs, attempt, parts, ended, message, againAtMs } = task;
  const words: string[] = [];
  if (state === 'reused') words.push('done by an earlier process');
  else if (state === 'started') words.push(durationText(nowMs - sinceMs));
  else if (state === 'retry')
    words.push(`attempt ${attempt + 1} ${againAtMs === null ? 'soon' : `at ${clockTimeText(againAtMs, nowMs)}`}`);
  else if (state !== 'pending')
    words.push(state, ...(endedMs === null || state === 'skipped' ? [] : [durationText(endedMs - sinceMs)]));
  if (parts.size > 0) words.push(`${countText(ended.size)} of ${countText(parts.size)} begun`);
  if (state === 'started' && attempt > 1) words.push(`attempt ${attempt}`);
  if (message !== null && (state === 'failed' || state === 'retry' || state === 'partly')) words.push(message);
  return `${MARK_OF[state]} ${name}  ${words.join(' · ')}`.trimEnd();
}
