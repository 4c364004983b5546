import { stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import { openEdrLake } from '@edrlake/runner/open-lake';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { LAKE, OUTPUT } from '../args/option-groups.ts';
import { type ProcessContext, writeMessage } from '../process/process-context.ts';
import { exportToFolder, type FolderReport } from '../query/export-folder.ts';
import { EXPORT_FORMATS, type ExportFormat, writeAnswer } from '../query/query-output.ts';
import { readStatement } from '../query/read-text.ts';
import { servicesOf } from '../session/connection-settings.ts';
import { lakeDirectory, lakeOptions, readerNotes } from '../session/lake-access.ts';
import { countText, nounText } from '../text/format-numbers.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake export` */
export const command = defineCommand({
  command: 'export [table]',
  describe: 'Write a table or a query as Arrow, Parquet, CSV or NDJSON',
  details: [
    'To standard output, which may be a slow reader; to a file, which gets its name when it is whole; or for a table into a folder (--output DIR/): one file a day, and one that says what the others hold.',
    'Run again, an export into a folder writes the days that are missing, and after commits those that changed.',
    'Formats are arrow, parquet, csv and ndjson. Where --format is missing, the extension of the file says it; in a folder it is parquet.',
  ],
  positionals: { table: { describe: 'A table such as events, DuckDB SQL, or - for SQL on standard input' } },
  flags: ['format', 'output', ...LAKE, ...OUTPUT],
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
  const { output } = values;
  const path = output === null ? null : resolve(context.workingDirectory, output);
  const isFolder = path !== null && (/[/\\]$/.test(output ?? '') || (await isDirectory(path)));
  const format = formatOf(input, isFolder);
  const given = positionals.table ?? '-';
  const table = /^\w+$/.test(given) ? given : null;
  if (isFolder && table === null) {
    throw new EdrlakeError('USAGE', 'a query cannot be written into a folder: only tables have days', {
      hint: `For example: edrlake export events --output ${output}. A query fits into a file.`,
    });
  }
  const sql = table === null ? await readStatement('edrlake export', positionals.table, context) : `FROM "${table}"`;
  const services = servicesOf(context, readerNotes(context));
  const lake = await openEdrLake(lakeDirectory(values, context), lakeOptions(values, 'read'), services);
  try {
    if (!isFolder || table === null || path === null) {
      const isWritten = await writeAnswer({ lake, sql, format, signal: context.signal }, path, context);
      if (isWritten && typed.has('json')) await writeJson(context.stdout, { output: path, format });
      return 0;
    }
    const report = await exportToFolder({ lake, table, format, folder: path, signal: context.signal });
    if (values.json) await writeJson(context.stdout, { output: path, ...report });
    else await writeMessage(context, reportText(report, output ?? ''));
    return 0;
  } finally {
    await lake.close();
  }
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

/** Formats of `query` that are for people mean nothing here, unless they were typed. */
function formatOf({ values, typed }: CommandInput, isFolder: boolean): ExportFormat {
  const known = (name: string) => EXPORT_FORMATS.find((format) => format === name);
  const given = known(values.format);
  if (given !== undefined) return given;
  const choices = EXPORT_FORMATS.join(', ');
  if (typed.has('format')) {
    throw new EdrlakeError('USAGE', `--format ${values.format} is for edrlake query`, {
      hint: `Choose of ${choices}.`,
    });
  }
  const extension = extname(values.output ?? '').slice(1);
  const found = isFolder ? 'parquet' : known(extension === 'jsonl' ? 'ndjson' : extension);
  if (found !== undefined) return found;
  throw new EdrlakeError('USAGE', 'edrlake export: expected --format, found none', { hint: `Choose of ${choices}.` });
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
