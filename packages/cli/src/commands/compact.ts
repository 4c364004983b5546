import { bytesText, countText, newRunId, nounText } from '@edrlake/core';
import type { CompactReport } from '@edrlake/lake';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { LAKE, OUTPUT, PROGRESS } from '../args/option-groups.ts';
import { type ProcessContext, writeMessage } from '../process/process-context.ts';
import { optionalRange } from '../session/connection-settings.ts';
import { lakeFlagsOf } from '../session/lake-access.ts';
import { withLakeAtWork } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake compact` */
export const command = defineCommand({
  command: 'compact',
  describe: 'Merge the small files of each day into few, and sort them',
  details: [
    'What a backfill or sync writes is in order of arrival. Sorted, a host, a hash or an issuer is found without reading whole days.',
    'No row changes: each new file is compared with what it replaces before it takes its place. Days that need nothing are left alone. Safe to interrupt, and beside other runs.',
  ],
  flags: ['from', 'to', ...LAKE, 'publish', ...PROGRESS, ...OUTPUT],
  flagTexts: {
    from: { describe: 'First UTC day to compact', defaultText: 'all' },
    to: { describe: 'Last UTC day to compact', defaultText: 'all' },
  },
  examples: [
    { command: 'edrlake compact', purpose: 'every day that needs it' },
    { command: 'edrlake compact --from 2026-11-01 --to 2026-11-21', purpose: 'three weeks' },
  ],
  run,
});

/** Merges the small files of each day into few large ones; no row changes. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const { stdout, signal } = context;
  const range = optionalRange(values);
  const report = await withLakeAtWork(values, context, { access: 'write' }, (lake) =>
    lake.compact(range === null ? {} : { range }, { runId: newRunId(context), signal }),
  );
  if (values.json) await writeJson(stdout, report);
  else await writeMessage(context, compactText(report, lakeFlagsOf(input)));
  return 0;
}

/**
 * What was merged, or that nothing had to be.
 * @param lakeFlags ` --lake DIR --dataset NAME` as far as typed, for the command to paste
 */
export function compactText(report: CompactReport, lakeFlags: string): string {
  const { compactedDays, skippedDays, filesBefore, filesAfter, bytesBefore, bytesAfter } = report;
  const rest = skippedDays === 0 ? '' : `${nounText(skippedDays, 'day')} needed nothing.`;
  if (compactedDays.length === 0)
    return rest === '' ? 'There is nothing to compact.\n' : `Nothing to compact: ${rest}\n`;
  const days = nounText(compactedDays.length, 'day');
  const files = `${countText(filesBefore)} → ${nounText(filesAfter, 'file')}`;
  const head = `Compacted ${days}: ${files}, ${bytesText(bytesBefore)} → ${bytesText(bytesAfter)}.`;
  return `${[head, ...(rest === '' ? [] : [rest])].join('\n')}\nThe old files stay until: edrlake vacuum${lakeFlags}\n`;
}
