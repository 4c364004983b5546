import type { Readable } from 'node:stream';
import { EdrlakeError } from '@edrlake/core';
import type { ProcessContext } from '../process/process-context.ts';
import { isBlank, splitStatements } from './sql-statements.ts';

/** Far more than anyone writes; the bound is for a file that was piped by mistake. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

/**
 * Everything on a stream of UTF-8 text.
 * @param what it should be, for the error
 * @throws {EdrlakeError} `USAGE` when it is absurdly long
 */
export async function readAllText(stream: Readable, what = 'SQL'): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const piece of stream) {
    text += typeof piece === 'string' ? piece : decoder.decode(piece as Uint8Array, { stream: true });
    if (text.length > MAX_CHARACTERS)
      throw new EdrlakeError('USAGE', `expected ${what} on standard input, found too much text`);
  }
  return text + decoder.decode();
}

/**
 * The one statement of a command.
 * @param name of the command, for errors
 * @param argument SQL, or `-` or nothing for standard input
 * @throws {EdrlakeError} `USAGE` where there is none, or more than one
 */
export async function readStatement(
  name: string,
  argument: string | undefined,
  { stdin }: Pick<ProcessContext, 'stdin'>,
): Promise<string> {
  const given = argument ?? '-';
  if (given === '-' && stdin.isTTY === true && argument === undefined) {
    throw new EdrlakeError('USAGE', `${name}: expected SQL as an argument or on standard input, found none`, {
      hint: `For example: ${name} "select count(*) from events". A shell for many queries: edrlake sql`,
    });
  }
  const { statements, rest } = splitStatements(given === '-' ? await readAllText(stdin) : given);
  const all = isBlank(rest) ? statements : [...statements, rest.trim()];
  const [sql, ...more] = all;
  if (sql !== undefined && more.length === 0) return sql;
  throw new EdrlakeError('USAGE', `${name}: expected one statement, found ${all.length}`, {
    hint:
      all.length === 0
        ? 'For example: select count(*) from events'
        : 'Several statements are run by: edrlake sql < FILE',
  });
}
