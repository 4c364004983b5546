import { sum } from '@edrlake/core';
import { displayWidth, oneLine, padEnd, padStart, truncate, wrapWords } from './text-width.ts';

/** A column's title and the side its cells keep to; left when not said. */
export interface TableColumn {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Its cells are never cut. */
  readonly isWhole?: boolean;
}

const GAP = '  ';
const NARROWEST_COLUMN = 6;

/**
 * Rows as an aligned text table: titles, a rule, one line a row. Where it is wider than `width`, the widest columns are
 * cut first; null keeps every cell whole. Ends without a line break.
 */
export function tableText(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  width: number | null,
): string {
  const cells = rows.map((row) => columns.map((_, index) => oneLine(row[index] ?? '')));
  const natural = columns.map((column, index) =>
    Math.max(displayWidth(column.title), ...cells.slice(0, 5_000).map((row) => displayWidth(row[index] ?? ''))),
  );
  const widths = width === null ? natural : fitWidths(columns, natural, width - GAP.length * (columns.length - 1));
  const line = (row: readonly string[]) =>
    columns
      .map((column, index) => {
        const cellWidth = widths[index] ?? 0;
        const text = truncate(row[index] ?? '', cellWidth);
        return column.align === 'right' ? padStart(text, cellWidth) : padEnd(text, cellWidth);
      })
      .join(GAP)
      .trimEnd();
  const titles = line(columns.map((column) => column.title));
  const rule = widths.map((columnWidth) => '─'.repeat(columnWidth)).join(GAP);
  return [titles, rule, ...cells.map(line)].join('\n');
}

/** Takes cells from the widest column until all fit, or every column is as narrow as is still of use. */
function fitWidths(columns: readonly TableColumn[], natural: readonly number[], available: number): number[] {
  const widths = [...natural];
  const isCut = (index: number) => columns[index]?.isWhole !== true;
  let excess = sum(widths, (columnWidth) => columnWidth) - available;
  while (excess > 0) {
    const cuttable = widths.map((width, at) => (isCut(at) ? width : 0));
    const widest = Math.max(...cuttable);
    if (widest <= NARROWEST_COLUMN) break;
    const index = cuttable.indexOf(widest);
    const second = Math.max(NARROWEST_COLUMN, ...cuttable.filter((other) => other < widest));
    const cut = Math.min(excess, Math.max(1, widest - second));
    widths[index] = widest - cut;
    excess -= cut;
  }
  return widths;
}

/**
 * `name  value` lines with the values aligned, and broken between words where a line would be wider than `lineWidth`.
 */
export function pairsText(
  pairs: readonly (readonly [string, string])[],
  indent = '',
  lineWidth: number | null = null,
): string {
  const nameWidth = Math.max(0, ...pairs.map(([name]) => displayWidth(name)));
  const valueWidth = lineWidth === null ? Number.POSITIVE_INFINITY : lineWidth - indent.length - nameWidth - GAP.length;
  const lines = pairs.flatMap(([name, value]) =>
    wrapWords(value, valueWidth).map(
      (text, line) => `${indent}${padEnd(line === 0 ? name : '', nameWidth)}${GAP}${text}`,
    ),
  );
  return lines.map((line) => line.trimEnd()).join('\n');
}
