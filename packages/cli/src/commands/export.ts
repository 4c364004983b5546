import { resolve } from 'node:path';
import { countText, nounText } from '@edrlake/core';
import {
  type FolderReport,
  planUnload,
  runUnload,
  statementOf,
  tableNamedBy,
  UNLOAD_FORMATS,
  type UnloadFormat,
  unloadFormatOf,
} from '@edrlake/lake';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { wordsText } from '../args/flags/flag-kinds.ts';
import { OUTPUT, QUERIED } from '../args/option-groups.ts';
import { type ProcessContext, writeMessage } from '../process/process-context.ts';
import { outputOf, writeAnswer } from '../query/query-output.ts';
import { readStatement } from '../query/read-text.ts';
import { noteReads } from '../query/reads-note.ts';
import { withLakeToRead } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake export` */
export const command = defineCommand({
  command: 'export [table]',
  describe: 'Write a table or a query as Arrow, Parquet, CSV or NDJSON',
  details: [
    'To standard output, which may be a slow reader; to a file, which gets its name when it is whole; or for a table into a folder (--output DIR/): one file a day, and one that says what the others hold.',
    'To standard output, a device or a pipe Parquet goes when it is whole: it is first made in the folder for temporary files (TMPDIR), which needs the room. All other formats go there while they are computed.',
    'Run again, an export into a folder writes the days that are missing, and after commits those that changed.',
    'Formats are arrow, parquet, csv and ndjson. Where --format is missing, the extension of the file says it; in a folder it is parquet.',
  ],
  positionals: { table: { describe: 'A table such as events, DuckDB SQL, or - for SQL on standard input' } },
  flags: ['format', 'output', ...QUERIED, ...OUTPUT],
  flagTexts: {
    format: { describe: wordsText(UNLOAD_FORMATS), defaultText: 'by the file', choices: UNLOAD_FORMATS },
    output: { describe: 'A file, a folder (DIR/), a device or a named pipe', defaultText: null },
  },
  examples: [
    { command: 'edrlake export events --output backup/', purpose: 'a Parquet file a day; resumable' },
    { command: 'edrlake export coverage --output coverage.csv', purpose: 'a file' },
    { command: 'edrlake export events --format arrow | python3 load.py', purpose: 'a stream' },
  ],
  run,
});

/** Writes a table or the answer of a statement, of the newest version of the lake. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values, typed, positionals } = input;
  const { signal, workingDirectory } = context;
  const given = positionals.table ?? '-';
  const what = tableNamedBy(given) === null ? await readStatement('edrlake export', positionals.table, context) : given;
  const format = formatGiven(values.format);
  const { output } = values;
  if (output === null || outputOf(resolve(workingDirectory, output), context) !== null) {
    const query = { sql: statementOf(what), format: unloadFormatOf({ format, to: '', formatName: '--format' }, false) };
    await withLakeToRead(values, context, (lake) =>
      writeAnswer({ lake: noteReads(lake, values, context).lake, ...query, signal }, output, context),
    );
    return 0;
  }
  const plan = await planUnload({ what, to: output, workingDirectory, format, formatName: '--format' });
  await withLakeToRead(values, context, async (opened) => {
    const noted = noteReads(opened, values, context);
    const { folder, ...result } = await runUnload({ ...opened, ...noted.lake }, plan, signal);
    const reads = noted.reads();
    const written = { ...result, ...(reads !== null && { reads }) };
    if (folder === null) {
      if (typed.has('json')) await writeJson(context.stdout, written);
    } else if (values.json) await writeJson(context.stdout, { ...written, ...folder });
    else await writeMessage(context, reportText(folder, output));
  });
  return 0;
}

function reportText({ table, version, before, written, unchanged, removed, rowCount }: FolderReport, output: string) {
  const changed =
    before === null || before === version
      ? []
      : [`The lake is at version ${version}; the export in ${output} was of version ${before}.`];
  const counts = [
    `${nounText(written, 'day')} written`,
    ...(unchanged > 0 ? [`${countText(unchanged)} unchanged`] : []),
    ...(removed > 0 ? [`${countText(removed)} removed`] : []),
  ];
  return `${[...changed, `${table}: ${counts.join(', ')}; ${nounText(rowCount, 'row')} in ${output}`].join('\n')}\n`;
}

/** A setting may be a format of `query`, which means nothing here; one that was typed is of `UNLOAD_FORMATS`. */
function formatGiven(setting: string): UnloadFormat | null {
  return UNLOAD_FORMATS.find((format) => format === setting) ?? null;
}
