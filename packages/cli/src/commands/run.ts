import { join } from 'node:path';
import { EdrlakeError, writeText } from '@edrlake/core';
import { lookAtLeases } from '@edrlake/lake';
import {
  BUILT_IN_TASKS,
  describePipeline,
  type Pipeline,
  parseParams,
  testHooks,
  validatePipeline,
} from '@edrlake/runner';
import { readRun, runReportOf } from '@edrlake/runner/history';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { ENGINE, GATEWAY, OUTPUT, PLATFORM, PROGRESS, QUERIED } from '../args/option-groups.ts';
import type { FlagValues } from '../args/options.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { pipelineProgress } from '../progress/pipeline-progress.ts';
import { startDisplay } from '../progress/progress-display.ts';
import { descriptionText, hookTestsText } from '../render/pipeline-text.ts';
import { runDocument, runText } from '../render/runs-text.ts';
import { servicesOf } from '../session/connection-settings.ts';
import { lakeDirectory, lakeFlagsOf } from '../session/lake-access.ts';
import { missingHere } from '../session/missing-run.ts';
import { findPipelineFile, loadPipeline } from '../session/pipeline-file.ts';
import { pipelineTools, poster, runOnce } from '../session/pipeline-run.ts';
import { exitCodeOf } from '../session/run-exit-code.ts';
import { observed } from '../session/telemetry.ts';
import { writeError } from '../text/error-text.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake run` */
export const command = defineCommand({
  command: 'run [pipeline]',
  describe: 'Run a pipeline, such as nightly',
  details: [
    'A pipeline is a file that exports definePipeline({ … }) from edrlake. A name means a file in ./pipelines, or one that comes with edrlake: nightly, backfill and details. What a run does is journaled; one that failed or was stopped goes on with --resume.',
    'Exit codes: 0 done, 1 a task failed, 2 settings or credentials are what failed it, 3 partly done, 4 the lake and the API disagree or belong to different customers, 6 too many records were rejected, 130 interrupted.',
  ],
  positionals: {
    pipeline: { describe: 'Name of a pipeline, or path of its file', suggestions: ['nightly', 'backfill'] },
  },
  flags: [
    'param',
    'dry-run',
    'test-hooks',
    'resume',
    'max-reject-share',
    ...ENGINE,
    ...GATEWAY,
    ...PLATFORM,
    ...QUERIED,
    'publish',
    ...OUTPUT,
    ...PROGRESS,
    'telemetry',
  ],
  examples: [
    { command: 'edrlake run nightly', purpose: 'sync, compare, repair, compact, vacuum' },
    { command: 'edrlake run ./my.ts --param from=2026-11-01 --dry-run', purpose: 'what it would do' },
    { command: 'edrlake run --resume 20261122T003012Z-1f9a2c', purpose: 'go on with a run' },
  ],
  run: observed('run', run),
  isElsewhere: (values) => values.engine === 'temporal' && !isOnlyAsked(values),
});

/** Whether no pipeline is run, here or elsewhere. */
function isOnlyAsked(values: Pick<FlagValues, 'dry-run' | 'test-hooks'>): boolean {
  return values['dry-run'] || values['test-hooks'];
}

/** Runs a pipeline, goes on with a run of it, or says what it would do. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const { stdout, env, clock } = context;
  if (values['test-hooks']) refuseBeside(values);
  if (values.engine === 'temporal' && !isOnlyAsked(values)) return runElsewhere(input, context);
  const sayWhere = (thrown: unknown): never => {
    throw missingHere(thrown, values, context);
  };
  const pipeline = await loadPipeline(await pipelineFileOf(input, context).catch(sayWhere));
  if (values['test-hooks']) return sendTestMessages(pipeline, input, context);
  if (values['dry-run']) return dryRun(pipeline, input, context);
  const progress = pipelineProgress(Object.keys(pipeline.tasks), clock.nowMs());
  const display = startDisplay(values, context, progress);
  try {
    const services = servicesOf(context, display.emit);
    const about = { values, params: values.param, resume: values.resume };
    const ended = await runOnce(pipeline, about, context, services).catch(activeOrThrow).catch(sayWhere);
    display.stop();
    if (ended instanceof EdrlakeError) return sayActive(ended, input, context);
    const { result, stale } = ended;
    if (values.json) await writeJson(stdout, runDocument(runReportOf(result)));
    else await writeMessage(context, runText(runReportOf(result), lineWidth(stdout, env), lakeFlagsOf(input)));
    if (stale === null) return exitCodeOf(result);
    await writeError(context, stale);
    // A run that ended badly is the worse news.
    return exitCodeOf(result) || stale.exitCode;
  } finally {
    display.stop();
  }
}

/**
 * The error that says that another process runs the pipeline now. It does the work of this night, so there is nothing
 * to do and nothing to alarm a person about. Any other error is thrown.
 */
function activeOrThrow(thrown: unknown): EdrlakeError {
  if (thrown instanceof EdrlakeError && thrown.code === 'RUN_BUSY' && thrown.context.pipeline !== undefined)
    return thrown;
  throw thrown;
}

async function sayActive(
  { message, context: about }: EdrlakeError,
  { values }: CommandInput,
  { stdout, stderr }: ProcessContext,
): Promise<number> {
  if (values.json) await writeJson(stdout, { ...about, state: 'already-running' });
  else await writeText(stderr, `edrlake: ${message}; nothing to do here\n`);
  return 0;
}

/** Has workers run it. They find the pipeline by its name, and need not have the files that are here. */
async function runElsewhere(input: CommandInput, context: ProcessContext): Promise<number> {
  const named = input.positionals.pipeline ?? input.subscription?.pipeline ?? null;
  if (named === null) {
    throw new EdrlakeError('USAGE', 'edrlake run: expected the name of a pipeline', {
      hint: 'For example: edrlake run nightly. A subscription may name its own as pipeline.',
    });
  }
  const { runThere } = await import('../temporal/run-there.ts');
  const ended = await runThere(named, input, context).catch(activeOrThrow);
  return ended instanceof EdrlakeError ? sayActive(ended, input, context) : ended;
}

/** The file that was named, or that of the pipeline whose run is to go on. */
async function pipelineFileOf(input: CommandInput, context: ProcessContext): Promise<string> {
  const { values, positionals, subscription } = input;
  const { workingDirectory } = context;
  const named = positionals.pipeline ?? (values.resume === null ? subscription?.pipeline : null) ?? null;
  if (named !== null) return findPipelineFile(named, workingDirectory);
  if (values.resume === null) {
    throw new EdrlakeError('USAGE', 'edrlake run: expected the name or the file of a pipeline', {
      hint: 'For example: edrlake run nightly, or edrlake run ./my.ts. A subscription may name its own as pipeline.',
    });
  }
  const directory = lakeDirectory(values, context);
  const look = await lookAtLeases(directory, context.clock.nowMs());
  const { pipeline } = await readRun(join(directory, '_runs'), values.resume, look);
  if (pipeline !== null) return findPipelineFile(pipeline, workingDirectory);
  throw new EdrlakeError('USAGE', `run ${values.resume} is an export, not the run of a pipeline`, {
    hint: 'An export resumes when the same command is run again.',
  });
}

async function dryRun(pipeline: Pipeline, { values }: CommandInput, context: ProcessContext): Promise<number> {
  const { stdout, env } = context;
  const display = startDisplay({ ...values, 'no-progress': true }, context);
  try {
    const services = servicesOf(context, display.emit);
    const params = parseParams(pipeline.params ?? {}, values.param);
    const { tools, registry, close } = await pipelineTools(pipeline, values, context, services);
    try {
      const description = await describePipeline(pipeline, { registry, provided: tools, params, services });
      if (values.json) await writeJson(stdout, description);
      else await writeText(stdout, descriptionText(description, lineWidth(stdout, env)));
    } finally {
      await close();
    }
    return 0;
  } finally {
    display.stop();
  }
}

/** With either flag no message would be expected, or a run. */
function refuseBeside({ 'dry-run': isDry, resume }: Pick<FlagValues, 'dry-run' | 'resume'>): void {
  const other = isDry ? '--dry-run' : '--resume';
  if (isDry || resume !== null) {
    throw new EdrlakeError('USAGE', `edrlake run: expected one of --test-hooks and ${other}, found both`);
  }
}

async function sendTestMessages(
  pipeline: Pipeline,
  { values }: CommandInput,
  context: ProcessContext,
): Promise<number> {
  const { stdout, env } = context;
  validatePipeline(pipeline, BUILT_IN_TASKS);
  const tests = await testHooks(
    pipeline,
    poster(context),
    servicesOf(context, () => {}),
  );
  context.signal.throwIfAborted();
  if (tests.length === 0) {
    throw new EdrlakeError('USAGE', `pipeline "${pipeline.name}" has no hooks to test`, {
      hint: "Add some to its file: hooks: { onFailure: { url: 'https://…' } }",
    });
  }
  if (values.json) await writeJson(stdout, { pipeline: pipeline.name, hooks: tests });
  else await writeText(stdout, hookTestsText(tests, lineWidth(stdout, env)));
  return tests.every(({ delivered }) => delivered) ? 0 : 1;
}
