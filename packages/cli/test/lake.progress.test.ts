import type { RunEvent } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { lakeProgress } from '../src/progress/lake-progress.ts';
import { pipelineProgress } from '../src/progress/pipeline-progress.ts';
import { displayWidth } from '../src/text/text-width.ts';

const START_MS = Date.UTC(2026, 0, 1, 3);

const done = (files: number, of = 156): RunEvent => ({ type: 'lake-work', work: 'compact', done: files, total: of });

describe('the progress of a command that goes through data files', () => {
  it('says that the lake is being opened, and nothing in a log, until the work begins', () => {
    const view = lakeProgress(START_MS);
    view.advance({ type: 'recovered', commits: 1 }, START_MS);
    expect([view.lines(START_MS + 3_000, 80), view.plainLine(START_MS + 3_000)]).toEqual([['Opening    3 s'], null]);
  });

  it('says how many files are done, and how long the others may take from when the work began', () => {
    const view = lakeProgress(START_MS);
    view.advance(done(0), START_MS + 20_000);
    expect(view.plainLine(START_MS + 25_000)).toBe('merging, 0 % · 0 of 156 files');
    view.advance(done(39), START_MS + 30_000);
    expect(view.lines(START_MS + 30_000, 80)).toEqual([
      'Merging    ██████░░░░░░░░░░░░░░░░░░░░  25 % · 39 of 156 files · about 30 s to go',
    ]);
    expect(view.plainLine(START_MS + 30_000)).toBe('merging, 25 % · 39 of 156 files · about 30 s to go');
    view.advance(done(156), START_MS + 60_000);
    expect(view.plainLine(START_MS + 60_000)).toBe('merging, 100 % · 156 of 156 files');
  });

  it('fits every width', () => {
    const view = lakeProgress(START_MS);
    view.advance(done(0, 1_000_000), START_MS);
    view.advance(done(39, 1_000_000), START_MS + 3_600_000);
    for (let width = 20; width <= 200; width += 1) {
      for (const line of view.lines(START_MS + 3_600_000, width)) expect(displayWidth(line)).toBeLessThanOrEqual(width);
    }
  });

  it('is shown below the tasks of a pipeline, until its task ends', () => {
    const task = (name: string, state: 'started' | 'done'): RunEvent => ({
      ...{ type: 'task', pipeline: 'nightly', runId: 'r', task: name, partition: null },
      ...{ state, attempt: 1, delayMs: null, code: null, message: null },
    });
    const view = pipelineProgress(['compact', 'vacuum'], START_MS);
    for (const event of [task('compact', 'started'), done(0), done(39)]) view.advance(event, START_MS);
    expect(view.lines(START_MS + 500, 80).at(-1)).toContain('Merging');
    expect(view.plainLine(START_MS + 500)).toBe('merging, 25 % · 39 of 156 files');
    view.advance(task('compact', 'done'), START_MS + 1_000);
    expect([
      view
        .lines(START_MS + 1_000, 80)
        .join()
        .includes('Merging'),
      view.plainLine(START_MS),
    ]).toEqual([false, null]);
  });
});
