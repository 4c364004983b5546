import { resolve } from 'node:path';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { LAKE, OUTPUT } from '../args/option-groups.ts';
import { QUERY_FORMAT_TEXT } from '../args/options.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { formatOf, outputOf, refuseBinaryAtTerminal, writeAnswer } from '../query/query-output.ts';
import { readStatement } from '../query/read-text.ts';
import { withLakeToRead } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake query` */
export const command = defineCommand({
  command: 'query [sql]',
  describe: 'Ask the lake in SQL',
  details: [
    'Tables: events, certificates, indicators, interfaces, asset_tags, rejects, coverage, commits, windows; events_proven and others with only the days that are proven. The SQL comes from the argument, or from standard input where it is - or missing.',
  ],
  positionals: { sql: { describe: 'DuckDB SQL, or - for standard input' } },
  flags: ['format', 'output', ...LAKE, ...OUTPUT],
  flagTexts: QUERY_FORMAT_TEXT,
  examples: [
    { command: 'edrlake query "select event_type, count(*) from events group by all"', purpose: 'a table' },
    { command: 'edrlake query "from events limit 1000" --format csv > events.csv', purpose: 'for a spreadsheet' },
    { command: 'edrlake query - --format parquet --output hosts.parquet < hosts.sql', purpose: 'a file' },
  ],
  run,
});

/** Answers one SQL statement from the newest version of the lake. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values, typed, positionals } = input;
  const format = formatOf(input);
  const file = values.output === null ? null : resolve(context.workingDirectory, values.output);
  const stream = outputOf(file, context);
  if (stream !== null) refuseBinaryAtTerminal(format, stream);
  const sql = await readStatement('edrlake query', positionals.sql, context);
  await withLakeToRead(values, context, async (lake) => {
    const isWritten = await writeAnswer({ lake, sql, format, signal: context.signal }, file, context);
    if (isWritten && typed.has('json')) await writeJson(context.stdout, { output: file, format });
  });
  return 0;
}
