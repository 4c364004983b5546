import { resolve } from 'node:path';
import { nounText, quoteText, TABLE_FORMAT_NAMES, type TableFormat } from '@edrlake/core';
import type { PublishReport } from '@edrlake/lake';
import type { CommandInput, FlagTexts } from '../args/command.ts';
import { LAKE, OUTPUT } from '../args/option-groups.ts';
import type { FlagName } from '../args/options.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { writeJson } from '../text/json-output.ts';
import { tableText } from '../text/table-text.ts';
import { withLakeToChange } from './with-lake.ts';

/** Flags of the commands that publish tables. */
export const PUBLISH_FLAGS: readonly FlagName[] = ['to', ...LAKE, 'writer', ...OUTPUT];

/** What `--to` means for them. */
export const PUBLISH_FLAG_TEXTS: FlagTexts = {
  to: {
    valueName: 'DIR',
    describe: 'Where to; same file system as the lake',
    defaultText: '_tables in the lake',
  },
};

/** What all of them say about themselves. */
export const PUBLISH_DETAILS: readonly string[] = [
  'Run again after commits, it publishes the versions since the last time; --publish does that after each commit. Interrupted anywhere, the next run goes on. Metadata only: data files get a second name (a hard link), and are neither copied nor changed.',
  'The published tables are for reading: VACUUM, OPTIMIZE, expiry or a write by another engine damages them. edrlake vacuum deletes old files for both, and older versions can be read as long as it keeps their files.',
  '--to counts only on the command line: as a setting it is the end of a range.',
];

/** Publishes the lake in a format. `--to` counts only where it was typed: as a setting it is the end of a range. */
export async function publishLake(format: TableFormat, input: CommandInput, context: ProcessContext): Promise<number> {
  const { values, typed } = input;
  const { stdout, env, signal } = context;
  const to = typed.has('to') && values.to !== null ? resolve(context.workingDirectory, values.to) : undefined;
  const report = await withLakeToChange(
    values,
    context,
    (lake) => lake.publish(format, to === undefined ? {} : { to }, { signal }),
    values.writer,
  );
  if (values.json) await writeJson(stdout, report);
  else await writeMessage(context, publishText(report, lineWidth(stdout, env)));
  return 0;
}

/** What was published, and where the tables are. */
function publishText(
  { format, version, firstVersion, written, tables, catalog }: PublishReport,
  width: number,
): string {
  const head =
    written === 0
      ? `Nothing is new: the ${TABLE_FORMAT_NAMES[format]} tables are at version ${version}.`
      : `Published ${nounText(written, 'version')} as ${TABLE_FORMAT_NAMES[format]} tables, up to version ${version}.`;
  const rows = Object.entries(tables).map(([table, location]) => [table, location]);
  const older =
    firstVersion < version ? [`Versions from ${firstVersion} on can be read; the number is that of the lake.`] : [];
  const columns = [{ title: 'table' }, { title: 'location' }];
  const attach =
    catalog === null ? [] : ['', `In DuckDB: ATTACH ${quoteText(`ducklake:${catalog}`)} AS lake (READ_ONLY);`];
  return `${[head, ...older, '', tableText(columns, rows, width), ...attach].join('\n')}\n`;
}
