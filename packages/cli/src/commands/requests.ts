import { beginOfHours, readRequestHistory, remainingRequests } from '@edrlake/runner/history';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { OUTPUT, PLACE } from '../args/option-groups.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { requestsDocument, requestsText } from '../render/requests-text.ts';
import { userLimitOf } from '../session/connection-settings.ts';
import { lakeDirectory, requireLake } from '../session/lake-access.ts';
import { writeJson } from '../text/json-output.ts';

/** Hours shown unless --hours says otherwise. */
const USUAL_HOURS = 24;

/** `edrlake requests` */
export const command = defineCommand({
  command: 'requests',
  describe: 'Show what was asked of the API by hour, and what is left',
  details: [
    'Requests by hour (UTC), command, endpoint and answer, from the log that each command keeps beside the lake, and what other users of the same subscription used, as far as the answers say it. Sends no request.',
  ],
  flags: ['hours', 'rate-limit', ...PLACE, 'dataset', ...OUTPUT],
  flagTexts: { hours: { describe: 'How far back', defaultText: '24' } },
  examples: [
    { command: 'edrlake requests', purpose: 'the last day' },
    { command: 'edrlake requests --hours 168 --json', purpose: 'a week, for a script' },
  ],
  run,
});

/** Shows the log of requests and the limit. */
async function run({ values }: CommandInput, context: ProcessContext): Promise<number> {
  const { stdout, env, clock } = context;
  await requireLake(values, context);
  const directory = lakeDirectory(values, context);
  const nowMs = clock.nowMs();
  const sinceMs = beginOfHours(values.hours ?? USUAL_HOURS, nowMs);
  const history = await readRequestHistory(directory, sinceMs, nowMs);
  const left = await remainingRequests(directory, userLimitOf(values), nowMs);
  const found = { sinceMs, nowMs, history, left };
  if (values.json) await writeJson(stdout, requestsDocument(found));
  else await writeMessage(context, requestsText(found, lineWidth(stdout, env)));
  return 0;
}
