import type { EdrlakeError } from '@edrlake/core';
import { lineWidth, type ProcessContext, writeText } from '../process/process-context.ts';
import { type ProgramName, programName, withProgramName } from '../process/program-name.ts';
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

/** Replaces a secret. */
const REDACTED = '***';

/**
 * The text without the account's password, from any source. A last line of defence: no known path puts it
 * there. Very short passwords cannot be recognised in other text and are left alone.
 */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  let clean = text.replaceAll(/\bBearer\s+[\w.~+/=-]+/g, `Bearer ${REDACTED}`);
  for (const secret of secrets) {
    if (secret.length < 4) continue;
    for (const form of [secret, encodeURIComponent(secret)]) clean = clean.replaceAll(form, REDACTED);
  }
  return clean;
}

/**
 * An error for a user: message, what to do, code. One to a few lines, no stack. Ends with a line break.
 * @param program begins each command in the hint
 */
export function errorText(error: EdrlakeError, width: number, program: ProgramName = 'edrlake'): string {
  const [first = '', ...rest] = error.message.split('\n');
  const lines = [...wrapWords(`edrlake: ${first} [${error.code}]`, width), ...rest];
  if (error.hint !== null) lines.push(...wrapWords(withProgramName(error.hint, program), width));
  return `${lines.join('\n')}\n`;
}

/** Writes an error to stderr, with each command in its hint as the user can paste it. */
export async function writeError(
  { stderr, env }: Pick<ProcessContext, 'stderr' | 'env'>,
  error: EdrlakeError,
): Promise<void> {
  await writeText(stderr, errorText(error, lineWidth(stderr, env), programName(env)));
}

/** The chain of causes with their stacks, for `--log-level debug`. Ends with a line break. */
export function causeText(error: EdrlakeError): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; current instanceof Error && depth < 8; depth += 1) {
    parts.push(`${depth === 0 ? '' : 'caused by '}${current.stack ?? current.message}`);
    current = current.cause;
  }
  return `${parts.join('\n')}\n`;
}

/** An error as the one JSON document of stdout. */
export function errorDocument(error: EdrlakeError): ErrorDocument {
  const context: Record<string, string | number | boolean | null> = {};
  for (const [key, value] of Object.entries(error.context)) if (value !== undefined) context[key] = value;
  return { error: { code: error.code, message: error.message, hint: error.hint, exitCode: error.exitCode, context } };
}
