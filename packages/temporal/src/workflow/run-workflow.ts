import type { BegunRun, EndedRun, StepTask } from '@edrlake/runner';
import {
  applyLine,
  isFinished,
  outcomeOf,
  outputOf,
  type PipelineLine,
  type PipelineRunView,
  type RunState,
  runOutcomeOf,
  type StepOrder,
  startState,
  verdictOn,
  viewRun,
} from '@edrlake/runner/run-state';
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  continueAsNew,
  defineQuery,
  isCancellation,
  proxyActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import {
  type CarriedRun,
  MOST_PENDING,
  PROGRESS_QUERY,
  type RunActivities,
  type RunProgress,
  type RunRequest,
} from '../contract/contract.ts';
import { createSlots, type Slots } from './slots.ts';

// This code is replayed from histories that older versions have recorded. What changes the order of activities and
// timers must depend on something that only newer histories have: a field of the request or of a result, such as
// `BegunRun.atOnce`, or else `patched`. The test over recorded histories notices where that lacks.

/**
 * An attempt of an activity ends without a result where its worker is lost, is stopped, or gets no request; none of
 * these is an attempt of the task. Real failures are in the result, and are retried here as the task says.
 */
export const STEP = {
  // Three lost beats, by the second that workers take at most between two.
  heartbeatTimeout: '15s',
  startToCloseTimeout: '1 day',
  scheduleToCloseTimeout: '30 days',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s', maximumAttempts: 1_000 },
} as const;

const { attemptTask } = proxyActivities<RunActivities>(STEP);
const { beginRun, fanOut, endRun } = proxyActivities<RunActivities>({ ...STEP, startToCloseTimeout: '10 minutes' });

const progressQuery = defineQuery<RunProgress, [number]>(PROGRESS_QUERY);

/** A run in this workflow. */
interface RunAtWork {
  readonly request: RunRequest;
  readonly runId: string;
  readonly begun: BegunRun;
  readonly state: RunState;
  /** All but the first. */
  readonly lines: PipelineLine[];
  /** Of these, what no activity has written. */
  readonly unwritten: PipelineLine[];
  /** For attempts of whole tasks, and for those of partitions. */
  readonly slots: { readonly whole: Slots; readonly parts: Slots };
  /** The history has become long: what has not begun is for the next one. */
  isLong: boolean;
}

/** Set once in a history, and kept. */
function hasBecomeLong(run: RunAtWork): boolean {
  run.isLong ||= workflowInfo().continueAsNewSuggested;
  return run.isLong;
}

/**
 * One run of a pipeline: each task once its needs have ended, as one activity or one for each partition. The state is
 * the fold of the same lines that a journal has. A history that has become long is continued in a new one.
 * @throws where the pipeline cannot begin, and where the run is cancelled
 */
export async function edrlakeRun(request: RunRequest): Promise<PipelineRunView> {
  const run = request.carried === undefined ? await begin(request) : atWork(request, request.carried);
  setHandler(progressQuery, (from) => ({ runId: run.runId, lines: run.lines.slice(from) }));
  try {
    if (run.begun.atOnce === undefined) await settleInTurn(run);
    else await settleAtOnce(run);
  } catch (thrown) {
    if (!isCancellation(thrown)) throw thrown;
    await CancellationScope.nonCancellable(() => end(run, 'interrupted'));
    throw thrown;
  }
  const lost = await end(run, runOutcomeOf(run.state));
  return viewRun(run.runId, run.state, false, new Map(lost));
}

async function begin(request: RunRequest): Promise<RunAtWork> {
  const { startTime, runId: id } = workflowInfo();
  const startedAtMs = startTime.getTime();
  const time = startTime.toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
  // The first digits of the id are the time again.
  const runId = request.runId ?? `${time}Z-${id.slice(-6)}`;
  try {
    const begun = await beginRun(request, { given: request.given, runId, startedAtMs });
    return atWork(request, { runId, begun, lines: [], unwritten: [] });
  } catch (thrown) {
    throw refusalOf(thrown);
  }
}

/** Why a workflow cannot begin, as the command that started it reads it. */
export function refusalOf(thrown: unknown): unknown {
  const refusal = thrown instanceof ActivityFailure ? thrown.cause : undefined;
  if (!(refusal instanceof ApplicationFailure)) return thrown;
  const { message, type, details } = refusal;
  return ApplicationFailure.create({ message, type: type ?? '', details: details ?? [], nonRetryable: true });
}

function atWork(request: RunRequest, { runId, begun, lines, unwritten }: CarriedRun): RunAtWork {
  const state = startState(begun.start);
  for (const line of lines) applyLine(state, line);
  const slots = { whole: createSlots(begun.atOnce ?? 1), parts: createSlots(MOST_PENDING) };
  return { request, runId, begun, state, lines: [...lines], unwritten: [...unwritten], slots, isLong: false };
}

function continueRun({ request, runId, begun, lines, unwritten }: RunAtWork): Promise<never> {
  return continueAsNew<typeof edrlakeRun>({ ...request, carried: { runId, begun, lines, unwritten } });
}

function note({ state, lines }: RunAtWork, added: readonly PipelineLine[]): void {
  for (const line of added) applyLine(state, line);
  lines.push(...added);
}

/** Notes an end that no activity has written. */
function noteEnd(
  run: RunAtWork,
  task: string,
  partition: string | null,
  end: Pick<Extract<PipelineLine, { type: 'task-end' }>, 'outcome' | 'error' | 'reason'>,
): void {
  const atMs = run.lines.findLast((line) => typeof line.atMs === 'number')?.atMs ?? run.begun.start.atMs;
  const line: PipelineLine = { type: 'task-end', atMs, task, partition, output: null, ...end };
  note(run, [line]);
  run.unwritten.push(line);
}

/** Tasks one after another, as runs did that began before tasks ran beside each other. */
async function settleInTurn(run: RunAtWork): Promise<void> {
  for (const task of run.begun.tasks) {
    await settle(run, task);
    if (hasBecomeLong(run)) await continueRun(run);
  }
}

/** Each task once its needs have ended, as in the local engine. */
async function settleAtOnce(run: RunAtWork): Promise<void> {
  const settled = new Map<string, Promise<void>>();
  for (const task of run.begun.tasks) {
    const needs = task.needs.map((need) => settled.get(need));
    settled.set(
      task.name,
      Promise.all(needs).then(async () => {
        if (!hasBecomeLong(run)) await settle(run, task);
      }),
    );
  }
  await allOrThrow([...settled.values()]);
  if (run.isLong && !isSettledWhole(run)) await continueRun(run);
}

/** Waits for all of them, also where one fails. @throws what the first of those that failed threw */
async function allOrThrow(work: readonly Promise<void>[]): Promise<void> {
  const broken = (await Promise.allSettled(work)).find((each) => each.status === 'rejected');
  if (broken !== undefined) throw broken.reason;
}

function isSettledWhole({ state }: RunAtWork): boolean {
  return [...state.tasks.values()].every((task) => outcomeOf(task) !== null);
}

async function settle(run: RunAtWork, task: StepTask): Promise<void> {
  const known = run.state.tasks.get(task.name);
  if (known === undefined || outcomeOf(known) !== null) return;
  const verdict = verdictOn(task, run.state);
  if (verdict === 'wait') return;
  if (verdict !== 'run') {
    noteEnd(run, task.name, null, { outcome: 'skipped', error: null, reason: verdict });
    return;
  }
  if (!task.fansOut) return attempts(run, task, null);
  if (known.parts === null) {
    const { request, runId, begun } = run;
    const order = { runId, start: begun.start, task: task.name, ...resultsFor(run, task) };
    note(run, await orFailed(run, task, null, () => fanOut(request, order)));
  }
  await partitions(run, task);
}

/** The partitions in their order, as many at once as the task allows. */
async function partitions(run: RunAtWork, task: StepTask): Promise<void> {
  const parts = [...(run.state.tasks.get(task.name)?.parts?.values() ?? [])];
  const pending = parts.filter(({ outcome }) => outcome === null).values();
  const work = async () => {
    for (const { partition } of pending) {
      await attempts(run, task, partition);
      // What is left is for the next history.
      if (hasBecomeLong(run)) return;
    }
  };
  await allOrThrow(Array.from({ length: Math.min(task.concurrency, parts.length) }, work));
  if (run.begun.atOnce !== undefined) return;
  const isLeft = [...(run.state.tasks.get(task.name)?.parts?.values() ?? [])].some(({ outcome }) => outcome === null);
  if (isLeft) await continueRun(run);
}

/** Attempts of a task, or of one partition of it, with the waits between them, until its end. */
async function attempts(run: RunAtWork, task: StepTask, partition: string | null): Promise<void> {
  const { request, runId, begun } = run;
  const inSlot = partition === null ? run.slots.whole : run.slots.parts;
  // A line `task-retry` leads to the next attempt; the activity writes none after the last.
  for (let attempt = 1; ; attempt += 1) {
    const order: StepOrder = {
      ...{ runId, start: begun.start, task: task.name, partition, attempt },
      ...resultsFor(run, task),
    };
    const lines = await inSlot(async () => {
      // Cancelled before its first attempt, it stays pending, as in the local engine.
      if (attempt === 1 && CancellationScope.current().consideredCancelled) return [];
      return orFailed(run, task, partition, () => attemptTask(request, order));
    });
    note(run, lines);
    const last = lines.at(-1);
    if (last?.type !== 'task-retry') return;
    await sleep(last.delayMs);
  }
}

/**
 * An activity that no worker could end makes its task fail, and not the run: the next tasks may do without it.
 * @throws what cancels the run
 */
async function orFailed(
  run: RunAtWork,
  { name }: StepTask,
  partition: string | null,
  work: () => Promise<readonly PipelineLine[]>,
): Promise<readonly PipelineLine[]> {
  try {
    return await work();
  } catch (thrown) {
    if (isCancellation(thrown)) {
      noteEnd(run, name, partition, { outcome: 'interrupted', error: CANCELLED, reason: null });
      throw thrown;
    }
    if (!(thrown instanceof ActivityFailure)) throw thrown;
    const code = thrown.cause instanceof ApplicationFailure ? (thrown.cause.type ?? '') : '';
    const message = `no worker could end it: ${thrown.cause?.message ?? thrown.message}`;
    const error = { code: code === '' ? 'TASK_FAILED' : code, message };
    noteEnd(run, name, partition, { outcome: 'failed', error, reason: null });
    return [];
  }
}

const CANCELLED = { code: 'INTERRUPTED', message: 'the workflow was cancelled' };

/** The results of all tasks that a task waits for, directly or through others. */
function resultsFor({ begun, state }: RunAtWork, task: StepTask): Pick<StepOrder, 'outputs' | 'partitionOutputs'> {
  const needs = new Map(begun.tasks.map((each) => [each.name, each.needs]));
  const upstream = new Set(task.needs);
  for (const name of upstream) for (const need of needs.get(name) ?? []) upstream.add(need);
  const outputs: Record<string, unknown> = {};
  const partitionOutputs: Record<string, StepOrder['partitionOutputs'][string]> = {};
  for (const name of upstream) {
    const above = state.tasks.get(name);
    if (above === undefined) continue;
    const output = outputOf(above);
    if (above.parts !== null) partitionOutputs[name] = output as unknown as StepOrder['partitionOutputs'][string];
    else if (isFinished(outcomeOf(above))) outputs[name] = output;
  }
  return { outputs, partitionOutputs };
}

async function end(run: RunAtWork, outcome: ReturnType<typeof runOutcomeOf>): Promise<EndedRun['lost']> {
  const { request, runId, begun, lines, unwritten } = run;
  const ended = await endRun(request, { runId, start: begun.start, lines, unwritten, outcome });
  note(run, ended.lines);
  return ended.lost;
}
