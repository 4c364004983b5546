import { writeText } from '@edrlake/core';
import type { TextSink } from '../process/process-context.ts';

/**
 * A value as the one JSON document of stdout: indented for a person at a terminal, one line otherwise. 64-bit numbers
 * that JavaScript's readers would round are text; instants are ISO text.
 */
export async function writeJson(stdout: TextSink, document: unknown): Promise<void> {
  await writeText(stdout, `${JSON.stringify(document, exactValue, stdout.isTTY === true ? 2 : 0)}\n`);
}

/** For `JSON.stringify`: what has no JSON form of its own. */
function exactValue(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}
