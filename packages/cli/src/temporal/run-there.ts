import { EdrlakeError } from '@edrlake/core';
import { runReportOf } from '@edrlake/runner/history';
import { endedAs } from '@edrlake/runner/run-state';
import type { CommandInput } from '../args/command.ts';
import { refuseForWorkers } from '../args/refuse-scope.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { pipelineProgress } from '../progress/pipeline-progress.ts';
import { startDisplay } from '../progress/progress-display.ts';
import { runDocument, runText } from '../render/runs-text.ts';
import { servicesOf } from '../session/connection-settings.ts';
import { lakeFlagsOf } from '../session/lake-access.ts';
import { exitCodeOf } from '../session/run-exit-code.ts';
import { writeJson } from '../text/json-output.ts';
import { runAbout, temporalPlace } from './place.ts';
import { showRun } from './show-run.ts';
import { ENGINE_SETTINGS_OF_WORKERS } from './worker-settings.ts';

/** Starts a run on workers and follows it. Ctrl-C ends the following only. */
export async function runThere(pipeline: string, input: CommandInput, context: ProcessContext): Promise<number> {
  const { values, typed } = input;
  refuseForWorkers(typed, [...ENGINE_SETTINGS_OF_WORKERS, 'resume']);
  const { connectRuns, followWorkflow } = await import('@edrlake/temporal');
  const runs = await connectRuns(await temporalPlace(values, context), context.clock);
  const display = startDisplay(values, context, pipelineProgress([], context.clock.nowMs()));
  try {
    const about = runAbout(input, pipeline, context);
    const started = await runs.startRun({ ...about, given: values.param, runId: null });
    display.log({ level: 'info', text: `started workflow ${started.workflowId}` });
    const shown = showRun(pipeline, display);
    const services = servicesOf(context, display.emit);
    const view = await followWorkflow(started, shown.advance, shown.known, services).catch((thrown: unknown) => {
      if (!context.signal.aborted) throw thrown;
      throw detached(started.workflowId, shown.runId());
    });
    display.stop();
    const report = runReportOf(view);
    const { stdout, env } = context;
    if (values.json) await writeJson(stdout, runDocument(report));
    else await writeMessage(context, runText(report, lineWidth(stdout, env), lakeFlagsOf(input)));
    const { state, tasks } = view;
    return exitCodeOf({ state: endedAs(state), tasks });
  } finally {
    display.stop();
    await runs.close();
  }
}

/** Ctrl-C: the run is the server's. */
export function detached(workflowId: string, runId: string | null): EdrlakeError {
  return new EdrlakeError('INTERRUPTED', `workflow ${workflowId} goes on without this command`, {
    hint:
      runId === null
        ? `Stop it with: temporal workflow cancel --workflow-id ${workflowId}`
        : `See edrlake runs ${runId}; stop it with: temporal workflow cancel --workflow-id ${workflowId}`,
  });
}
