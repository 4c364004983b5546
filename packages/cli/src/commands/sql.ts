import { EdrlakeError, writeText } from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { OUTPUT, QUERIED } from '../args/option-groups.ts';
import { QUERY_FORMAT_TEXT, type QueryFormat, queryFormatOf } from '../args/options.ts';
import { lineWidth, type ProcessContext } from '../process/process-context.ts';
import { runDotCommand, unknownDotCommand } from '../query/dot-commands.ts';
import { refuseBinaryAtTerminal, writeResult } from '../query/query-output.ts';
import { readAllText } from '../query/read-text.ts';
import { noteReads } from '../query/reads-note.ts';
import { runSqlShell } from '../query/sql-shell.ts';
import { type ScriptStep, scriptSteps } from '../query/sql-statements.ts';
import { withLakeToRead } from '../session/with-lake.ts';
import { TextCollector } from '../text/text-collector.ts';

/** `edrlake sql` */
export const command = defineCommand({
  command: 'sql',
  describe: 'A small SQL shell over the lake',
  details: [
    'Statements end with a semicolon. .help lists what else it understands. Ctrl-C stops a running query. A script from standard input may use the same, and ends at the first error.',
  ],
  flags: ['format', ...QUERIED, ...OUTPUT],
  flagTexts: QUERY_FORMAT_TEXT,
  examples: [
    { command: 'edrlake sql', purpose: 'the lake in ./lake' },
    { command: 'edrlake sql --format csv < report.sql', purpose: 'run a file of statements' },
  ],
  run,
  together: 'never',
});

/** A shell at a terminal; otherwise runs the statements of standard input and stops at the first that fails. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const { stdin, stdout } = context;
  const format = values.json ? 'json' : queryFormatOf(values);
  refuseBinaryAtTerminal(format, stdout);
  await withLakeToRead(values, context, (opened) => {
    const lake = { ...opened, ...noteReads(opened, values, context).lake };
    return stdin.isTTY === true && !values.json
      ? runSqlShell(lake, format, context)
      : runScript(lake, format, values.json, context);
  });
  return 0;
}

async function runScript(lake: Lake, first: QueryFormat, asDocument: boolean, context: ProcessContext): Promise<void> {
  const { stdin, stdout, env, signal } = context;
  const steps = scriptSteps(await readAllText(stdin));
  if (asDocument) return writeDocument(lake, steps, context);
  const width = stdout.isTTY === true ? lineWidth(stdout, env) : null;
  let format = first;
  const show = (sql: string) => writeResult(stdout, { lake, sql, format, signal }, width);
  const use = (chosen: QueryFormat) => {
    format = chosen;
  };
  for (const step of steps) {
    if ('sql' in step) {
      await show(step.sql);
      continue;
    }
    const outcome = await runDotCommand(step.dot, { lake, context, show, use });
    if (outcome === 'leave') return;
    if (outcome === 'done') continue;
    throw new EdrlakeError('USAGE', `edrlake sql: expected SQL or a command of the shell, found "${step.dot}"`, {
      hint: unknownDotCommand(step.dot),
    });
  }
}

/**
 * One document for all: a list with the list of rows of each statement. Held back, so that an error is the only
 * document.
 */
async function writeDocument(
  lake: Lake,
  steps: readonly ScriptStep[],
  { stdout, signal }: ProcessContext,
): Promise<void> {
  const results: string[] = [];
  for (const step of steps) {
    if ('dot' in step) {
      throw new EdrlakeError('USAGE', `edrlake sql --json: expected SQL alone, found "${step.dot}"`, {
        hint: 'Leave out --json, or the command.',
      });
    }
    const collector = new TextCollector();
    await writeResult(collector, { lake, sql: step.sql, format: 'json', signal }, null);
    results.push(collector.text.trimEnd());
  }
  await writeText(stdout, `[${results.join(',\n')}]\n`);
}
