import { writeText } from '@edrlake/core';
import type { QueryResult } from '../query/query.ts';
import type { QueryColumn } from '../query/values.ts';
import { valueJson, valueText } from './result-values.ts';

/** Writes RFC 4180 CSV with a header line. NULL is nothing between the commas, empty text is `""`. */
export async function writeCsv(out: NodeJS.WritableStream, result: QueryResult): Promise<void> {
  await writeText(out, `${result.columns.map(({ name }) => csvField(name)).join(',')}\n`);
  for await (const chunk of result.rows) {
    const lines = chunk.map((row) => row.map((value) => (value === null ? '' : csvField(valueText(value)))).join(','));
    if (lines.length > 0) await writeText(out, `${lines.join('\n')}\n`);
  }
}

function csvField(text: string): string {
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Writes one JSON object a line. */
export async function writeNdjson(out: NodeJS.WritableStream, result: QueryResult): Promise<void> {
  for await (const text of objectTexts(result)) await writeText(out, `${text.join('\n')}\n`);
}

/** Writes one JSON list of objects, a row a line. */
export async function writeJsonRows(out: NodeJS.WritableStream, result: QueryResult): Promise<void> {
  let before = '[\n';
  for await (const text of objectTexts(result)) {
    await writeText(out, `${before}${text.join(',\n')}`);
    before = ',\n';
  }
  await writeText(out, before === '[\n' ? '[]\n' : '\n]\n');
}

/** The rows of each chunk as JSON objects; chunks without rows are left out. */
async function* objectTexts(result: QueryResult): AsyncGenerator<string[]> {
  const keys = uniqueNames(result.columns).map((name) => `${JSON.stringify(name)}:`);
  for await (const chunk of result.rows) {
    const texts = chunk.map(
      (row) => `{${row.map((value, index) => `${keys[index] ?? ''}${valueJson(value)}`).join(',')}}`,
    );
    if (texts.length > 0) yield texts;
  }
}

/** Two columns may share a name; as keys of one object they must not. */
function uniqueNames(columns: readonly QueryColumn[]): string[] {
  const seen = new Set<string>();
  return columns.map(({ name }) => {
    let unique = name;
    for (let n = 2; seen.has(unique); n += 1) unique = `${name}_${n}`;
    seen.add(unique);
    return unique;
  });
}
