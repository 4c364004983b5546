import type { RunReport, TaskView } from '@edrlake/runner/history';
import { describe, expect, it } from 'vitest';
import { runDocument, runsText, runText } from '../src/render/runs-text.ts';
import { displayWidth } from '../src/text/text-width.ts';

const TASK: TaskView = {
  name: 'sync',
  uses: 'sync',
  needs: [],
  state: 'done',
  attempts: 1,
  startedAtMs: 0,
  durationMs: 2_000,
  requests: 23,
  rows: 19_958,
  error: null,
  output: null,
  parts: null,
};

const ERROR = { code: 'TIMEOUT', message: 'the gateway did not answer' };

const RUN: RunReport = {
  runId: '20261122T003012Z-1f9a2c',
  kind: 'pipeline',
  partOf: null,
  pipeline: 'nightly',
  state: 'failed',
  startedAtMs: 0,
  endedAtMs: 5_000,
  durationMs: 5_000,
  requests: 23,
  rows: 19_958,
  error: ERROR,
  workflow: null,
  params: { days: 7 },
  starts: 2,
  tasks: [TASK, { ...TASK, name: 'reconcile', state: 'failed', requests: 0, rows: 0, error: ERROR }],
  hooks: [
    { hook: 'onFailure', delivered: true, attempts: 1, reason: null },
    { hook: 'onQuiet', delivered: false, attempts: 3, reason: 'HTTP 503' },
  ],
};

describe('runs in words', () => {
  it('are a table with the command that goes on with one that did not end well', () => {
    const text = runsText(
      [RUN, { ...RUN, kind: 'export', pipeline: null, state: 'done', requests: null, rows: null }],
      80,
      ' --lake backup',
    );
    expect(text).toMatch(/20261122T003012Z-1f9a2c +nightly +failed +5 s +23 +19,958/);
    expect(text).toContain('edrlake run nightly --resume 20261122T003012Z-1f9a2c --lake backup');
    expect(text).toContain('edrlake runs ID --lake backup');
    for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(80);
    expect(runsText([], 80, '')).toContain('No run yet.');
  });

  it('say that a resumed run keeps the parameters, where these cannot be right', () => {
    const wrong = { ...ERROR, code: 'RANGE_INVALID' } as const;
    const tasks = [{ ...TASK, state: 'failed', error: wrong }] as const;
    expect(runText({ ...RUN, tasks }, 200, '')).toContain('Next: correct the parameters in a new run.');
    expect(runText({ ...RUN, tasks, params: {} }, 200, '')).toContain('Next: edrlake run nightly --resume');
  });

  it('show when they started where there is room', () => {
    expect(runsText([RUN], 120, '')).toContain('1970-01-01T00:00:00Z');
  });

  it('show one run with its tasks, what went wrong and which webhooks were called', () => {
    const text = runText(RUN, 80, ' --lake backup');
    expect(text).toMatch(/✔ +sync +done +1 +2 s +23 +19,958/);
    expect(text).toContain('reconcile: the gateway did not answer [TIMEOUT]');
    expect(text).toContain('onFailure: delivered, 1 attempt\n');
    expect(text).toContain('onQuiet: not delivered, 3 attempts: HTTP 503');
    expect(text).toContain('2 times');
    expect(text).toContain('Next: edrlake run nightly --resume');
    expect(runText({ ...RUN, state: 'done' }, 80, '')).not.toContain('--resume');
  });

  it('name the parts of a fan-out that failed', () => {
    const part = {
      partition: '2026-11-20',
      state: 'failed',
      attempts: 3,
      durationMs: 1,
      requests: 0,
      rows: 0,
      error: ERROR,
    } as const;
    const fanOut: TaskView = {
      ...TASK,
      state: 'partly',
      parts: [part, { ...part, partition: '2026-11-21', state: 'done', error: null }],
    };
    const text = runText({ ...RUN, tasks: [fanOut] }, 80, '');
    expect(text).toContain('partly, 1 of 2');
    expect(text).toContain('sync 2026-11-20: the gateway did not answer [TIMEOUT]');
  });

  it('as a document have instants as text', () => {
    expect(runDocument(RUN)).toMatchObject({ startedAt: '1970-01-01T00:00:00.000Z', tasks: [{ name: 'sync' }, {}] });
  });
});
