import { basename, extname, join } from 'node:path';
import { countText, durationText, EdrlakeError, NO_FILTER, nounText, type RunEvent } from '@edrlake/core';
import {
  BUILT_IN_TASKS,
  lastSuccessAtMs,
  openEdrLake,
  refuseUnknownGateway,
  runSchedule,
  validatePipeline,
} from '@edrlake/runner';
import { watermarkOf } from '@edrlake/runner/history';
import { runMetrics } from '@edrlake/telemetry';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { ENGINE, GATEWAY, LAKE, OUTPUT, PLATFORM } from '../args/option-groups.ts';
import type { FlagValues } from '../args/options.ts';
import { readCredentials } from '../config/credentials.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { pipelineProgress } from '../progress/pipeline-progress.ts';
import { startDisplay } from '../progress/progress-display.ts';
import { connectionSettings, requireGateway, servicesOf } from '../session/connection-settings.ts';
import { lakeDirectory, lakeOptions } from '../session/lake-access.ts';
import { findPipelineFile, loadPipeline, ownPipelineFiles } from '../session/pipeline-file.ts';
import { refusePipelineScope, runOnce } from '../session/pipeline-run.ts';
import { withServedMetrics } from '../session/served-metrics.ts';
import { observed } from '../session/telemetry.ts';
import type { NamedPipeline } from '../temporal/schedule-there.ts';

/** `edrlake schedule` */
export const command = defineCommand({
  command: 'schedule [pipeline..]',
  describe: 'Run pipelines whenever they are due',
  details: [
    'Stays and runs each pipeline at the times its schedule says, never beside itself. After missed times there is one run, if the lake lacks anything. Ctrl-C stops it; a run that is going on is journaled and worked off at the next start.',
    'With --engine temporal it creates the schedules on the server, or brings them up to date, and ends. Workers do the runs.',
  ],
  positionals: {
    pipeline: {
      describe: 'Pipelines; by default all in ./pipelines with a schedule',
      suggestions: ['nightly', 'backfill'],
    },
  },
  flags: [
    'max-reject-share',
    ...ENGINE,
    ...GATEWAY,
    ...PLATFORM,
    ...LAKE,
    'publish',
    'metrics-port',
    'host',
    'token-file',
    ...OUTPUT,
    'telemetry',
  ],
  examples: [
    { command: 'edrlake schedule nightly ./weekly.ts', purpose: 'two pipelines' },
    { command: 'edrlake schedule nightly --metrics-port 9464', purpose: 'with /metrics for Prometheus' },
    { command: 'edrlake schedule nightly --engine temporal', purpose: 'kept by a Temporal server' },
  ],
  run: observed('schedule', run),
  together: 'never',
  isElsewhere: ({ engine }) => engine === 'temporal',
});

/** Runs pipelines when they are due, until a signal stops it. */
async function run(input: CommandInput, given: ProcessContext): Promise<number> {
  const { values } = input;
  const counters = runMetrics();
  const observe = (event: RunEvent) => {
    given.observe?.(event);
    counters.emit(event);
  };
  const context = { ...given, observe };
  const named = await scheduledPipelines(input, context);
  const pipelines = named.map(({ pipeline }) => pipeline);
  // What would stop every run should stop the schedule now, while the user is at the terminal.
  for (const pipeline of pipelines) {
    validatePipeline(pipeline, BUILT_IN_TASKS);
    refusePipelineScope(pipeline, values);
  }
  if (values.engine === 'temporal') {
    const { scheduleThere } = await import('../temporal/schedule-there.ts');
    return scheduleThere(named, input, context);
  }
  refuseServerWithoutPort(input);
  requireGateway(values);
  const credentials = await readCredentials(context.env, context.workingDirectory, context.account);
  refuseUnknownGateway(connectionSettings(values, credentials, context.env));
  const view = pipelineProgress([], context.clock.nowMs());
  const display = startDisplay({ ...values, 'no-progress': true }, context, view);
  const services = servicesOf(context, display.emit);
  const runsDirectory = join(lakeDirectory(values, context), '_runs');
  try {
    await withServedMetrics(values, context, counters, () =>
      runSchedule(pipelines, {
        services,
        startRun: async (pipeline, _dueAtMs, signal) => {
          const about = { values, params: [], resume: null };
          const { result, stale } = await runOnce(pipeline, about, context, { ...services, signal });
          const { state, durationMs, requests, rows } = result;
          const amounts = `${nounText(requests ?? 0, 'request')}, ${countText(rows ?? 0)} rows`;
          const level = state === 'done' ? 'info' : 'warn';
          display.log({ level, text: `${pipeline.name} ${state} in ${durationText(durationMs)}: ${amounts}` });
          if (stale !== null)
            display.log({ level: 'warn', text: `${pipeline.name}: ${stale.message} [${stale.code}]` });
        },
        lastSuccessAtMs: (pipeline) => lastSuccessAtMs(runsDirectory, pipeline.name),
        needsRun: (_pipeline, dueAtMs) => isBehind(values, context, dueAtMs),
      }),
    );
  } finally {
    display.stop();
  }
  // Stopped on purpose: what was going on is journaled, and the next start works it off.
  return 0;
}

/** In the configuration both may be there for `edrlake serve`. */
function refuseServerWithoutPort({ values, typed }: CommandInput): void {
  const flag = (['host', 'token-file'] as const).find((name) => typed.has(name));
  if (values['metrics-port'] !== null || flag === undefined) return;
  throw new EdrlakeError('USAGE', `edrlake schedule: --${flag} is for a server, and none was asked for`, {
    hint: 'Give a --metrics-port as well, such as --metrics-port 9464.',
  });
}

/** Those that were named, else all of `./pipelines` that have a schedule. */
async function scheduledPipelines(
  { words }: CommandInput,
  { workingDirectory }: ProcessContext,
): Promise<readonly NamedPipeline[]> {
  if (words.length > 0) {
    return Promise.all(
      words.map(async (name) => {
        return { name, pipeline: await loadPipeline(await findPipelineFile(name, workingDirectory)) };
      }),
    );
  }
  const files = await ownPipelineFiles(workingDirectory);
  const own = await Promise.all(
    files.map(async (file) => ({ name: basename(file, extname(file)), pipeline: await loadPipeline(file) })),
  );
  const scheduled = own.filter(({ pipeline }) => pipeline.schedule !== undefined);
  if (scheduled.length > 0) return scheduled;
  throw new EdrlakeError('USAGE', 'edrlake schedule: expected a pipeline; none in ./pipelines has a schedule', {
    hint: 'For example: edrlake schedule nightly',
  });
}

/** Whether anything due at that time is lacking in the lake: it was synced only to an earlier time, or never. */
async function isBehind(values: FlagValues, context: ProcessContext, dueAtMs: number): Promise<boolean> {
  const services = servicesOf(context, () => {});
  try {
    const lake = await openEdrLake(lakeDirectory(values, context), lakeOptions(values, context, 'read'), services);
    try {
      const nowMs = context.clock.nowMs();
      const processedMs = await watermarkOf(lake, 'processed', NO_FILTER, nowMs);
      const watermarkMs = processedMs ?? (await watermarkOf(lake, 'event', NO_FILTER, nowMs));
      return watermarkMs === null || watermarkMs < dueAtMs;
    } finally {
      await lake.close();
    }
  } catch (thrown) {
    if (thrown instanceof EdrlakeError && thrown.code === 'LAKE_MISSING') return true;
    throw thrown;
  }
}
