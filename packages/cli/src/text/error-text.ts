import { type EdrlakeError, type Redact, writeText } from '@edrlake/core';
import { type Addressee, lineWidth, type ProcessContext, pastingOf } from '../process/process-context.ts';
import { asPasted, type Pasting } from '../process/program-name.ts';
import { wrapWords } from './text-width.ts';

/** The `--json` form of an error. */
export interface ErrorDocument {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint: string | null;
    readonly exitCode: number;
    readonly context: Readonly<Record<string, string | number | boolean | null>>;
  };
}

/**
 * An error for a user: message, what to do, code. One to a few lines, no stack. Ends with a line break.
 * @param pasting for whom the commands in the hint are
 * @param redact removes the account's secrets: a last line of defence, because no known path puts them into an error
 */
export function errorText(
  error: EdrlakeError,
  width: number,
  pasting: Pasting = { program: 'edrlake' },
  redact: Redact = unchanged,
): string {
  // Before lines are wrapped: a secret with blanks may be divided.
  const [first = '', ...rest] = redact(error.message).split('\n');
  // Messages about a command name it first.
  const named = first.startsWith('edrlake ') ? first : `edrlake: ${first}`;
  const lines = [...wrapWords(`${named} [${error.code}]`, width), ...rest];
  if (error.hint !== null) lines.push(...wrapWords(asPasted(redact(error.hint), pasting), width));
  return `${lines.join('\n')}\n`;
}

/** Writes an error to stderr, with each command in its hint as the user can paste it. */
export async function writeError(
  context: Pick<ProcessContext, 'stderr'> & Addressee,
  error: EdrlakeError,
): Promise<void> {
  const { stderr, env } = context;
  await writeText(stderr, errorText(error, lineWidth(stderr, env), pastingOf(context)));
}

/** The chain of causes with their stacks, for `--log-level debug`. Ends with a line break. */
export function causeText(error: EdrlakeError, redact: Redact): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; current instanceof Error && depth < 8; depth += 1) {
    parts.push(`${depth === 0 ? '' : 'caused by '}${current.stack ?? current.message}`);
    current = current.cause;
  }
  return `${redact(parts.join('\n'))}\n`;
}

/** An error as the one JSON document of stdout. @param redact as for `errorText` */
export function errorDocument(error: EdrlakeError, redact: Redact = unchanged): ErrorDocument {
  const context: Record<string, string | number | boolean | null> = {};
  for (const [key, value] of Object.entries(error.context)) {
    if (value !== undefined) context[key] = typeof value === 'string' ? redact(value) : value;
  }
  const { code, exitCode } = error;
  const hint = error.hint === null ? null : redact(error.hint);
  return { error: { code, message: redact(error.message), hint, exitCode, context } };
}

function unchanged(text: string): string {
  return text;
}
