import { ERROR_CODES, type ErrorCode } from '@edrlake/core';
import type { Argument, Expression as SomeExpression } from 'oxc-parser';
import { type Source, visit } from './source.ts';
import type { Violation } from './violation.ts';

/** `docs/errors.md`, from the table in core. */
export function errorPage(): string {
  return `${[
    '# Error codes',
    GENERATED,
    INTRODUCTION,
    ...Object.entries(ERROR_CODES).map(
      ([code, { exitCode, dispositions, meaning, remedy }]) =>
        `## \`${code}\`\n\nExit code ${exitCode} · ${dispositions.map((name) => `\`${name}\``).join(' or ')}\n\n` +
        `${wrapped(`**When:** ${meaning}.`)}\n\n${wrapped(`**What to do:** ${remedy}`)}`,
    ),
  ].join('\n\n')}\n`;
}

/** The text in lines of at most 120 characters. */
export function wrapped(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > 120) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines.join('\n');
}

const GENERATED =
  '<!-- Generated from packages/core/src/errors/error-codes.ts by `npm run docs`; a test fails when it is out of date. -->';

const INTRODUCTION = `Every failure of edrlake is an \`EdrlakeError\`: a code, a message (what was expected, what was found), a hint (what to
do) and plain values as context, never a secret. On a terminal it is two or three lines on stderr; with \`--json\`
it is a document. Codes are stable, so scripts may match them; messages may change.

The exit code applies when nothing recovers from the error. Two results end with an exit code of their own and without
an error: 4, the lake and the API disagree, and 6, too many records were rejected.

The disposition is the instruction of the error to its caller. \`retry\`: the same request may succeed later; requests,
windows and tasks are retried a bounded number of times before the error is shown. \`split\`: the query was too large, and
smaller ones are asked. \`stop\`: trying again changes nothing until a person acts.`;

/** Errors in the sources whose literal disposition is not among those that core lists for their code. */
export function dispositionViolations(sources: readonly Source[]): Violation[] {
  return sources.flatMap((source) => {
    const violations: Violation[] = [];
    visit(source.program, {
      NewExpression: ({ callee, arguments: given, start }) => {
        if (callee.type !== 'Identifier' || callee.name !== 'EdrlakeError') return;
        const [code, , details] = given;
        if (code?.type !== 'Literal' || typeof code.value !== 'string' || !(code.value in ERROR_CODES)) return;
        const { dispositions } = ERROR_CODES[code.value as ErrorCode];
        for (const found of details === undefined ? ['stop'] : dispositionsIn(details)) {
          if (dispositions.some((known) => known === found)) continue;
          violations.push({
            file: source.path,
            line: source.lineAt(start),
            problem: `${code.value} with the disposition ${found}`,
            remedy: 'Add the disposition in core/src/errors/error-codes.ts, and run: npm run docs',
          });
        }
      },
    });
    return violations;
  });
}

/** The dispositions that an object literal may give to an error; empty where only running the code can tell. */
function dispositionsIn(details: Argument): string[] {
  if (details.type !== 'ObjectExpression') return [];
  const given: SomeExpression[] = [];
  for (const property of details.properties) {
    if (property.type === 'SpreadElement') return [];
    if (property.key.type === 'Identifier' && property.key.name === 'disposition') given.push(property.value);
  }
  return given.length === 0 ? ['stop'] : given.flatMap(textsIn);
}

function textsIn(expression: SomeExpression): string[] {
  if (expression.type === 'ConditionalExpression')
    return [expression.consequent, expression.alternate].flatMap(textsIn);
  return expression.type === 'Literal' && typeof expression.value === 'string' ? [expression.value] : [];
}
