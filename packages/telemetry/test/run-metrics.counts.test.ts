import type { RunEvent } from '@edrlake/core';
import { expect, test } from 'vitest';
import { metricsText, RUN_COUNTERS, runMetrics } from '../src/index.ts';

const request = (status: number | null): RunEvent => ({
  ...{ type: 'request', endpoint: 'events', status, durationMs: 250, attempt: 1, requestsLeft: 3 },
});
const page = (reused: boolean): RunEvent => ({
  ...{ type: 'page', windowId: 'w', pageNumber: 0, records: 7, bodyBytes: 100, reused },
});

/** The text of the counters, without its comments. */
function linesAfter(events: readonly RunEvent[]): string[] {
  const metrics = runMetrics();
  for (const event of events) metrics.emit(event);
  return metricsText(metrics.families())
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
}

test('requests are counted by endpoint and answer, with their time', () => {
  expect(linesAfter([request(200), request(200), request(null)])).toEqual([
    'edrlake_requests_total{endpoint="events",status="200"} 2',
    'edrlake_requests_total{endpoint="events",status="none"} 1',
    'edrlake_request_seconds_total{endpoint="events"} 0.75',
  ]);
});

test('pages found on disk are no fetched records', () => {
  expect(linesAfter([page(false), page(true)])).toEqual([
    'edrlake_pages_total{from="api"} 1',
    'edrlake_pages_total{from="disk"} 1',
    'edrlake_page_records_total 7',
    'edrlake_page_bytes_total 100',
  ]);
});

test('a task counts once, when it has ended as a whole', () => {
  const task = (state: 'started' | 'retry' | 'done', partition: string | null): RunEvent => ({
    ...{ type: 'task', pipeline: 'a "b"\n\\', runId: 'r', task: 'sync', partition, state, attempt: 1 },
    ...{ delayMs: null, code: null, message: null },
  });
  expect(linesAfter([task('started', null), task('retry', null), task('done', '2026'), task('done', null)])).toEqual([
    String.raw`edrlake_tasks_total{pipeline="a \"b\"\n\\",task="sync",state="done"} 1`,
  ]);
});

test('each counter has its meaning in the text, and nothing is shown of those that counted nothing', () => {
  const text = metricsText(runMetrics().families());
  expect(text).toBe('');
  for (const [name, help] of Object.entries(RUN_COUNTERS)) {
    expect(name).toMatch(/^edrlake_[a-z_]+_total$/);
    expect(help).toMatch(/\.$/);
  }
});
