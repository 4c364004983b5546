import { newRunId, nounText } from '@edrlake/core';
import type { PromoteReport } from '@edrlake/lake';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { LAKE, OUTPUT } from '../args/option-groups.ts';
import { type ProcessContext, writeMessage } from '../process/process-context.ts';
import { lakeFlagsOf } from '../session/lake-access.ts';
import { withLakeToChange } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake promote` */
export const command = defineCommand({
  command: 'promote <path>',
  describe: 'Make a field that no column takes a column of its table',
  details: [
    'The field is a path in the column extra, as edrlake drift shows it. Its values become a typed column, over all history and of everything that is written from then on, in one commit and without a request. Only files that hold such a value are rewritten.',
    'No value is converted or lost: one that the type does not say exactly stays in extra, and is counted. Run it again and nothing happens; edrlake demote undoes it. First let all machines that write this lake have an edrlake with this command: older ones refuse to write it afterwards.',
  ],
  positionals: { path: { describe: 'Path in extra, such as file.newThing' } },
  flags: ['as', 'type', 'table', ...LAKE, 'publish', ...OUTPUT],
  flagTexts: { table: { describe: 'Table with the extra', defaultText: 'events' } },
  examples: [
    { command: 'edrlake promote file.newThing', purpose: 'as file_new_thing, of the type that all values have' },
    { command: 'edrlake promote seenAt --as seen_time --type timestamp', purpose: 'texts as instants' },
    { command: 'edrlake promote newSection --type json', purpose: 'a whole section, as it is' },
  ],
  run,
});

/** Makes a path of `extra` a column. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values, positionals } = input;
  const { stdout, signal } = context;
  const { as, type, table } = values;
  const request = {
    path: positionals.path ?? '',
    ...(as !== null && { as }),
    ...(type !== null && { type }),
    ...(table !== null && { table }),
  };
  const report = await withLakeToChange(values, context, (lake) =>
    lake.promote(request, { runId: newRunId(context), signal }),
  );
  if (values.json) await writeJson(stdout, report);
  else await writeMessage(context, promoteText(report, lakeFlagsOf(input)));
  return 0;
}

/** What became a column, and what did not. @param lakeFlags as far as typed, for commands to paste */
function promoteText(report: PromoteReport, lakeFlags: string): string {
  const { version, table, path, column, type, values, left, files } = report;
  const name = `${table}.${column} (${type})`;
  const rest = `${nounText(left, 'value')} of another type ${left === 1 ? 'stays' : 'stay'} in extra at ${path}.`;
  const lines =
    version === null
      ? [`${path} is the column ${name} already.`]
      : [`Version ${version}: ${path} is the column ${name}: ${nounText(values, 'value')}.`];
  if (left > 0) lines.push(rest);
  if (version === null) return `${lines.join('\n')}\n`;
  if (files > 0) {
    lines.push(`${nounText(files, 'file')} rewritten; the old ones stay until: edrlake vacuum${lakeFlags}`);
  } else lines.push('No row has it yet: the column is filled by what comes.');
  return `${lines.join('\n')}\nTo undo it: edrlake demote ${column}${lakeFlags}\n`;
}
