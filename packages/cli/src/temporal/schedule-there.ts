import { EdrlakeError, instantText } from '@edrlake/core';
import type { Pipeline } from '@edrlake/runner';
import type { CommandInput } from '../args/command.ts';
import type { FlagName } from '../args/options.ts';
import { refuseForWorkers } from '../args/refuse-scope.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { writeJson } from '../text/json-output.ts';
import { tableText } from '../text/table-text.ts';
import { runAbout, temporalPlace } from './place.ts';
import { ENGINE_SETTINGS_OF_WORKERS } from './worker-settings.ts';

/** A pipeline, and what workers find it by. */
export interface NamedPipeline {
  readonly name: string;
  readonly pipeline: Pipeline;
}

const NOT_THERE: readonly FlagName[] = [...ENGINE_SETTINGS_OF_WORKERS, 'metrics-port', 'host', 'token-file'];

/** Creates the schedules of pipelines on the server, or brings them up to date, and ends. */
export async function scheduleThere(
  pipelines: readonly NamedPipeline[],
  input: CommandInput,
  context: ProcessContext,
): Promise<number> {
  const { values, typed } = input;
  refuseForWorkers(typed, NOT_THERE);
  const { connectSchedules } = await import('@edrlake/temporal');
  const schedules = await connectSchedules(await temporalPlace(values, context));
  try {
    const kept = [];
    for (const { name, pipeline } of pipelines) {
      const { schedule } = pipeline;
      if (schedule === undefined) {
        throw new EdrlakeError('CONFIG_INVALID', `pipeline "${pipeline.name}", schedule: it has none`, {
          hint: 'Add { cron, timeZone } to it.',
        });
      }
      const request = { ...runAbout(input, name, context), given: [], runId: null };
      kept.push({ pipeline: name, ...(await schedules.keep(request, schedule)) });
    }
    const { stdout, env } = context;
    const nextText = (ms: number | null) => (ms === null ? null : instantText(ms));
    if (values.json) {
      const documents = kept.map(({ nextMs, ...others }) => ({ ...others, next: nextText(nextMs) }));
      await writeJson(stdout, { schedules: documents });
      return 0;
    }
    const columns = [
      { title: 'pipeline' },
      { title: 'schedule', isWhole: true },
      { title: 'state' },
      { title: 'next' },
    ];
    const rows = kept.map(({ pipeline, id, isNew, isPaused, nextMs }) => {
      const state = `${isNew ? 'created' : 'updated'}${isPaused ? ', paused' : ''}`;
      return [pipeline, id, state, nextText(nextMs) ?? 'never'];
    });
    await writeMessage(context, `${tableText(columns, rows, lineWidth(stdout, env))}\n`);
    return 0;
  } finally {
    await schedules.close();
  }
}
