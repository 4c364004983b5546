import { writeText } from '@edrlake/core';
import { readLakeStatus } from '@edrlake/runner/history';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { LAKE, OUTPUT } from '../args/option-groups.ts';
import { lineWidth, type ProcessContext, showsColour, writeMessage } from '../process/process-context.ts';
import { stalenessOf, statusDocument, statusText } from '../render/status-text.ts';
import { userLimitOf } from '../session/connection-settings.ts';
import { withLakeToRead } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';

/** As for a lake and an API that disagree: what the API has by now is not in the lake. */
const STALE = 4;

/** `edrlake status` */
export const command = defineCommand({
  command: 'status',
  describe: 'Show what the lake holds and the verdict of each day',
  details: [
    'A calendar of all days, what is newest, the last run. With --max-age, exit code 4 says that nothing was proven for too long.',
    'With --writer parquetjs no native code is loaded, for machines without DuckDB.',
  ],
  flags: ['max-age', 'rate-limit', ...LAKE, 'writer', ...OUTPUT],
  examples: [
    { command: 'edrlake status', purpose: 'the lake in ./lake' },
    { command: 'edrlake status --max-age 26h', purpose: 'for cron: complains when a night was missed' },
    { command: 'edrlake status --lake /data/edr --json', purpose: 'for a monitor' },
  ],
  run,
});

/** Shows what the lake holds and the state of each day. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const { stdout, stderr, env } = context;
  const nowMs = context.clock.nowMs();
  const status = await withLakeToRead(
    values,
    context,
    (lake) => readLakeStatus(lake, { userLimit: userLimitOf(values), nowMs }),
    values.writer,
  );
  const maxAgeMs = values['max-age'];
  const staleness = maxAgeMs === null ? null : stalenessOf(status, maxAgeMs, nowMs);
  if (values.json) {
    await writeJson(stdout, {
      ...statusDocument(status, nowMs),
      ...(maxAgeMs === null ? {} : { stale: staleness !== null }),
    });
  } else {
    const style = { width: lineWidth(stdout, env), colour: showsColour(stdout, env), nowMs };
    await writeMessage(context, statusText(status, style));
  }
  if (staleness === null) return 0;
  await writeText(stderr, `edrlake: ${staleness}\n`);
  return STALE;
}
