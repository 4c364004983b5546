import { resolve } from 'node:path';
import { closeAfter, EdrlakeError } from '@edrlake/core';
import { type Lake, type NamedLake, type UnitedLakes, uniteLakes } from '@edrlake/lake';
import { openEdrLake } from '@edrlake/runner/open-lake';
import { type CommandInput, defineCommand, type Turn } from '../args/command.ts';
import { OUTPUT, QUERIED } from '../args/option-groups.ts';
import { QUERY_FORMAT_TEXT } from '../args/options.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { formatOf, outputOf, refuseBinaryAtTerminal, writeAnswer } from '../query/query-output.ts';
import { readStatement } from '../query/read-text.ts';
import { noteReads } from '../query/reads-note.ts';
import { servicesOf } from '../session/connection-settings.ts';
import { lakeDirectory, lakeOptions, readerNotes } from '../session/lake-access.ts';
import { withLakeToRead } from '../session/with-lake.ts';
import { writeError } from '../text/error-text.ts';
import { writeJson } from '../text/json-output.ts';

/** As for work that was partly done. */
const PARTLY = 3;

/** `edrlake query` */
export const command = defineCommand({
  command: 'query [sql]',
  describe: 'Ask the lake in SQL',
  details: [
    'Tables: events, certificates, indicators, interfaces, asset_tags, rejects, coverage, commits, windows; events_proven and others with only the days that are proven. The SQL comes from the argument, or from standard input where it is - or missing.',
    'CSV, NDJSON, JSON and Arrow go to standard output, a device or a pipe while they are computed. Parquet is first made in the folder for temporary files (TMPDIR), which needs the room: its reader gets a whole file or nothing.',
    'With --subscription all, or a pattern, the lakes are asked as one: each table has the rows of all of them, and a first column subscription. A subscription without a lake is left out, and stderr names it.',
  ],
  positionals: { sql: { describe: 'DuckDB SQL, or - for standard input' } },
  flags: ['format', 'output', ...QUERIED, ...OUTPUT],
  flagTexts: QUERY_FORMAT_TEXT,
  examples: [
    { command: 'edrlake query "select event_type, count(*) from events group by all"', purpose: 'a table' },
    { command: 'edrlake query "from events limit 1000" --format csv > events.csv', purpose: 'for a spreadsheet' },
    { command: 'edrlake query - --format parquet --output hosts.parquet < hosts.sql', purpose: 'a file' },
  ],
  run,
  together,
});

/** Answers one SQL statement from the newest version of the lake. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const sql = await statementOf(input, context);
  await withLakeToRead(input.values, context, (lake) => answer(sql, lake, input, context));
  return 0;
}

/** The same from the lakes of several subscriptions. */
async function together(turns: readonly Turn[], context: ProcessContext): Promise<number> {
  const [first] = turns;
  if (first === undefined) return 0;
  const sql = await statementOf(first.input, context);
  const opened: (NamedLake & { readonly lake: Lake })[] = [];
  const closeAll = async () => {
    for (const { lake } of opened) await lake.close();
  };
  return closeAfter(closeAll, async () => {
    let missing = 0;
    for (const turn of turns) {
      const { name = '' } = turn.input.subscription ?? {};
      try {
        opened.push({ name, lake: await openToRead(turn) });
      } catch (thrown) {
        if (!(thrown instanceof EdrlakeError && thrown.code === 'LAKE_MISSING')) throw thrown;
        missing += 1;
        await writeError(context, new EdrlakeError(thrown.code, `${name}: ${thrown.message}; it is left out`));
      }
    }
    const [head, ...rest] = opened;
    if (head === undefined) {
      throw new EdrlakeError('LAKE_MISSING', 'none of the subscriptions has a lake', {
        hint: 'Make them with edrlake backfill --subscription all.',
      });
    }
    await answer(sql, uniteLakes([head, ...rest]), first.input, context);
    return missing === 0 ? 0 : PARTLY;
  });
}

function openToRead({ input: { values }, context }: Turn): Promise<Lake> {
  const services = servicesOf(context, readerNotes(context));
  return openEdrLake(lakeDirectory(values, context), lakeOptions(values, context, 'read'), services);
}

/** Before a lake is opened, what cannot be asked or written is refused. */
async function statementOf(input: CommandInput, context: ProcessContext): Promise<string> {
  const stream = outputOf(fileOf(input, context), context);
  if (stream !== null) refuseBinaryAtTerminal(formatOf(input), stream);
  return readStatement('edrlake query', input.positionals.sql, context);
}

function fileOf({ values: { output } }: CommandInput, { workingDirectory }: ProcessContext): string | null {
  return output === null ? null : resolve(workingDirectory, output);
}

async function answer(sql: string, lake: UnitedLakes, input: CommandInput, context: ProcessContext): Promise<void> {
  const [format, file] = [formatOf(input), fileOf(input, context)];
  const noted = noteReads(lake, input.values, context);
  const isWritten = await writeAnswer({ lake: noted.lake, sql, format, signal: context.signal }, file, context);
  if (!isWritten || !input.typed.has('json')) return;
  const reads = noted.reads();
  await writeJson(context.stdout, { output: file, format, ...(reads !== null && { reads }) });
}
