import { countText, nounText, writeText } from '@edrlake/core';
import { isNumeric, type QueryResult, valueText } from '@edrlake/lake';
import { tableText } from '../text/table-text.ts';

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
