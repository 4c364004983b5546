import type { RunEvent } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { pipelineProgress } from '../src/progress/pipeline-progress.ts';
import { displayWidth } from '../src/text/text-width.ts';

type TaskEvent = Extract<RunEvent, { readonly type: 'task' }>;

function task(name: string, state: TaskEvent['state'], more: Partial<TaskEvent> = {}): RunEvent {
  const about = {
    pipeline: 'nightly',
    runId: 'r',
    partition: null,
    attempt: 1,
    delayMs: null,
    code: null,
    message: null,
  };
  return { type: 'task', ...about, task: name, state, ...more };
}

function linesAfter(
  events: readonly (readonly [atMs: number, event: RunEvent])[],
  nowMs: number,
  width = 80,
): string[] {
  const view = pipelineProgress(['sync', 'compact'], 0);
  for (const [atMs, event] of events) view.advance(event, atMs);
  return view.lines(nowMs, width);
}

describe('a pipeline at work', () => {
  it('is a line for each task, with what it does now', () => {
    expect(linesAfter([], 0)).toEqual(['· sync', '· compact']);
    expect(linesAfter([[0, task('sync', 'started')]], 2_000)).toEqual(['▶ sync     2 s', '· compact']);
    const done = [
      [0, task('sync', 'started')],
      [3_000, task('sync', 'done')],
      [3_000, task('compact', 'started')],
    ] as const;
    expect(linesAfter(done, 4_000)).toEqual(['✔ sync     done · 3 s', '▶ compact  1 s']);
  });

  it('shows the export of the task that is at work below', () => {
    const planned: RunEvent = { type: 'planned', windows: 1, events: 100, pages: 1, planRequests: 1 };
    const lines = linesAfter(
      [
        [0, task('sync', 'started')],
        [0, planned],
      ],
      1_000,
    );
    expect(lines.slice(2).join('\n')).toContain('0 of 100 events');
    const ended = linesAfter(
      [
        [0, task('sync', 'started')],
        [0, planned],
        [1, task('sync', 'done')],
      ],
      1_000,
    );
    expect(ended).toHaveLength(2);
  });

  it('says why a task failed, waits or was skipped, and how far a fan-out is', () => {
    const failed = task('sync', 'failed', { message: 'no answer', code: 'TIMEOUT' });
    const [first, second] = linesAfter(
      [
        [0, task('sync', 'started')],
        [1_000, failed],
        [1_000, task('compact', 'skipped', { attempt: 0 })],
      ],
      2_000,
    );
    expect(first).toBe('✘ sync     failed · 1 s · no answer');
    expect(second).toBe('- compact  skipped');
    const retry = task('sync', 'retry', { delayMs: 60_000, message: 'no answer' });
    expect(
      linesAfter(
        [
          [0, task('sync', 'started')],
          [0, retry],
        ],
        0,
      )[0],
    ).toBe('… sync     attempt 2 at 00:01:00Z · no answer');
    const parts = (['2026-11-01', '2026-11-02'] as const).map(
      (partition) => [0, task('sync', 'started', { partition })] as const,
    );
    const oneDone = [0, task('sync', 'done', { partition: '2026-11-01' })] as const;
    expect(linesAfter([...parts, oneDone], 1_000)[0]).toBe('▶ sync     1 s · 1 of 2 begun');
  });

  it('stays within the width', () => {
    const failed = task('sync', 'failed', { message: 'x'.repeat(300) });
    for (const line of linesAfter([[0, failed]], 0, 60)) expect(displayWidth(line)).toBeLessThanOrEqual(60);
  });
});
