import type { QueryColumn, QueryResult } from '@edrlake/lake';
import { writeText } from '../process/process-context.ts';
import { countText, nounText } from '../text/format-numbers.ts';
import { tableText } from '../text/table-text.ts';
import { isNumeric, valueJson, valueText } from './result-values.ts';

/** More rows than this are not read at a terminal; other formats have all of them. */
const TABLE_ROWS = 500;
const NULL_TEXT = 'NULL';

/** Writes a result as an aligned table with the number of rows below; NULL differs from empty text. */
export async function writeTable(out: NodeJS.WritableStream, result: QueryResult, width: number | null): Promise<void> {
  const rows: string[][] = [];
  let rowCount = 0;
  for await (const chunk of result.rows) {
    for (const row of chunk) {
      rowCount += 1;
      if (rows.length < TABLE_ROWS) rows.push(row.map((value) => (value === null ? NULL_TEXT : valueText(value))));
    }
  }
  if (result.columns.length === 0) return;
  const columns = result.columns.map((column) => ({
    title: column.name,
    align: isNumeric(column) ? ('right' as const) : ('left' as const),
  }));
  const left = rowCount - rows.length;
  const sum =
    left > 0
      ? `${countText(TABLE_ROWS)} of ${nounText(rowCount, 'row')}; --format csv has all`
      : nounText(rowCount, 'row');
  await writeText(out, `${tableText(columns, rows, width)}\n(${sum})\n`);
}

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
