/** A column of a query result. */
export interface ResultColumn {
  readonly name: string;
  /** DuckDB's name of the type: `BIGINT`, `TIMESTAMP`, `VARCHAR[]`, … */
  readonly type: string;
}

/**
 * A cell, exact: 64-bit and larger integers as `bigint`, times and dates and everything without a JavaScript type of its own as
 * the text DuckDB shows for it, nested values as lists and objects of cells.
 */
export type Cell = null | boolean | number | bigint | string | readonly Cell[] | { readonly [key: string]: Cell };

/** Rows of a query in order, a chunk at a time, so that memory does not grow with the result. */
export interface QueryRows {
  readonly columns: readonly ResultColumn[];
  readonly chunks: AsyncIterable<readonly (readonly Cell[])[]>;
}

/** A cell as text; NULL is the empty string. Nested values are JSON. */
export function cellText(cell: Cell): string {
  if (cell === null) return '';
  if (typeof cell === 'string') return cell;
  return typeof cell === 'object' ? cellJson(cell) : String(cell);
}

/** A cell as JSON text. Integers keep all their digits: JSON has no limit, only some of its readers do. */
export function cellJson(cell: Cell): string {
  if (cell === null || typeof cell === 'boolean') return String(cell);
  if (typeof cell === 'bigint') return cell.toString();
  // JSON has no word for what is not a number.
  if (typeof cell === 'number') return Number.isFinite(cell) ? String(cell) : JSON.stringify(String(cell));
  if (typeof cell === 'string') return JSON.stringify(cell);
  if (Array.isArray(cell)) return `[${cell.map(cellJson).join(',')}]`;
  const members = Object.entries(cell).map(([key, value]) => `${JSON.stringify(key)}:${cellJson(value)}`);
  return `{${members.join(',')}}`;
}

/** Whether the values of a column line up on the right. */
export function isNumeric(column: ResultColumn): boolean {
  return /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL)/.test(column.type);
}
