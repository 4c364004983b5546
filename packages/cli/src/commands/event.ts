import { dayOf, EdrlakeError, writeText } from '@edrlake/core';
import type { FoundEvent, Lake } from '@edrlake/lake';
import { explainEvent, readAbsence } from '@edrlake/runner/history';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { GATEWAY, LAKE, OUTPUT } from '../args/option-groups.ts';
import { differencesText } from '../investigate/differences-text.ts';
import { eventDocument, eventText } from '../investigate/event-text.ts';
import { explanationDocument, explanationText } from '../investigate/explanation-text.ts';
import { unknownEvent } from '../investigate/unknown-event.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { startDisplay } from '../progress/progress-display.ts';
import { optionalRange, refuseOtherDataset, withConnection } from '../session/connection-settings.ts';
import { lakeFlagsOf } from '../session/lake-access.ts';
import { withLakeToRead } from '../session/with-lake.ts';
import { indentJson } from '../text/indent-json.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake event` */
export const command = defineCommand({
  command: 'event <event-id>',
  describe: 'Show one event with all its rows, and where it comes from',
  details: [
    'Asks the lake alone. --explain adds the commit, run, window, pages, file and row that it comes from, and which version replaced which, as far as that is recorded. --api asks the API for the event as well, within the shared rate limit, and shows each value that differs; where the lake does not hold the event, give its --agent.',
    'An event that is not in the lake may still have happened: the answer says which of the days asked for (--from, --to; without them all that the lake knows) are proven. Exit codes: 0 found, 1 not in the lake and all of these days are proven, 4 not in the lake and some are not.',
  ],
  positionals: { 'event-id': { describe: 'Id of the event, as in the column event_id' } },
  flags: ['explain', 'api', 'agent', 'from', 'to', 'state', ...GATEWAY, ...LAKE, ...OUTPUT],
  flagTexts: {
    from: { describe: 'First UTC day it may be on', defaultText: 'all' },
    to: { describe: 'Last UTC day it may be on', defaultText: 'all' },
    state: { describe: 'With --api, true: only from the current state', defaultText: null },
  },
  examples: [
    { command: 'edrlake event RTF_7a1f_55 --explain', purpose: 'where each row comes from' },
    { command: 'edrlake event RTF_7a1f_55 --api', purpose: 'what the API says by now' },
    { command: 'edrlake event RTF_7a1f_55 --json | jq .event.file_sha256', purpose: 'one value' },
  ],
  run,
});

/** Shows one event from the lake and, if asked for, from the API. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values, positionals } = input;
  const eventId = positionals['event-id'] ?? '';
  const range = optionalRange(values);
  if (values.api) refuseOtherDataset(values, 'event --api');
  const agent = values.api ? values.agent : null;
  const look = async (lake: Lake) => {
    const found = await lake.findEvent(eventId);
    if (found.tables.length > 0) return show(input, context, lake, found);
    if (agent !== null) return showFromApi(input, context, eventId, agent);
    const absence = await readAbsence(lake, range, context.clock.nowMs());
    throw unknownEvent(found, absence, lakeFlagsOf(input));
  };
  try {
    return await withLakeToRead(values, context, look);
  } catch (thrown) {
    const isWithoutLake = thrown instanceof EdrlakeError && thrown.code === 'LAKE_MISSING';
    if (!isWithoutLake || agent === null) throw thrown;
    return showFromApi(input, context, eventId, agent);
  }
}

async function show(input: CommandInput, context: ProcessContext, lake: Lake, found: FoundEvent): Promise<number> {
  const { values } = input;
  const { stdout, env } = context;
  const tables = await lake.tables();
  const explanation = values.explain ? await explainEvent(lake, found) : null;
  const agent = values.agent ?? found.tables[0]?.rows[0]?.values.agent_id;
  const api = values.api ? await fromApi(input, context, found.eventId, String(agent ?? '')) : null;
  const compare = async (text: string) =>
    (await import('@edrlake/runner')).compareEvent(lake.dataset, text, found, dayOf(context.clock.nowMs()), tables);
  const differences = api === null ? null : await compare(api);
  if (values.json) {
    await writeJson(stdout, {
      ...eventDocument(found),
      ...(explanation && { explanation: explanationDocument(explanation) }),
      ...(differences && { differences }),
    });
    return 0;
  }
  const width = lineWidth(stdout, env);
  const parts = [eventText(found, tables, width)];
  if (explanation !== null) parts.push(explanationText(found, explanation, width));
  if (differences !== null) parts.push(differencesText(differences, width));
  await writeMessage(context, parts.join('\n'));
  return 0;
}

/** An event that only the API has: its JSON, digit for digit. */
async function showFromApi(
  input: CommandInput,
  context: ProcessContext,
  eventId: string,
  agent: string,
): Promise<number> {
  const text = await fromApi(input, context, eventId, agent);
  await writeText(context.stderr, `edrlake: ${eventId} is not in the lake; this is what the API has\n`);
  await writeText(context.stdout, `${indentJson(text)}\n`);
  return 0;
}

async function fromApi({ values }: CommandInput, context: ProcessContext, eventId: string, agent: string) {
  const display = startDisplay({ ...values, 'no-progress': true }, context);
  try {
    return await withConnection(values, context, { command: 'event', emit: display.emit }, ({ client }) =>
      client.eventDetail(agent, eventId, { state: values.state }, context.signal),
    );
  } finally {
    display.stop();
  }
}
