import { type DuckDBConnection, type DuckDBDataChunk, DuckDBScalarFunction, VARCHAR } from '@duckdb/node-api';
import { type Cell, EdrlakeError, isoInstant, MS_PER_DAY, quoteName, stagedType, type TableSpec } from '@edrlake/core';
import { valueTextAt, withPath } from './extra-text.ts';
import { type PromotedColumn, promotedColumns, restOfExtra, takenValue } from './place-values.ts';
import { jsonTextOf, narrowestType, timeFormOf } from './promoted-value.ts';

// DuckDB's own JSON functions write numbers and escapes anew, so the text of `extra` is changed by functions of this
// process. A call takes about 1 µs, and only rows with an `extra` are given to them.

type TextFunction = (...texts: (string | null)[]) => string | null;

/** Functions by connection and by what they do: a name is registered once. */
const registered = new WeakMap<DuckDBConnection, Map<string, string>>();

/** The name of a function over texts on the connection. @param key equal for equal functions */
function functionNamed(connection: DuckDBConnection, key: string, parameters: number, work: TextFunction): string {
  const known = registered.get(connection) ?? new Map<string, string>();
  registered.set(connection, known);
  const before = known.get(key);
  if (before !== undefined) return before;
  const name = `edrlake_extra_${known.size}`;
  connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name,
      returnType: VARCHAR,
      parameterTypes: Array.from({ length: parameters }, () => VARCHAR),
      specialHandling: true,
      mainFunction: (_, input: DuckDBDataChunk, output) => {
        const columns = Array.from({ length: parameters }, (_, index) => input.getColumnVector(index));
        for (let row = 0; row < input.rowCount; row += 1) {
          output.setItem(row, work(...columns.map((column) => column.getItem(row) as string | null)));
        }
        output.flush();
      },
    }),
  );
  known.set(key, name);
  return name;
}

function keyOf(what: string, columns: readonly PromotedColumn[]): string {
  return `${what} ${JSON.stringify(columns.map(({ type, promoted }) => [type, promoted]))}`;
}

/** SQL of the value that a column takes out of `extra`, in the type that staged rows have. */
function takenSql(connection: DuckDBConnection, column: PromotedColumn): string {
  const name = functionNamed(connection, keyOf('take', [column]), 1, (extra) => {
    const cell = extra == null ? null : takenValue(extra, column);
    return cell === null ? null : castableText(cell, column);
  });
  const text = `CASE WHEN extra IS NOT NULL THEN ${name}(extra::VARCHAR) END`;
  return column.type === 'text' ? text : `CAST(${text} AS ${stagedType(column.type)})`;
}

/** A cell as text that DuckDB casts to the column's type. */
function castableText(cell: Exclude<Cell, null>, { type }: PromotedColumn): string {
  if (type === 'timestamp') return isoInstant(Number(cell)).replace('Z', '');
  return type === 'date' ? isoInstant(Number(cell) * MS_PER_DAY).slice(0, 10) : String(cell);
}

/** SQL of `extra` without what the columns take. */
function restSql(connection: DuckDBConnection, columns: readonly PromotedColumn[]): string {
  const name = functionNamed(connection, keyOf('rest', columns), 1, (extra) =>
    extra == null ? null : restOfExtra(extra, columns),
  );
  return `(CASE WHEN extra IS NOT NULL THEN ${name}(extra::VARCHAR) END)::JSON`;
}

/**
 * A query of the rows with the promoted columns filled from `extra`, after their other columns.
 * @param rows a query or table expression with `extra` and without these columns
 */
export function placedRowsSql(connection: DuckDBConnection, rows: string, columns: readonly PromotedColumn[]): string {
  const taken = columns.map((column) => `${takenSql(connection, column)} AS ${quoteName(column.name)}`);
  return `SELECT * REPLACE (${restSql(connection, columns)} AS extra), ${taken.join(', ')} FROM ${rows}`;
}

/**
 * A query of the rows without a promoted column, whose values are in `extra` again.
 * @param rows a query or table expression with both
 */
export function returnedRowsSql(connection: DuckDBConnection, rows: string, column: PromotedColumn): string {
  const name = functionNamed(connection, keyOf('return', [column]), 2, (extra, text) => {
    if (text == null) return extra ?? null;
    const returned = withPath(extra ?? null, column.promoted.path, jsonTextOf(cellOf(text, column), column));
    if (returned === null) throw placeTaken(column);
    return returned;
  });
  const value = quoteName(column.name);
  const text =
    column.type === 'timestamp'
      ? `epoch_ms(${value})::VARCHAR`
      : column.type === 'date'
        ? `(${value} - DATE '1970-01-01')::VARCHAR`
        : `${value}::VARCHAR`;
  const returned = `CASE WHEN ${value} IS NULL THEN extra::VARCHAR ELSE ${name}(extra::VARCHAR, ${text}) END`;
  return `SELECT * EXCLUDE (${value}) REPLACE ((${returned})::JSON AS extra) FROM ${rows}`;
}

function cellOf(text: string, { type }: PromotedColumn): Exclude<Cell, null> {
  return type === 'timestamp' || type === 'date' ? Number(text) : text;
}

const PLACE_TAKEN = 'has a value both in extra and in';

/** Whether a statement failed by `placeTaken`, of which DuckDB makes an error of its own with the same text. */
export function isPlaceTaken(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.message.includes(PLACE_TAKEN);
}

/** What is wrong with such a row. */
export function placeTaken({ name, promoted }: PromotedColumn): EdrlakeError {
  return new EdrlakeError('LAKE_CORRUPT', `a row ${PLACE_TAKEN} ${name}, at ${promoted.path.join('.')}`, {
    context: { column: name },
    hint: 'Nothing was changed. edrlake never writes such rows: run edrlake verify, which names changed files.',
  });
}

/**
 * SQL of what `extra` has at a path: the narrowest type of its value (see `narrowestType`), with the form of an instant
 * after a colon; NULL where there is no value.
 */
export function kindSql(connection: DuckDBConnection, path: readonly string[]): string {
  const name = functionNamed(connection, `kind ${JSON.stringify(path)}`, 1, (extra) => {
    const json = extra == null ? null : valueTextAt(extra, path);
    if (json === null || json === 'null') return null;
    return `${narrowestType(json)}:${timeFormOf(json) ?? ''}`;
  });
  return `CASE WHEN extra IS NOT NULL THEN ${name}(extra::VARCHAR) END`;
}

/** SQL of whether a column takes a value out of `extra`. */
export function takesSql(connection: DuckDBConnection, column: PromotedColumn): string {
  return `(${takenSql(connection, column)}) IS NOT NULL`;
}

/** Views over the staged rows of a batch, with the promoted columns of the lake. */
export interface PlacedViews {
  /** Lake table name → what to read its rows from. */
  readonly rowTables: Readonly<Record<string, string>>;
  /** Names of the views, to be dropped. */
  readonly views: readonly string[];
}

/** Makes a view over each staged table whose table has promoted columns; nothing is computed before it is read. */
export async function placeStaged(
  connection: DuckDBConnection,
  rowTables: Readonly<Record<string, string>>,
  tables: readonly TableSpec[],
): Promise<PlacedViews> {
  const shown: Record<string, string> = { ...rowTables };
  const views: string[] = [];
  for (const table of tables) {
    const promoted = promotedColumns(table);
    const staged = rowTables[table.name];
    if (promoted.length === 0 || staged === undefined) continue;
    const view = `${staged}_placed`;
    await connection.run(
      `CREATE OR REPLACE TEMP VIEW ${quoteName(view)} AS ${placedRowsSql(connection, quoteName(staged), promoted)}`,
    );
    views.push(view);
    shown[table.name] = view;
  }
  return { rowTables: shown, views };
}
