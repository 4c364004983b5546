import { countText, newRunId, nounText } from '@edrlake/core';
import { datasetNamed } from '@edrlake/datasets';
import type { RebuildReport } from '@edrlake/lake';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { OUTPUT, PLACE } from '../args/option-groups.ts';
import { type ProcessContext, writeMessage } from '../process/process-context.ts';
import { servicesOf } from '../session/connection-settings.ts';
import { lakeAddress, lakeDirectory, objectLakeOf } from '../session/lake-access.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake rebuild-log` */
export const command = defineCommand({
  command: 'rebuild-log',
  describe: 'Make the commit log anew from the data files',
  details: [
    'For a lake whose log is lost, has a hole or cannot be read. Every row that is there stays, each event once; nothing counts as proven any more. The old log is kept beside the new one. Asks no API; no other process may work on the lake, on any machine.',
  ],
  flags: ['force', ...PLACE, 'dataset', 'memory-limit', ...OUTPUT],
  flagTexts: { force: { describe: 'Also where the log can be followed; its proofs are lost', defaultText: null } },
  examples: [
    { command: 'edrlake rebuild-log --lake /data/edr', purpose: 'of a lake that is refused' },
    { command: 'edrlake rebuild-log --json', purpose: 'for a script' },
  ],
  run,
});

/** Makes the commit log of a lake anew from its data files. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const { rebuildEdrLog } = await import('@edrlake/runner');
  const report = await rebuildEdrLog(
    lakeDirectory(values, context),
    {
      ...objectLakeOf(values, context),
      dataset: datasetNamed(values.dataset),
      force: values.force,
      runId: newRunId(context),
      memoryLimit: values['memory-limit'],
    },
    servicesOf(context, () => {}),
  );
  if (values.json) await writeJson(context.stdout, report);
  else await writeMessage(context, rebuildText(report, lakeAddress(values) !== null));
  return 0;
}

function rebuildText(report: RebuildReport, isRemote: boolean): string {
  const { version, files, events, removedRows, setAside, oldLog } = report;
  const aside = isRemote ? 'left out, until a vacuum deletes them' : 'set aside in _trash';
  const lines = [
    `The log was rebuilt as version ${version}: ${nounText(files, 'file')}, ${nounText(events, 'event')}.`,
    ...(removedRows === 0 ? [] : [`${countText(removedRows)} rows were copies, or had no event, and were removed.`]),
    ...(setAside.length === 0 ? [] : [`${nounText(setAside.length, 'file')} ${aside}, such as ${setAside[0]}`]),
    `The old log is kept in ${oldLog}.`,
    'Nothing is proven now. To prove a range again: edrlake backfill --from … --to …',
  ];
  return `${lines.join('\n')}\n`;
}
