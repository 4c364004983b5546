import type { Clock, RunEvent } from '@edrlake/core';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { expect, test } from 'vitest';
import { runSpans } from '../src/run-spans.ts';

const RANGE = { startMs: 0, endMs: 86_400_000 };

/** The spans of a command that reports these events, a second between each two. */
function spansOf(events: readonly RunEvent[], exitCode = 0): ReadableSpan[] {
  let nowMs = 1_000_000;
  const clock: Clock = { nowMs: () => nowMs, sleep: async () => {} };
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const spans = runSpans(provider.getTracer('test'), clock, 'run');
  for (const event of events) {
    nowMs += 1_000;
    spans.emit(event);
  }
  nowMs += 1_000;
  spans.end(exitCode);
  return exporter.getFinishedSpans();
}

/** `parent > child` of each span, with its seconds, in the order in which they ended. */
function treeOf(spans: readonly ReadableSpan[]): string[] {
  const names = new Map(spans.map((span) => [span.spanContext().spanId, span.name]));
  return spans.map(({ name, parentSpanContext, duration }) => {
    const parent = parentSpanContext === undefined ? '' : `${names.get(parentSpanContext.spanId)} > `;
    return `${parent}${name}, ${duration[0]} s`;
  });
}

const pipeline = (state: 'started' | 'done' | 'failed'): RunEvent => ({
  ...{ type: 'pipeline', pipeline: 'nightly', runId: 'r', state },
});
const task = (name: string, state: 'started' | 'retry' | 'done' | 'failed', attempt = 1): RunEvent => ({
  ...{ type: 'task', pipeline: 'nightly', runId: 'r', task: name, partition: null, state, attempt },
  ...{ delayMs: null, code: state === 'done' || state === 'started' ? null : 'SERVER_ERROR', message: 'secret' },
});
const window = (windowId: string): RunEvent => ({ type: 'window-started', windowId, range: RANGE, counted: 2 });
const pageStarted = (windowId: string, pageNumber: number): RunEvent => ({
  ...{ type: 'page-started', windowId, pageNumber },
});
const page = (windowId: string, pageNumber: number): RunEvent => ({
  ...{ type: 'page', windowId, pageNumber, records: 2, bodyBytes: 10, reused: false },
});
const windowEnds = (windowId: string): RunEvent => ({
  ...{ type: 'window', windowId, range: RANGE, counted: 2, fetched: 2, verdict: 'complete' },
});
const COMMIT: RunEvent = {
  ...{ type: 'commit', version: 1, newEvents: 2, changedEvents: 0, unchangedEvents: 0, filesAdded: 1, filesRemoved: 0 },
  durationMs: 500,
};

test('a night is command, run, task, plan, window, page and commit', () => {
  const spans = spansOf([
    pipeline('started'),
    task('sync', 'started'),
    { type: 'planning', range: RANGE },
    { type: 'planned', windows: 2, events: 4, pages: 2, planRequests: 1 },
    window('a'),
    window('b'),
    pageStarted('a', 0),
    pageStarted('b', 0),
    page('b', 0),
    page('a', 0),
    windowEnds('a'),
    windowEnds('b'),
    COMMIT,
    task('sync', 'done'),
    pipeline('done'),
  ]);
  expect(treeOf(spans)).toEqual([
    'task sync > plan, 1 s',
    'window > page, 1 s',
    'window > page, 3 s',
    'task sync > window, 6 s',
    'task sync > window, 6 s',
    'task sync > commit, 0 s',
    'run nightly > task sync, 12 s',
    'edrlake run > run nightly, 14 s',
    'edrlake run, 16 s',
  ]);
  expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(1);
});

test('what belongs to one of several tasks at work is below the run', () => {
  const spans = spansOf([pipeline('started'), task('one', 'started'), task('two', 'started'), COMMIT]);
  expect(treeOf(spans)).toContain('run nightly > commit, 0 s');
});

test('a failure is an error with its code alone, and what did not end is ended', () => {
  const spans = spansOf(
    [
      pipeline('started'),
      task('sync', 'started'),
      window('a'),
      pageStarted('a', 0),
      { type: 'window-failed', windowId: 'a', range: RANGE, code: 'TIMEOUT', message: 'secret' },
      task('sync', 'retry'),
      task('sync', 'started', 2),
    ],
    130,
  );
  const statuses = spans.map(({ name, status }) => [name, status.message ?? null]);
  expect(statuses).toEqual([
    ['window', 'TIMEOUT'],
    ['task sync', 'SERVER_ERROR'],
    ['task sync', 'not ended'],
    ['page', 'not ended'],
    ['run nightly', 'not ended'],
    ['edrlake run', 'exit code 130'],
  ]);
  expect(JSON.stringify(spans.map(({ attributes, status, events }) => [attributes, status, events]))).not.toContain(
    'secret',
  );
});

test('waits and repetitions are events of the work at hand', () => {
  const [, sync] = spansOf([
    task('sync', 'started'),
    COMMIT,
    { type: 'retry', endpoint: 'count', code: 'TIMEOUT', delayMs: 100, attempt: 1 },
    { type: 'pace-end', reason: 'rate-limit', waitedMs: 400 },
    task('sync', 'done'),
  ]);
  expect(sync?.events.map(({ name, attributes }) => [name, attributes])).toEqual([
    ['retry', { endpoint: 'count', code: 'TIMEOUT', attempt: 1, delayMs: 100 }],
    ['waited', { reason: 'rate-limit', waitedMs: 400 }],
  ]);
});

test('spans that never end are bounded', () => {
  const spans = spansOf(Array.from({ length: 3_000 }, (_, number) => window(String(number))));
  expect(spans.length).toBe(1_001);
});
