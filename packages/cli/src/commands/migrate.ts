import { bytesText, countText, newRunId, nounText } from '@edrlake/core';
import { type CompactReport, FILE_FORMAT, isCurrentFormat, type Snapshot } from '@edrlake/lake';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { LAKE, OUTPUT, PROGRESS } from '../args/option-groups.ts';
import { type ProcessContext, writeMessage } from '../process/process-context.ts';
import { withLakeAtWork } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake migrate` */
export const command = defineCommand({
  command: 'migrate',
  describe: 'Rewrite the data files of an older lake format',
  details: [
    'In format 2, times are instants (isAdjustedToUTC), event_date is only in the names of folders, JSON is plain text, and columns have field ids: every engine reads such files in the same way. edrlake reads both formats, also side by side, so a migration is never urgent.',
    'No row changes: each new file is compared with what it replaces before it takes its place. Safe to interrupt and to repeat, and beside other runs. An older edrlake cannot read the lake afterwards.',
  ],
  flags: [...LAKE, 'publish', ...PROGRESS, ...OUTPUT],
  examples: [
    { command: 'edrlake migrate', purpose: 'every file of an older format' },
    { command: 'edrlake migrate --lake /srv/edr --memory-limit 1GB', purpose: 'with room for large days' },
  ],
  run,
});

/** Rewrites all files of an older format, a commit for each group of days. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const { stdout, signal } = context;
  const { report, remaining } = await withLakeAtWork(values, context, { access: 'write' }, async (lake) => ({
    report: await lake.compact({ migrates: true }, { runId: newRunId(context), signal }),
    remaining: olderFiles(await lake.snapshot()),
  }));
  if (values.json) await writeJson(stdout, { ...report, remainingFiles: remaining });
  else await writeMessage(context, migrationText(report, remaining));
  return 0;
}

function olderFiles({ files }: Snapshot): number {
  return Object.values(files)
    .flat()
    .filter((file) => !isCurrentFormat(file)).length;
}

function migrationText(report: CompactReport, remaining: number): string {
  const { compactedDays, filesBefore, filesAfter, bytesBefore, bytesAfter } = report;
  const rest =
    remaining === 0
      ? []
      : [
          `${nounText(remaining, 'file')} of an older format ${remaining === 1 ? 'is' : 'are'} left: other writers were at work, or --memory-limit is too low. Run: edrlake migrate`,
        ];
  if (filesBefore === 0) {
    const nothing = `There is nothing to migrate: all files have format ${FILE_FORMAT}.`;
    return `${(rest.length === 0 ? [nothing] : rest).join('\n')}\n`;
  }
  const days = nounText(compactedDays.length, 'day');
  const files = `${countText(filesBefore)} → ${nounText(filesAfter, 'file')}`;
  const head = `Migrated ${days} to format ${FILE_FORMAT}: ${files}, ${bytesText(bytesBefore)} → ${bytesText(bytesAfter)}.`;
  return `${[head, ...rest].join('\n')}\nThe old files stay until: edrlake vacuum\n`;
}
