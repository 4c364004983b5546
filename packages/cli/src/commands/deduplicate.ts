import { countText, newRunId, nounText } from '@edrlake/core';
import type { DeduplicateReport } from '@edrlake/lake';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { LAKE, OUTPUT } from '../args/option-groups.ts';
import { type ProcessContext, writeMessage } from '../process/process-context.ts';
import { optionalRange } from '../session/connection-settings.ts';
import { withLakeToChange } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake deduplicate` */
export const command = defineCommand({
  command: 'deduplicate',
  describe: 'Leave one copy of each event, the newest',
  details: [
    'No run of edrlake stores an event twice; damaged or restored files may. The newest copy stays, or of equal ones the one committed last, with the child rows that were delivered with it. Child rows without an event are removed. A damaged id index is rebuilt. One commit; needs no network.',
  ],
  flags: ['from', 'to', ...LAKE, 'publish', ...OUTPUT],
  flagTexts: {
    from: { describe: 'First UTC day to look at', defaultText: 'all' },
    to: { describe: 'Last UTC day to look at', defaultText: 'all' },
  },
  examples: [
    { command: 'edrlake deduplicate', purpose: 'the whole lake' },
    { command: 'edrlake deduplicate --from 2026-11-01 --to 2026-11-21', purpose: 'three weeks' },
  ],
  run,
});

/** Removes copies of events, however they came. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const { stdout } = context;
  const range = optionalRange(values);
  const report = await withLakeToChange(values, context, (lake) =>
    lake.deduplicate(newRunId(context), range ?? undefined),
  );
  if (values.json) await writeJson(stdout, report);
  else await writeMessage(context, deduplicateText(report));
  return 0;
}

/** What was removed, or that nothing had to be. */
function deduplicateText({ version, events, removedRows, days, isIndexRebuilt }: DeduplicateReport): string {
  const index = isIndexRebuilt ? 'The id index was rebuilt from the data files.\n' : '';
  if (events === 0) return `No event is stored more than once.\n${index}`;
  const what = `${nounText(events, 'event')} of ${nounText(days.length, 'day')}`;
  return `Version ${version}: ${what} had copies; ${countText(removedRows)} rows removed, the newest copy stays.\n${index}The old files stay until: edrlake vacuum\n`;
}
