import { bytesText, countText, durationText, sum } from '@edrlake/core';
import type { VacuumReport } from '@edrlake/lake';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { LAKE, OUTPUT } from '../args/option-groups.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { withLakeToChange } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';
import { tableText } from '../text/table-text.ts';

/** `edrlake vacuum` */
export const command = defineCommand({
  command: 'vacuum',
  describe: 'Delete files that no recent version needs',
  details: [
    'Files that were replaced, and what crashes left behind, once older than the grace period. Safe beside other runs.',
  ],
  flags: ['grace', 'dry-run', ...LAKE, ...OUTPUT],
  examples: [
    { command: 'edrlake vacuum --dry-run', purpose: 'see what would go' },
    { command: 'edrlake vacuum --grace 2d', purpose: 'keep two days' },
  ],
  run,
});

/** Removes what nothing needs any more. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const { stdout, env, signal } = context;
  const report = await withLakeToChange(values, context, (lake) =>
    lake.vacuum({ graceMs: values.grace, dryRun: values['dry-run'] }, { signal }),
  );
  if (values.json) await writeJson(stdout, report);
  else await writeMessage(context, vacuumText(report, values.grace, lineWidth(stdout, env)));
  return 0;
}

const MEANINGS: Readonly<Record<VacuumReport['removed'][number]['reason'], string>> = {
  trash: 'replaced data files',
  published: 'names of those in published tables',
  orphan: 'data files of no version',
  partial: 'unfinished writes',
  spool: 'work of dead processes',
  index: 'replaced identity files',
  log: 'log entries held by a checkpoint',
  views: 'leftovers beside the views',
  derived: 'files of hunts and of their index that nothing uses',
};

/** What went or would go, by reason. */
export function vacuumText({ dryRun, removed, bytes }: VacuumReport, graceMs: number, width: number): string {
  if (removed.length === 0) return `Nothing to remove that is older than ${durationText(graceMs)}.\n`;
  const reasons = [...new Set(removed.map(({ reason }) => reason))];
  const rows = reasons.map((reason) => {
    const ofReason = removed.filter((entry) => entry.reason === reason);
    const [files, size] = [sum(ofReason, (each) => each.files), sum(ofReason, (each) => each.bytes)];
    return [MEANINGS[reason], countText(files), bytesText(size)];
  });
  const columns = [{ title: '' }, ...['files', 'size'].map((title) => ({ title, align: 'right' as const }))];
  const head = `${dryRun ? 'Would remove' : 'Removed'} ${bytesText(bytes)}:`;
  const kept = removed.filter(({ keptAt }) => keptAt !== null).length;
  const trashed = `Data of no version ${dryRun ? 'would be' : 'is'} kept in _trash; a later vacuum deletes it.`;
  const next = [
    ...(kept === 0 ? [] : ['', trashed]),
    ...(dryRun ? ['', 'Nothing was removed. --json lists every path.'] : []),
  ];
  return `${[head, '', tableText(columns, rows, width), ...next].join('\n')}\n`;
}
