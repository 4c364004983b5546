import { type Clock, type Emit, isoInstant, type RunEvent } from '@edrlake/core';
import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';

// Spans are made of the events that every part reports, so that no other package knows OpenTelemetry:
//
//   edrlake backfill
//   └─ run nightly                      pipeline
//      └─ task sync                     task, each attempt
//         ├─ plan                       planning … planned
//         ├─ window                     window-started … window
//         │  └─ page                    page-started … page
//         └─ flatten and commit         batch
//            └─ commit                  commit
//
// An event does not say of which task it is. Where one task is at work its spans are below it; where several are, below
// the run.

/** Records the spans of a command. */
export interface RunSpans {
  readonly emit: Emit;
  /** Ends the span of the command, and with it all that were left open. */
  end(exitCode: number): void;
}

/** A span and what belongs below it. */
interface OpenSpan {
  readonly span: Span;
  readonly context: Context;
}

/** Windows at work at once are few; one that no event ended must not stay for ever. */
const MAX_OPEN = 1_000;

/** States of a task or a run at work, or one that never began. */
const BEGINS: ReadonlySet<string> = new Set(['started', 'resumed']);
const BAD: ReadonlySet<string> = new Set(['failed', 'retry', 'partly', 'mismatch', 'rejected', 'interrupted']);

/**
 * Opens the span of a command.
 * @param command as typed, such as `backfill`
 */
export function runSpans(tracer: Tracer, clock: Clock, command: string): RunSpans {
  const open = new Map<string, OpenSpan>();
  const start = (key: string, name: string, parent: Context, attributes: Attributes, startMs = clock.nowMs()) => {
    end(key);
    if (open.size >= MAX_OPEN) return;
    const span = tracer.startSpan(name, { attributes, startTime: startMs }, parent);
    open.set(key, { span, context: trace.setSpan(parent, span) });
  };
  const end = (key: string, attributes: Attributes = {}, problem: string | null = null) => {
    const found = open.get(key);
    if (found === undefined) return;
    open.delete(key);
    found.span.setAttributes(attributes);
    if (problem !== null) found.span.setStatus({ code: SpanStatusCode.ERROR, message: problem });
    found.span.end(clock.nowMs());
  };
  const whole = (name: string, parent: Context, durationMs: number, attributes: Attributes) => {
    const nowMs = clock.nowMs();
    tracer.startSpan(name, { attributes, startTime: nowMs - durationMs }, parent).end(nowMs);
  };
  const root = tracer.startSpan(`edrlake ${command}`, { startTime: clock.nowMs() }, ROOT_CONTEXT);
  const rootContext = trace.setSpan(ROOT_CONTEXT, root);
  const tasks = new Set<string>();
  const ofRun = () => open.get('run')?.context ?? rootContext;
  const ofWork = () => {
    const [only, another] = tasks;
    return only === undefined || another !== undefined ? ofRun() : (open.get(only)?.context ?? ofRun());
  };
  const tools: SpanTools = { start, end, whole, ofRun, ofWork, tasks, contextOf: (key) => open.get(key)?.context };
  return {
    emit: (event) => {
      const atWork = trace.getSpan(ofWork());
      if (event.type === 'retry') {
        const { endpoint, code, attempt, delayMs } = event;
        atWork?.addEvent('retry', { endpoint, code, attempt, delayMs }, clock.nowMs());
      } else if (event.type === 'pace-end') {
        atWork?.addEvent('waited', { reason: event.reason, waitedMs: event.waitedMs }, clock.nowMs());
      } else record(event, tools);
    },
    end: (exitCode) => {
      for (const key of [...open.keys()].reverse()) end(key, {}, 'not ended');
      root.setAttribute('edrlake.exit_code', exitCode);
      if (exitCode !== 0) root.setStatus({ code: SpanStatusCode.ERROR, message: `exit code ${exitCode}` });
      root.end(clock.nowMs());
    },
  };
}

interface SpanTools {
  readonly start: (key: string, name: string, parent: Context, attributes: Attributes) => void;
  readonly end: (key: string, attributes?: Attributes, problem?: string | null) => void;
  readonly whole: (name: string, parent: Context, durationMs: number, attributes: Attributes) => void;
  readonly ofRun: () => Context;
  readonly ofWork: () => Context;
  /** Keys of the tasks at work. */
  readonly tasks: Set<string>;
  readonly contextOf: (key: string) => Context | undefined;
}

function record(event: RunEvent, tools: SpanTools): void {
  const { start, end, whole, ofWork } = tools;
  switch (event.type) {
    case 'planning':
      start('plan', 'plan', ofWork(), rangeOf(event));
      return;
    case 'planned': {
      const { windows, events, pages, planRequests } = event;
      end('plan', { windows, events, pages, planRequests });
      return;
    }
    case 'window-started': {
      const { windowId, counted } = event;
      start(`window ${windowId}`, 'window', ofWork(), { windowId, counted, ...rangeOf(event) });
      return;
    }
    case 'window': {
      const { windowId, fetched, verdict } = event;
      end(`window ${windowId}`, { fetched, verdict }, verdict === 'complete' ? null : verdict);
      return;
    }
    case 'window-split':
      end(`window ${event.windowId}`, { into: event.into });
      return;
    case 'window-failed':
      end(`window ${event.windowId}`, { code: event.code }, event.code);
      return;
    case 'page-started': {
      const { windowId, pageNumber } = event;
      const parent = tools.contextOf(`window ${windowId}`) ?? ofWork();
      start(`page ${windowId} ${pageNumber}`, 'page', parent, { windowId, pageNumber });
      return;
    }
    case 'page': {
      const { windowId, pageNumber, records, bodyBytes } = event;
      end(`page ${windowId} ${pageNumber}`, { records, bodyBytes });
      return;
    }
    case 'batch': {
      const { windows, records, rejected, bodyBytes, durationMs } = event;
      whole('flatten and commit', ofWork(), durationMs, { windows, records, rejected, bodyBytes });
      return;
    }
    case 'commit': {
      const { version, newEvents, changedEvents, unchangedEvents, filesAdded, durationMs } = event;
      whole('commit', ofWork(), durationMs, { version, newEvents, changedEvents, unchangedEvents, filesAdded });
      return;
    }
    default:
      recordWorkflow(event, tools);
      return;
  }
}

function recordWorkflow(event: RunEvent, { start, end, ofRun, tasks }: SpanTools): void {
  if (event.type === 'pipeline') {
    const { pipeline, runId, state } = event;
    if (BEGINS.has(state)) {
      start('run', `run ${pipeline}`, ofRun(), { pipeline, runId });
      return;
    }
    end('run', { state }, BAD.has(state) ? state : null);
    return;
  }
  if (event.type !== 'task') return;
  const { task, partition, state, attempt, code } = event;
  const key = `task ${task} ${partition ?? ''}`;
  if (state === 'started') {
    start(key, `task ${task}`, ofRun(), { task, attempt, ...(partition !== null && { partition }) });
    tasks.add(key);
    return;
  }
  tasks.delete(key);
  end(key, { state, ...(code !== null && { code }) }, BAD.has(state) ? (code ?? state) : null);
}

function rangeOf({ range }: { readonly range: { readonly startMs: number; readonly endMs: number } }): Attributes {
  return { from: isoInstant(range.startMs), to: isoInstant(range.endMs) };
}
