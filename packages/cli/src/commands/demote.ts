import { newRunId, nounText } from '@edrlake/core';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { LAKE, OUTPUT } from '../args/option-groups.ts';
import { type ProcessContext, writeMessage } from '../process/process-context.ts';
import { lakeFlagsOf } from '../session/lake-access.ts';
import { withLakeToChange } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake demote` */
export const command = defineCommand({
  command: 'demote <column>',
  describe: 'Undo edrlake promote: put the values back into extra',
  details: [
    'All files that have the column are rewritten without it, in one commit and without a request; each value is in extra again, as it was delivered. Only promoted columns can go, not those of the dataset.',
  ],
  positionals: { column: { describe: 'Name of a promoted column' } },
  flags: ['table', ...LAKE, 'publish', ...OUTPUT],
  flagTexts: { table: { describe: 'Its table, where several have such a column', defaultText: null } },
  examples: [
    { command: 'edrlake demote file_new_thing', purpose: 'after edrlake promote file.newThing' },
    { command: 'edrlake demote seen_time --json', purpose: 'for a script' },
  ],
  run,
});

/** Puts the values of a promoted column back into `extra`. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values, positionals } = input;
  const { stdout, signal } = context;
  const { table: wanted } = values;
  const request = { column: positionals.column ?? '', ...(wanted !== null && { table: wanted }) };
  const report = await withLakeToChange(values, context, (lake) =>
    lake.demote(request, { runId: newRunId(context), signal }),
  );
  if (values.json) {
    await writeJson(stdout, report);
    return 0;
  }
  const { version, table, column, path, values: count, files } = report;
  const head = `Version ${version}: ${nounText(count, 'value')} of ${table}.${column} ${count === 1 ? 'is' : 'are'} in extra again, at ${path}.`;
  const rest = `${nounText(files, 'file')} rewritten; the old ones stay until: edrlake vacuum${lakeFlagsOf(input)}`;
  await writeMessage(context, `${[head, ...(files > 0 ? [rest] : [])].join('\n')}\n`);
  return 0;
}
