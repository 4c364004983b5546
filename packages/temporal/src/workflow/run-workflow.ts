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
import { PROGRESS_QUERY, type RunActivities, type RunProgress, type RunRequest } from '../contract/contract.ts';

// This code is replayed from histories that older versions have recorded. What changes the order of activities and
// timers needs `patched` around it; the test over recorded histories notices where it lacks.

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
}

/**
 * One run of a pipeline: the tasks in their order, each as one activity or one for each partition. The state is the
 * fold of the same lines that a journal has. A history that has become long is continued in a new one.
 * @throws where the pipeline cannot begin, and where the run is cancelled
 */
export async function edrlakeRun(request: RunRequest): Promise<PipelineRunView> {
  const run = request.carried === undefined ? await begin(request) : goOn(request, request.carried);
  setHandler(progressQuery, (from) => ({ runId: run.runId, lines: run.lines.slice(from) }));
  try {
    for (const task of run.begun.tasks) {
      await settle(run, task);
      if (workflowInfo().continueAsNewSuggested) return await continueRun(run);
    }
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
    return { request, runId, begun, state: startState(begun.start), lines: [], unwritten: [] };
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

function goOn(request: RunRequest, carried: NonNullable<RunRequest['carried']>): RunAtWork {
  const { runId, begun } = carried;
  const run = { request, runId, begun, state: startState(begun.start), lines: [...carried.lines] };
  for (const line of run.lines) applyLine(run.state, line);
  return { ...run, unwritten: [...carried.unwritten] };
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
      if (workflowInfo().continueAsNewSuggested) return;
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(task.concurrency, parts.length) }, work));
  const broken = ended.find((worker) => worker.status === 'rejected');
  if (broken !== undefined) throw broken.reason;
  const isLeft = [...(run.state.tasks.get(task.name)?.parts?.values() ?? [])].some(({ outcome }) => outcome === null);
  if (isLeft) await continueRun(run);
}

/** Attempts of a task, or of one partition of it, with the waits between them, until its end. */
async function attempts(run: RunAtWork, task: StepTask, partition: string | null): Promise<void> {
  const { request, runId, begun } = run;
  // A line `task-retry` leads to the next attempt; the activity writes none after the last.
  for (let attempt = 1; ; attempt += 1) {
    const order: StepOrder = {
      ...{ runId, start: begun.start, task: task.name, partition, attempt },
      ...resultsFor(run, task),
    };
    const lines = await orFailed(run, task, partition, () => attemptTask(request, order));
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
