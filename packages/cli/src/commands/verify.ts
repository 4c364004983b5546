import { bytesText, countText, nounText, type TimeRange } from '@edrlake/core';
import type { VerifyReport } from '@edrlake/lake';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { LAKE, OUTPUT, PROGRESS } from '../args/option-groups.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { optionalRange } from '../session/connection-settings.ts';
import { withLakeAtWork } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';
import { wrapWords } from '../text/text-width.ts';

/** As for `doctor`: something in the lake is damaged. */
const DAMAGED = 1;

/** `edrlake verify` */
export const command = defineCommand({
  command: 'verify',
  describe: 'Read every data file and compare it with what was committed',
  details: [
    'Recomputes checksum, number of rows and content digest of each file, and names the day, table and file of any that differs. Compares the log with the proof documents as well. Needs no network and changes nothing.',
    'The content digest of a day is the same for the same rows in any order and files, so that copies of a lake can be compared: --json has it for each day and table. docs/lake-format.md defines it for other programs.',
    'Exit code 1 when a file differs.',
  ],
  flags: ['from', 'to', 'offline', ...LAKE, ...PROGRESS, ...OUTPUT],
  flagTexts: {
    from: { describe: 'First UTC day to read', defaultText: 'all' },
    to: { describe: 'Last UTC day to read', defaultText: 'all' },
  },
  examples: [
    { command: 'edrlake verify --offline', purpose: 'the whole lake' },
    { command: 'edrlake verify --from 2026-11-01 --to 2026-11-21 --json', purpose: 'with the digests' },
  ],
  run,
});

/** Recomputes what the data files hold, and names those that are not what was committed. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const { stdout, env, signal } = context;
  const range = optionalRange(values);
  const report = await withLakeAtWork(values, context, { access: 'read' }, (lake) => lake.verify(range, signal));
  if (values.json) await writeJson(stdout, report);
  else await writeMessage(context, verifyText(report, lineWidth(stdout, env), range));
  return report.findings.length === 0 ? 0 : DAMAGED;
}

/** One line for each file that differs, and a sentence. @param range null: everything was asked for */
export function verifyText(report: VerifyReport, width: number, range: TimeRange | null): string {
  const nothing =
    range !== null
      ? 'The lake has no file of these days: nothing was read. Its days: edrlake status'
      : 'There is no file to read.';
  const { version, proofVersion, files, rows, bytes, findings, withoutDigest } = report;
  const lines = findings.map(({ day, table, path, found }) => `${day}  ${table}  ${path} ${found}`);
  const read = `${nounText(files, 'file')}, ${nounText(rows, 'row')}, ${bytesText(bytes)}`;
  if (findings.length === 0) lines.push(files === 0 ? nothing : `${read}: all as committed.`);
  else lines.push(`${countText(findings.length)} of ${read}: not as committed. Next: edrlake reconcile --repair`);
  if (proofVersion !== version && files > 0) {
    const shown =
      proofVersion === null
        ? 'There are no proof documents of this commit'
        : `The proof documents show version ${proofVersion}`;
    lines.push(...wrapWords(`${shown}: the next command that writes brings them up to date.`, width));
  }
  if (withoutDigest > 0) {
    const rest = `${nounText(withoutDigest, 'file')} without a digest to compare with, which edrlake compact adds.`;
    lines.push(...wrapWords(rest, width));
  }
  return `${lines.join('\n')}\n`;
}
