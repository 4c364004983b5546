import { createInterface, type Interface } from 'node:readline';
import { EdrlakeError, toEdrlakeError, writeText } from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import type { QueryFormat } from '../args/options.ts';
import { lineWidth, type ProcessContext } from '../process/process-context.ts';
import { writeError } from '../text/error-text.ts';
import { type DotOutcome, runDotCommand, unknownDotCommand } from './dot-commands.ts';
import { writeResult } from './query-output.ts';
import { completionsOf } from './sql-completion.ts';
import { splitStatements } from './sql-statements.ts';

const PROMPT = 'edrlake> ';
const CONTINUED = '    ...> ';
const HISTORY_LINES = 1_000;

/** State of one shell. */
interface Shell {
  readonly lake: Lake;
  readonly context: ProcessContext;
  format: QueryFormat;
  /** Lines of a statement that is not finished. */
  pending: string;
  /** Stops the query that runs, or null when none does. */
  running: AbortController | null;
}

/**
 * Reads statements from the terminal until `.quit`, Ctrl-D or the end of the process. Errors are shown and the shell
 * goes on.
 */
export async function runSqlShell(lake: Lake, format: QueryFormat, context: ProcessContext): Promise<void> {
  const { stdin, stdout, signal } = context;
  const tables = await lake.tables();
  const shell: Shell = { lake, context, format, pending: '', running: null };
  const lines = createInterface({
    input: stdin,
    output: stdout,
    terminal: true,
    historySize: HISTORY_LINES,
    removeHistoryDuplicates: true,
    prompt: PROMPT,
    completer: (line: string) => completionsOf(line, tables),
  });
  const leave = () => lines.close();
  signal.addEventListener('abort', leave, { once: true });
  lines.on('SIGINT', () => onInterrupt(shell, lines));
  await writeText(stdout, `${lake.address}\nStatements end with ; · .help for more · Ctrl-D to leave\n`);
  try {
    lines.prompt();
    for await (const line of lines) {
      if (!(await onLine(shell, line))) break;
      lines.setPrompt(shell.pending === '' ? PROMPT : CONTINUED);
      lines.prompt();
    }
  } finally {
    signal.removeEventListener('abort', leave);
    lines.close();
  }
  signal.throwIfAborted();
}

/** Ctrl-C stops the query that runs; otherwise it drops what was typed. */
function onInterrupt(shell: Shell, lines: Interface): void {
  if (shell.running !== null) {
    shell.running.abort(new EdrlakeError('INTERRUPTED', 'query stopped'));
    return;
  }
  shell.context.stdout.write(shell.pending === '' && lines.line === '' ? '\n(.quit or Ctrl-D leaves)\n' : '\n');
  shell.pending = '';
  lines.write(null, { ctrl: true, name: 'u' });
  lines.setPrompt(PROMPT);
  lines.prompt();
}

/** Takes one line. false: the person wants to leave. */
async function onLine(shell: Shell, line: string): Promise<boolean> {
  const word = line.trim();
  if (shell.pending === '' && word.startsWith('.')) return onDotCommand(shell, word);
  const { statements, rest } = splitStatements(`${shell.pending}${line}\n`);
  for (const sql of statements) await show(shell, sql);
  shell.pending = rest.trim() === '' ? '' : rest;
  return true;
}

async function onDotCommand(shell: Shell, text: string): Promise<boolean> {
  const use = (format: QueryFormat) => {
    shell.format = format;
  };
  const told: { outcome: DotOutcome } = { outcome: 'done' };
  await guarded(shell, async () => {
    told.outcome = await runDotCommand(text, { ...shell, show: (sql) => show(shell, sql), use });
  });
  const { outcome } = told;
  if (outcome === 'unknown') await writeText(shell.context.stdout, `${unknownDotCommand(text)}\n`);
  return outcome !== 'leave';
}

async function show(shell: Shell, sql: string): Promise<void> {
  const { stdout, env } = shell.context;
  await guarded(shell, (signal) => {
    const width = stdout.isTTY === true ? lineWidth(stdout, env) : null;
    return writeResult(stdout, { lake: shell.lake, sql, format: shell.format, signal }, width);
  });
}

/** Runs something that Ctrl-C may stop, and shows what it throws. */
async function guarded(shell: Shell, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const running = new AbortController();
  shell.running = running;
  try {
    await work(AbortSignal.any([running.signal, shell.context.signal]));
  } catch (thrown) {
    await writeError(shell.context, toEdrlakeError(thrown));
  } finally {
    shell.running = null;
  }
}
