import { bytesText, countText, nounText } from '@edrlake/core';
import type { IndexReport } from '@edrlake/lake';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { LAKE, OUTPUT, PROGRESS } from '../args/option-groups.ts';
import { type ProcessContext, writeMessage } from '../process/process-context.ts';
import { withLakeAtWork } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake index` */
export const command = defineCommand({
  command: 'index',
  describe: 'Begin, complete or rebuild the index that hunts use',
  details: [
    'The index says in which data files a hash, an address, a domain, a host, an agent or an event can be, so that edrlake hunt reads only those. Run it once; from then on each command that writes the lake keeps it up.',
    'It is derived: a file that it does not know is read, and deleting it, the folder _values, changes no answer.',
  ],
  flags: ['rebuild', ...LAKE, ...PROGRESS, ...OUTPUT],
  examples: [
    { command: 'edrlake index', purpose: 'once' },
    { command: 'edrlake index --rebuild', purpose: 'from all data files' },
  ],
  run,
});

/** Brings the index of values to the newest version. */
async function run({ values }: CommandInput, context: ProcessContext): Promise<number> {
  const { stdout, signal } = context;
  const { rebuild } = values;
  const report = await withLakeAtWork(values, context, { access: 'write' }, (lake) =>
    lake.indexValues({ rebuild }, { signal }),
  );
  if (values.json) await writeJson(stdout, report);
  else await writeMessage(context, indexText(report));
  return 0;
}

function indexText({ indexed, known, files, bytes, dataBytes }: IndexReport): string {
  const share = dataBytes === 0 ? '' : `, ${((bytes / dataBytes) * 100).toFixed(1)} % of the data`;
  const missing = files - known;
  const lines = [
    `Read ${nounText(indexed, 'data file')} into the index: ${countText(known)} of ${countText(files)}, ${bytesText(bytes)}${share}.`,
    ...(missing > 0 ? [`${nounText(missing, 'file')} gone or damaged. Next: edrlake reconcile --repair`] : []),
  ];
  return `${lines.join('\n')}\n`;
}
