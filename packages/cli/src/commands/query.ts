import { resolve } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import { openEdrLake } from '@edrlake/runner/open-lake';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { LAKE, OUTPUT } from '../args/option-groups.ts';
import type { QueryFormat } from '../args/options.ts';
import { lineWidth, type ProcessContext } from '../process/process-context.ts';
import { outputStreamOf, refuseBinaryAtTerminal, writeResult, writeResultFile } from '../query/query-output.ts';
import { readAllText } from '../query/read-text.ts';
import { isBlank, splitStatements } from '../query/sql-statements.ts';
import { servicesOf } from '../session/connection-settings.ts';
import { lakeDirectory, lakeOptions, readerNotes } from '../session/lake-access.ts';
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
  examples: [
    { command: 'edrlake query "select event_type, count(*) from events group by all"', purpose: 'a table' },
    { command: 'edrlake query "from events limit 1000" --format csv > events.csv', purpose: 'for a spreadsheet' },
    { command: 'edrlake query - --format parquet --output hosts.parquet < hosts.sql', purpose: 'a file' },
  ],
  run,
});

/** Answers one SQL statement from the newest version of the lake. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values, typed } = input;
  const { stdout, env, signal } = context;
  const format = formatOf(input);
  const file = values.output === null ? null : resolve(context.workingDirectory, values.output);
  const stream = file === null ? stdout : outputStreamOf(file, context);
  if (stream !== null) refuseBinaryAtTerminal(format, stream);
  const sql = await sqlOf(input, context);
  const services = servicesOf(context, readerNotes(context));
  const lake = await openEdrLake(lakeDirectory(values, context), lakeOptions(values, 'read'), services);
  try {
    const query = { lake, sql, format, signal };
    if (stream !== null) {
      await writeResult(stream, query, stream.isTTY === true ? lineWidth(stream, env) : null);
    } else if (file !== null) {
      await writeResultFile(file, query);
      if (typed.has('json')) await writeJson(stdout, { output: file, format });
    }
  } finally {
    await lake.close();
  }
  return 0;
}

/** `--json` is the short form of `--format json`; a file keeps its own format. */
function formatOf({ values, typed }: CommandInput): QueryFormat {
  if (!values.json || values.output !== null) return values.format;
  if (typed.has('format') && values.format !== 'json') {
    throw new EdrlakeError('USAGE', `--json and --format ${values.format} exclude each other`, {
      hint: 'Give one of the two, or write to a file with --output.',
    });
  }
  return 'json';
}

async function sqlOf({ positionals }: CommandInput, { stdin }: ProcessContext): Promise<string> {
  const given = positionals.sql ?? '-';
  if (given === '-' && stdin.isTTY === true && positionals.sql === undefined) {
    throw new EdrlakeError('USAGE', 'edrlake query: expected SQL as an argument or on standard input, found none', {
      hint: 'For example: edrlake query "select count(*) from events". A shell for many queries: edrlake sql',
    });
  }
  const { statements, rest } = splitStatements(given === '-' ? await readAllText(stdin) : given);
  const all = isBlank(rest) ? statements : [...statements, rest.trim()];
  const [sql, ...more] = all;
  if (sql !== undefined && more.length === 0) return sql;
  throw new EdrlakeError('USAGE', `edrlake query: expected one statement, found ${all.length}`, {
    hint:
      all.length === 0
        ? 'For example: select count(*) from events'
        : 'Several statements are run by: edrlake sql < FILE',
  });
}
