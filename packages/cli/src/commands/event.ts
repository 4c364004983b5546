import { type CommandInput, defineCommand } from '../args/command.ts';
import { GATEWAY, OUTPUT } from '../args/option-groups.ts';
import { type ProcessContext, writeText } from '../process/process-context.ts';
import { startDisplay } from '../progress/progress-display.ts';
import { refuseOtherDataset, withConnection } from '../session/connection-settings.ts';
import { indentJson } from '../text/indent-json.ts';

/** `edrlake event` */
export const command = defineCommand({
  command: 'event <agent-id> <event-id>',
  describe: 'Show everything the API knows about one event',
  details: ['Prints the JSON as the API gives it, indented.'],
  positionals: { 'agent-id': { describe: 'Agent id of the event' }, 'event-id': { describe: 'Id of the event' } },
  flags: ['state', ...GATEWAY, 'lake', ...OUTPUT],
  flagTexts: { lake: { describe: 'Lake whose runs share the rate limit', defaultText: './lake' } },
  examples: [
    {
      command: 'edrlake event 7a1f61a2-1b5e-4a52-9d4c-3a6e3f3a6f10 RTF_7a1f_55',
      purpose: 'ids as in the events table',
    },
    { command: 'edrlake event "$AGENT" "$EVENT" | jq .file', purpose: 'one section' },
  ],
  run,
});

/** Prints one event as the API has it, digit for digit. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values, positionals } = input;
  refuseOtherDataset(values, 'event');
  const display = startDisplay({ ...values, 'no-progress': true }, context);
  let text: string;
  try {
    text = await withConnection(values, context, display.emit, (connection) =>
      connection.client.eventDetail(
        positionals['agent-id'] ?? '',
        positionals['event-id'] ?? '',
        { state: values.state },
        context.signal,
      ),
    );
  } finally {
    display.stop();
  }
  await writeText(context.stdout, `${indentJson(text)}\n`);
  return 0;
}
