import { type Emit, MS_PER_SECOND, type RunEvent } from '@edrlake/core';
import type { MetricFamily } from './metric-family.ts';

/** The counters, and what each counts since this process began. */
export const RUN_COUNTERS = {
  edrlake_requests_total: 'Requests to the API by endpoint and HTTP status, repetitions included.',
  edrlake_request_seconds_total: 'Time until the answers of requests, by endpoint.',
  edrlake_retries_total: 'Requests that were to be repeated, by endpoint and error code.',
  edrlake_wait_seconds_total: 'Time that requests waited for their turn, by reason.',
  edrlake_pages_total: 'Pages, fetched or found on disk.',
  edrlake_page_records_total: 'Records of fetched pages.',
  edrlake_page_bytes_total: 'Bytes of fetched pages as NDJSON.',
  edrlake_windows_total: 'Windows by how they ended.',
  edrlake_rejected_records_total: 'Delivered records that could not become rows.',
  edrlake_batch_seconds_total: 'Time from flattening to the end of the commit, of all batches.',
  edrlake_batches_total: 'Batches that were flattened and committed.',
  edrlake_events_total: 'Events of commits: new, changed, unchanged.',
  edrlake_commits_total: 'Commits that are in the log.',
  edrlake_commit_seconds_total: 'Time of these commits, all attempts included.',
  edrlake_commits_contended_total: 'Attempts that lost their version to another writer.',
  edrlake_tasks_total: 'Tasks of pipelines by how they ended.',
  edrlake_runs_total: 'Runs of pipelines by how they ended.',
  edrlake_hooks_total: 'Hooks by whether they were delivered.',
} as const;

/** The name of a counter. */
export type RunCounter = keyof typeof RUN_COUNTERS;

/** Counts what a process does. */
export interface RunMetrics {
  readonly emit: Emit;
  /** All counters as they are now; those that have counted nothing have no samples. */
  families(): MetricFamily[];
}

/** States of tasks and runs that are no end. */
const NO_END: ReadonlySet<string> = new Set(['started', 'resumed', 'retry', 'reused', 'skipped']);

/** Counters over the events of this process. Labels have few values each, so that memory is bounded. */
export function runMetrics(): RunMetrics {
  const values = new Map<RunCounter, Map<string, { readonly labels: Record<string, string>; value: number }>>();
  const add = (name: RunCounter, amount: number, labels: Record<string, string> = {}) => {
    const of = values.get(name) ?? new Map();
    values.set(name, of);
    const key = Object.values(labels).join('\u0000');
    const sample = of.get(key) ?? { labels, value: 0 };
    of.set(key, sample);
    sample.value += amount;
  };
  return {
    emit: (event) => count(event, add),
    families: () =>
      Object.entries(RUN_COUNTERS).map(([name, help]) => ({
        ...{ name, help, type: 'counter' as const },
        samples: [...(values.get(name as RunCounter)?.values() ?? [])].map(({ labels, value }) => ({ labels, value })),
      })),
  };
}

type Add = (name: RunCounter, amount: number, labels?: Record<string, string>) => void;

function count(event: RunEvent, add: Add): void {
  switch (event.type) {
    case 'request': {
      const { endpoint, status, durationMs } = event;
      add('edrlake_requests_total', 1, { endpoint, status: status === null ? 'none' : String(status) });
      add('edrlake_request_seconds_total', durationMs / MS_PER_SECOND, { endpoint });
      return;
    }
    case 'retry':
      add('edrlake_retries_total', 1, { endpoint: event.endpoint, code: event.code });
      return;
    case 'pace-end':
      add('edrlake_wait_seconds_total', event.waitedMs / MS_PER_SECOND, { reason: event.reason });
      return;
    case 'page':
      add('edrlake_pages_total', 1, { from: event.reused ? 'disk' : 'api' });
      if (event.reused) return;
      add('edrlake_page_records_total', event.records);
      add('edrlake_page_bytes_total', event.bodyBytes);
      return;
    case 'window':
      add('edrlake_windows_total', 1, { verdict: event.verdict });
      return;
    case 'window-failed':
      add('edrlake_windows_total', 1, { verdict: 'failed' });
      return;
    case 'window-skipped':
      add('edrlake_windows_total', 1, { verdict: 'skipped' });
      return;
    default:
      countLake(event, add);
      return;
  }
}

function countLake(event: RunEvent, add: Add): void {
  switch (event.type) {
    case 'batch':
      add('edrlake_batches_total', 1);
      add('edrlake_rejected_records_total', event.rejected);
      add('edrlake_batch_seconds_total', event.durationMs / MS_PER_SECOND);
      return;
    case 'commit':
      add('edrlake_commits_total', 1);
      add('edrlake_commit_seconds_total', event.durationMs / MS_PER_SECOND);
      add('edrlake_events_total', event.newEvents, { kind: 'new' });
      add('edrlake_events_total', event.changedEvents, { kind: 'changed' });
      add('edrlake_events_total', event.unchangedEvents, { kind: 'unchanged' });
      return;
    case 'commit-contended':
      add('edrlake_commits_contended_total', 1);
      return;
    case 'task': {
      const { pipeline, task, state, partition } = event;
      if (partition === null && !NO_END.has(state)) add('edrlake_tasks_total', 1, { pipeline, task, state });
      return;
    }
    case 'pipeline': {
      const { pipeline, state } = event;
      if (!NO_END.has(state)) add('edrlake_runs_total', 1, { pipeline, state });
      return;
    }
    case 'hook':
      add('edrlake_hooks_total', 1, { hook: event.hook, delivered: String(event.delivered) });
      return;
    default:
  }
}
