import { EdrlakeError, isoInstant, MS_PER_SECOND } from '@edrlake/core';
import {
  isPlainObject,
  type Pipeline,
  type PlainData,
  type TaskHook,
  type WebhookSpec,
  type WorkflowServices,
} from '../definition/define-pipeline.ts';
import { hooksOf } from '../definition/describe-pipeline.ts';
import type { HookName } from '../state/run-state.ts';
import type { RunOutcome } from '../state/run-status.ts';
import { type PipelineRunView, viewRun } from '../state/run-view.ts';
import { type AttemptEnd, type RunInProgress, timedAttempt } from './execute-task.ts';

/** Sends a JSON text by HTTP POST and resolves to the status; throws where no answer came. Aborted by the signal. */
export type PostJson = (
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<number>;

/** The delivery of a webhook. */
interface HookResult {
  readonly delivered: boolean;
  readonly attempts: number;
  /** Of the last attempt; null without an answer. */
  readonly status: number | null;
  /** Why the last attempt delivered nothing, without address and headers, which may hold a token; null if it did. */
  readonly reason: string | null;
}

const DEFAULT_TIMEOUT_MS = 10 * MS_PER_SECOND;
const DEFAULT_ATTEMPTS = 3;
const FIRST_DELAY_MS = MS_PER_SECOND;
const MAX_DELAY_MS = 30 * MS_PER_SECOND;

/** Why nothing was delivered, where no attempt was made or the last one was stopped. */
const INTERRUPTED = 'the run was interrupted';

/**
 * Calls the webhook of the outcome. It comes before the last line of the run, so that a crash in between delivers
 * twice, not never.
 */
export async function callHook<Provided>(
  { hooks }: Pipeline,
  run: Pick<RunInProgress<Provided>, 'identity' | 'state' | 'services' | 'record'>,
  outcome: RunOutcome,
  post: PostJson | null,
): Promise<void> {
  const hook = hookFor(outcome);
  const webhook = hook === null ? undefined : hooks?.[hook];
  if (hook === null || webhook === undefined || post === null || run.state.reported === hook) return;
  const body = hookBody(viewRun(run.identity.runId, run.state, true), outcome);
  const result = await sendHook(webhook, body, post, run.services);
  await noteHook(run, hook, result);
}

/**
 * Calls the webhook that a task has something for. It comes before the task notes that it was delivered, so that a
 * crash in between delivers twice, not never.
 * @returns whether it was delivered; null where there is no such hook
 */
export async function callTaskHook<Provided>(
  { hooks }: Pipeline,
  run: Pick<RunInProgress<Provided>, 'identity' | 'record' | 'services'>,
  about: { readonly hook: TaskHook; readonly body: Readonly<Record<string, unknown>> },
  post: PostJson | null,
): Promise<boolean | null> {
  const { hook, body } = about;
  const webhook = hooks?.[hook];
  if (webhook === undefined || post === null) return null;
  const { pipeline, runId } = run.identity;
  const text = JSON.stringify({ pipeline, runId, ...body });
  const result = await sendHook(webhook, text, post, run.services);
  await noteHook(run, hook, result);
  return result.delivered;
}

/** What came of a test of a hook. */
export interface HookTest extends HookResult {
  readonly hook: HookName;
  readonly host: string;
}

/**
 * Sends one message to each hook of a pipeline, with `test: true` and no run, so that it is known before the night
 * whether an alert arrives. Nothing is noted.
 */
export async function testHooks(pipeline: Pipeline, post: PostJson, services: WorkflowServices): Promise<HookTest[]> {
  const tests: HookTest[] = [];
  for (const { hook, host, webhook } of hooksOf(pipeline)) {
    const body = JSON.stringify({ pipeline: pipeline.name, runId: null, test: true, hook });
    tests.push({ hook, host, ...(await sendHook({ ...webhook, attempts: 1 }, body, post, services)) });
  }
  return tests;
}

async function noteHook<Provided>(
  { identity, services, record }: Pick<RunInProgress<Provided>, 'identity' | 'record' | 'services'>,
  hook: HookName,
  { delivered, attempts, status, reason }: HookResult,
): Promise<void> {
  await record({ type: 'hook', atMs: services.clock.nowMs(), hook, delivered, tries: attempts, reason });
  const { pipeline, runId } = identity;
  services.emit({ type: 'hook', pipeline, runId, hook, delivered, attempts, status, reason });
}

/** The hook for an outcome; null for an interrupted run, which was stopped on purpose. */
function hookFor(outcome: RunOutcome): HookName | null {
  if (outcome === 'done') return 'onSuccess';
  if (outcome === 'mismatch') return 'onMismatch';
  if (outcome === 'rejected') return 'onRejects';
  return outcome === 'interrupted' ? null : 'onFailure';
}

/**
 * The JSON of a webhook: which run ended and how, times in ISO 8601 UTC. Contains no params and no results of tasks,
 * which belong to the user, except why a registered task made no progress; of errors only what the journal stores.
 */
function hookBody(report: PipelineRunView, outcome: RunOutcome): string {
  return JSON.stringify({
    pipeline: report.pipeline,
    runId: report.runId,
    outcome,
    startedAt: isoInstant(report.startedAtMs),
    durationMs: report.durationMs,
    requests: report.requests,
    rows: report.rows,
    tasks: report.tasks.map(({ name, state, attempts, durationMs, error, parts, uses, output }) => ({
      name,
      state,
      attempts,
      durationMs,
      error,
      ...noProgressOf(uses, output),
      ...(parts === null ? {} : { failedPartitions: parts.filter((part) => part.state === 'failed').length }),
    })),
  });
}

function noProgressOf(uses: string | null, output: PlainData): { readonly noProgress?: PlainData } {
  const found = uses !== null && isPlainObject(output) ? output.noProgress : undefined;
  return found === undefined ? {} : { noProgress: found };
}

/**
 * Sends a webhook. It is sent again, after growing random waits, when there was no answer, a rate limit or a server
 * error. Never throws: an undelivered webhook does not change the outcome of the run. Ends early, undelivered, when the
 * signal is aborted.
 */
async function sendHook(
  { url, headers = {}, timeoutMs = DEFAULT_TIMEOUT_MS, attempts = DEFAULT_ATTEMPTS }: WebhookSpec,
  body: string,
  post: PostJson,
  { clock, random, signal }: WorkflowServices,
): Promise<HookResult> {
  // A second one under another spelling of the name would be sent beside it.
  const isTyped = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  const sent = { ...(isTyped ? {} : { 'content-type': 'application/json' }), ...headers };
  let status: number | null = null;
  let reason = INTERRUPTED;
  let attempt = 0;
  while (attempt < attempts && !signal.aborted) {
    attempt += 1;
    const ended = await timedAttempt((ownSignal) => post(url, body, sent, ownSignal), { clock, timeoutMs, signal });
    status = ended.end === 'returned' && typeof ended.value === 'number' ? ended.value : null;
    if (status !== null && status >= 200 && status < 300) {
      return { delivered: true, attempts: attempt, status, reason: null };
    }
    reason = reasonOf(ended, timeoutMs);
    const mayPass = status === null || status === 408 || status === 429 || status >= 500;
    if (!mayPass || attempt === attempts) break;
    const delayMs = Math.floor(random() * Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1)));
    // An abort ends the wait and, by the condition of the loop, the attempts.
    await clock.sleep(delayMs, signal).catch(() => {});
  }
  return { delivered: false, attempts: attempt, status, reason };
}

/** Only messages of edrlake are quoted: that of another error may repeat the address or a header. */
function reasonOf(ended: AttemptEnd, timeoutMs: number): string {
  if (ended.end === 'returned') return `HTTP ${ended.value}`;
  if (ended.end === 'stopped') return INTERRUPTED;
  if (!(ended.thrown instanceof EdrlakeError)) return 'it could not be sent';
  const { code, message } = ended.thrown;
  return code === 'TASK_TIMED_OUT' ? `no answer within ${timeoutMs / MS_PER_SECOND} s` : message;
}
