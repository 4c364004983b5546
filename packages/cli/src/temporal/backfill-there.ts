import { bothClocks, countText, EdrlakeError, nounText, refuseFuture } from '@edrlake/core';
import { RUN_EXIT_CODES } from '@edrlake/runner';
import type { BackfillProgress } from '@edrlake/temporal';
import type { CommandInput } from '../args/command.ts';
import type { FlagName, FlagValues } from '../args/options.ts';
import { refuseForWorkers, refuseScope } from '../args/refuse-scope.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { pipelineProgress } from '../progress/pipeline-progress.ts';
import { startDisplay } from '../progress/progress-display.ts';
import { requiredRange, servicesOf } from '../session/connection-settings.ts';
import { writeJson } from '../text/json-output.ts';
import { tableText } from '../text/table-text.ts';
import { runAbout, temporalPlace } from './place.ts';
import { detached } from './run-there.ts';
import { ENGINE_SETTINGS_OF_WORKERS } from './worker-settings.ts';

/** What a stretch of whole days cannot follow. */
const NOT_THERE: readonly FlagName[] = [
  ...ENGINE_SETTINGS_OF_WORKERS.filter((flag) => flag !== 'concurrency'),
  ...(['only', 'max-requests', 'deadline', 'filter', 'state', 'force', 'replace'] as const),
];

/** The pipeline that exports a stretch; it takes `from` and `to`. */
const PIPELINE = 'backfill';

/** Starts a backfill on workers and follows it. Ctrl-C ends the following only. */
export async function backfillThere(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values, typed } = input;
  refuseForWorkers(typed, NOT_THERE);
  refuseScope(values, 'edrlake backfill --engine temporal', 'it exports whole days');
  const days = wholeDays(values, context);
  const { connectRuns, followWorkflow } = await import('@edrlake/temporal');
  const runs = await connectRuns(await temporalPlace(values, context), context.clock);
  const display = startDisplay(values, context, pipelineProgress([], context.clock.nowMs()));
  try {
    const about = runAbout(input, PIPELINE, context);
    // No more than there are requests at once: the limit of the subscription is one for all of them.
    const request = { ...about, ...days, stretchDays: null, atOnce: values.concurrency };
    const started = await runs.startBackfill(request);
    display.log({ level: 'info', text: `started workflow ${started.workflowId}` });
    let said = '';
    const show = (progress: BackfillProgress | null) => {
      const text = progress === null ? 'no worker answers yet: the backfill waits for one' : progressText(progress);
      if (text !== said) display.log({ level: 'info', text });
      said = text;
    };
    const services = servicesOf(context, display.emit);
    const progress = await followWorkflow(
      started,
      (news) => show(news.progress),
      () => 0,
      services,
    ).catch((thrown: unknown) => {
      if (!context.signal.aborted) throw thrown;
      throw detached(started.workflowId, null);
    });
    display.stop();
    if (values.json) await writeJson(context.stdout, { ...days, ...progress });
    else await writeMessage(context, backfillText(days, progress, lineWidth(context.stdout, context.env)));
    return RUN_EXIT_CODES[progress.state];
  } finally {
    display.stop();
    await runs.close();
  }
}

interface Days {
  readonly from: string;
  readonly to: string;
}

/** @throws {EdrlakeError} `USAGE` for instants, and where one of the two is missing */
function wholeDays(values: FlagValues, { clock }: ProcessContext): Days {
  const { startMs } = requiredRange(values, 'backfill');
  refuseFuture('--from', startMs, bothClocks(clock.nowMs(), null));
  const { from, to } = values;
  const isDay = (text: string | null): text is string => text !== null && /^\d{4}-\d{2}-\d{2}$/.test(text);
  if (isDay(from) && isDay(to)) return { from, to };
  throw new EdrlakeError('USAGE', 'edrlake backfill --engine temporal: expected days, found an instant', {
    hint: 'For example --from 2026-10-01 --to 2026-10-31, both included.',
  });
}

function progressText({ stretches, ended, requests, rows, bad }: BackfillProgress): string {
  if (stretches === 0) return 'the days are being divided by their events';
  const amounts = `${nounText(requests, 'request')}, ${nounText(rows, 'row')} new or changed`;
  const trouble = bad.length === 0 ? '' : `, ${countText(bad.length)} not done`;
  return `${countText(ended)} of ${nounText(stretches, 'stretch', 'stretches')} ended${trouble}: ${amounts}`;
}

function backfillText({ from, to }: Days, progress: BackfillProgress, width: number): string {
  const head = `Backfill of ${from} to ${to}: ${progress.state}\n${progressText(progress)}\n`;
  if (progress.bad.length === 0) return head;
  const columns = [{ title: 'first day' }, { title: 'last day' }, { title: 'state' }, { title: 'error' }];
  const rows = progress.bad.map((end) => {
    const { error } = end;
    return [end.from, end.to, end.state, error === null ? '' : `${error.message} [${error.code}]`];
  });
  return `${head}\n${tableText(columns, rows, width)}\n\nRun the same command again for the rest; what is proven is kept.\n`;
}
