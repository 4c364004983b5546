import { didYouMean, quoteName, writeText } from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import { QUERY_FORMATS, type QueryFormat } from '../args/options.ts';
import { lineWidth, type ProcessContext } from '../process/process-context.ts';
import { tableSchemaText } from '../render/schema-text.ts';
import { pairsText } from '../text/table-text.ts';
import { refuseBinaryAtTerminal } from './query-output.ts';
import { DOT_COMMANDS, DOT_WORDS } from './sql-completion.ts';

/** What a dot command works on. */
export interface DotTarget {
  readonly lake: Lake;
  readonly context: Pick<ProcessContext, 'stdout' | 'env'>;
  /** Shows the rows of a statement. */
  show(sql: string): Promise<void>;
  /** Results that follow have this form. */
  use(format: QueryFormat): void;
}

/** `leave`: nothing may follow. `unknown`: there is no such command, or it lacks its argument; nothing was done. */
export type DotOutcome = 'done' | 'leave' | 'unknown';

/** Runs a command of the shell such as `.tables`, at a terminal or from a script. */
export async function runDotCommand(text: string, target: DotTarget): Promise<DotOutcome> {
  const { stdout } = target.context;
  const [command = '', argument = ''] = wordsOf(text);
  if (command === '.quit' || command === '.exit') return 'leave';
  if (command === '.help') {
    await writeText(stdout, `${pairsText(DOT_COMMANDS)}\n`);
  } else if (command === '.tables') {
    await target.show('SELECT table_name AS "table" FROM information_schema.tables ORDER BY table_name');
  } else if (command === '.schema' && argument !== '') {
    await showSchema(argument, target);
  } else if (command === '.coverage') {
    await target.show('FROM coverage_spans ORDER BY first_day, scope');
  } else if (command === '.format' && QUERY_FORMATS.some((format) => format === argument)) {
    refuseBinaryAtTerminal(argument as QueryFormat, stdout);
    target.use(argument as QueryFormat);
  } else {
    return 'unknown';
  }
  return 'done';
}

/** What to say to a command that is unknown. */
export function unknownDotCommand(text: string): string {
  const near = didYouMean(wordsOf(text)[0] ?? '', [...DOT_WORDS, '.exit']);
  const usage = DOT_COMMANDS.find(([name]) => name.split(' ')[0] === near)?.[0];
  return usage === undefined ? 'Not a command; .help lists them.' : `Did you mean ${usage}?`;
}

function wordsOf(text: string): string[] {
  return text.replace(/;$/, '').split(/\s+/);
}

/** Tables of events with what their columns mean; those that the lake derives by name and type. */
async function showSchema(name: string, { lake, context, show }: DotTarget): Promise<void> {
  const { stdout, env } = context;
  const table = (await lake.tables()).find((each) => each.name === name.toLowerCase());
  if (table !== undefined) await writeText(stdout, tableSchemaText(table, lineWidth(stdout, env)));
  else await show(`SELECT column_name, column_type FROM (DESCRIBE ${quoteName(name)})`);
}
