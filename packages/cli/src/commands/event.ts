import type { CommandInput } from '../command.ts';
import { withConnection } from '../gateway.ts';
import { indentJson } from '../indent-json.ts';
import { startDisplay } from '../progress-display.ts';
import { type Surroundings, writeText } from '../surroundings.ts';

/** Prints one event as the API has it, digit for digit. */
export async function run(input: CommandInput, surroundings: Surroundings): Promise<number> {
  const { values, positionals } = input;
  const display = startDisplay({ ...values, 'no-progress': true }, surroundings);
  let text: string;
  try {
    text = await withConnection(values, surroundings, display.emit, (connection) =>
      connection.client.eventDetail(
        positionals['agent-id'] ?? '',
        positionals['event-id'] ?? '',
        { state: values.state },
        surroundings.signal,
      ),
    );
  } finally {
    display.stop();
  }
  await writeText(surroundings.stdout, `${indentJson(text)}\n`);
  return 0;
}
