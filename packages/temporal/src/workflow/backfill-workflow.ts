import type { DaysPart } from '@edrlake/runner';
import { endedAs, type PipelineRunView } from '@edrlake/runner/run-state';
import {
  ChildWorkflowFailure,
  continueAsNew,
  defineQuery,
  executeChild,
  isCancellation,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import {
  type BackfillProgress,
  type BackfillRequest,
  type DividedDays,
  PROGRESS_QUERY,
  type RunActivities,
  type RunRequest,
  type StretchEnd,
} from '../contract/contract.ts';
import { isAlreadyStarted } from './already-started.ts';
import { edrlakeRun, refusalOf, STEP } from './run-workflow.ts';

/** Stretches that are named, of those that did not end well. */
const MOST_NAMED = 100;

const MS_PER_DAY = 86_400_000;

const { divide } = proxyActivities<RunActivities>({ ...STEP, startToCloseTimeout: '10 minutes' });

const progressQuery = defineQuery<BackfillProgress>(PROGRESS_QUERY);

/** From best to worst. */
const BEST_FIRST = ['done', 'rejected', 'mismatch', 'partly', 'failed', 'interrupted'] as const;

/**
 * A long backfill: a child workflow for each stretch of days, the newest first, as many at once as asked for. Each
 * child is a run of the pipeline `backfill` with its own journal, and does not stop the others when it fails.
 * @throws where it is cancelled; its children are cancelled with it
 */
export async function edrlakeBackfill(request: BackfillRequest): Promise<BackfillProgress> {
  let progress = request.carried ?? {
    ...{ stretches: 0, ended: 0, begun: 0, requests: 0, rows: 0 },
    ...{ state: 'done' as const, bad: [] },
  };
  setHandler(progressQuery, () => progress);
  const { parts: stretches, requests } = await stretchesOf(request);
  progress = { ...progress, stretches: stretches.length, requests: progress.requests + requests };
  const work = async () => {
    while (progress.begun < stretches.length && !workflowInfo().continueAsNewSuggested) {
      const stretch = stretches[progress.begun];
      progress = { ...progress, begun: progress.begun + 1 };
      if (stretch === undefined) return;
      // Others go on meanwhile: what they have noted must not be overwritten.
      const end = await runStretch(request, stretch);
      progress = withEnd(progress, end, stretch);
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: request.atOnce }, work));
  const broken = ended.find((each) => each.status === 'rejected');
  if (broken !== undefined) throw broken.reason;
  if (progress.begun < stretches.length) {
    await continueAsNew<typeof edrlakeBackfill>({ ...request, stretches, carried: progress });
  }
  return progress;
}

/** The newest first: the days that are asked for most arrive first. */
async function stretchesOf(request: BackfillRequest): Promise<DividedDays> {
  const { stretches, stretchDays, from, to, subscription, lake, pipeline } = request;
  if (stretches !== undefined) return { parts: stretches, requests: 0 };
  if (stretchDays !== null) return { parts: equalStretches(request, stretchDays), requests: 0 };
  try {
    return await divide({ subscription, lake, pipeline }, { from, to, workflowId: workflowInfo().workflowId });
  } catch (thrown) {
    throw refusalOf(thrown);
  }
}

function equalStretches({ from, to }: DaysPart, stretchDays: number): readonly DaysPart[] {
  const stretches: DaysPart[] = [];
  const firstMs = Date.parse(from);
  for (let endMs = Date.parse(to); endMs >= firstMs; endMs -= stretchDays * MS_PER_DAY) {
    const beginMs = Math.max(firstMs, endMs - (stretchDays - 1) * MS_PER_DAY);
    stretches.push({ from: dayText(beginMs), to: dayText(endMs) });
  }
  return stretches;
}

function dayText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

type RunEnd = Pick<PipelineRunView, 'requests' | 'rows'> & Pick<StretchEnd, 'state' | 'error'>;

async function runStretch(request: BackfillRequest, { from, to }: DaysPart): Promise<RunEnd> {
  const { subscription, lake, pipeline } = request;
  const given = [`from=${from}`, `to=${to}`];
  const run: RunRequest = { subscription, lake, pipeline, given, runId: null };
  try {
    const { state, error, requests, rows } = await executeChild(edrlakeRun, {
      workflowId: `${workflowInfo().workflowId}/${from}`,
      args: [run],
      parentClosePolicy: 'REQUEST_CANCEL',
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    });
    return { state: endedAs(state), error, requests, rows };
  } catch (thrown) {
    if (isCancellation(thrown)) throw thrown;
    if (isAlreadyStarted(thrown)) {
      // That of an earlier backfill which was terminated.
      return failed('RUN_BUSY', 'these days are being exported already');
    }
    if (!(thrown instanceof ChildWorkflowFailure)) throw thrown;
    return failed('TASK_FAILED', (thrown.cause ?? thrown).message);
  }
}

function failed(code: string, message: string): RunEnd {
  return { state: 'failed', error: { code, message }, requests: 0, rows: 0 };
}

function withEnd(progress: BackfillProgress, end: RunEnd, { from, to }: DaysPart): BackfillProgress {
  const { state, error } = end;
  const isWorse = BEST_FIRST.indexOf(state) > BEST_FIRST.indexOf(progress.state);
  const isNamed = state !== 'done' && progress.bad.length < MOST_NAMED;
  return {
    ...progress,
    ended: progress.ended + 1,
    requests: progress.requests + end.requests,
    rows: progress.rows + end.rows,
    state: isWorse ? state : progress.state,
    bad: isNamed ? [...progress.bad, { from, to, state, error }] : progress.bad,
  };
}
