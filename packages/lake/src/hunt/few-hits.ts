import type { DuckDBConnection } from '@duckdb/node-api';
import { type Observable, quoteName, quoteText } from '@edrlake/core';
import type { Indicator } from '../indicators/indicator.ts';
import { narrowed, type TableReader, tableRowsSql } from '../log/table-rows.ts';
import type { Hits, HuntedTable } from './hits.ts';

/** More values than these are a table to join: a list of constants is planned and compared value by value. */
const FEW_VALUES = 100;
/** More hits than these are counted and joined in DuckDB. */
const FEW_HITS = 200;

/** The indicators of each value, by the kind of columns that it is looked for in. */
type FewValues = ReadonlyMap<Observable, ReadonlyMap<string, readonly number[]>>;

/**
 * Values that are few and stand for themselves; null for patterns, long lists, and letters beyond ASCII, of which
 * DuckDB alone knows the lower case.
 */
function fewValues(indicators: readonly Indicator[]): FewValues | null {
  const byKind = new Map<Observable, Map<string, number[]>>();
  const all = indicators.flatMap(({ sought }, n) => sought.map((one) => ({ ...one, n })));
  if (all.length > FEW_VALUES) return null;
  for (const { observable, how, value, n } of all) {
    if (how !== 'equal' || !/^[\0-\x7f]*$/.test(value)) return null;
    const ofKind = byKind.get(observable) ?? new Map<string, number[]>();
    const text = value.toLowerCase();
    byKind.set(observable, ofKind.set(text, [...(ofKind.get(text) ?? []), n]));
  }
  return byKind;
}

/** A hit as the columns of `hunt_hits`. */
interface Hit {
  readonly table: string;
  readonly column: string;
  readonly file: string;
  readonly row: string;
  readonly value: string;
  readonly n: number;
}

/**
 * The hits of a short list of values, without tables for what is sought and found: making, joining and reading these
 * takes longer than a scan of one file. One scan of each table.
 * @returns null where values or hits are too many, or not all values stand for themselves
 */
export async function findFewHits(
  connection: DuckDBConnection,
  reader: TableReader,
  tables: readonly HuntedTable[],
  indicators: readonly Indicator[],
): Promise<Hits | null> {
  const values = fewValues(indicators);
  if (values === null) return null;
  const hits = new Map<string, Hit>();
  for (const { table, columns, files } of tables) {
    if (files.length === 0 || columns.length === 0) continue;
    const holds = columns.map(({ name, observable }) => {
      const texts = [...(values.get(observable)?.keys() ?? [])].map(quoteText);
      return texts.length === 0 ? 'false' : `lower(${quoteName(name)}) IN (${texts.join(', ')})`;
    });
    const shown = columns.map(({ name }) => `${quoteName(name)}, lower(${quoteName(name)})`);
    const narrow = narrowed(
      table,
      columns.map(({ name }) => name),
    );
    const found = await connection.runAndReadAll(
      `SELECT lake_file, lake_row, ${shown.join(', ')} FROM (${tableRowsSql(reader, narrow, files, { withPlace: true })})
       WHERE ${holds.join(' OR ')} LIMIT ${FEW_HITS + 1}`,
    );
    for (const [file, row, ...pairs] of found.getRows()) {
      for (const [position, { name, observable }] of columns.entries()) {
        const [value, lower] = pairs.slice(2 * position, 2 * position + 2);
        for (const n of values.get(observable)?.get(String(lower)) ?? []) {
          const hit = {
            table: table.name,
            column: name,
            file: String(file),
            row: String(row),
            value: String(value),
            n,
          };
          hits.set(JSON.stringify(hit), hit);
        }
      }
    }
    if (found.currentRowCount > FEW_HITS || hits.size > FEW_HITS) return null;
  }
  return hitsOf([...hits.values()]);
}

function hitsOf(hits: readonly Hit[]): Hits {
  const rows = hits.map(
    ({ table, column, file, row, value, n }) =>
      `(${[table, column, file].map(quoteText)}, ${row}, ${quoteText(value)}, ${n})`,
  );
  return {
    sql: `(SELECT * FROM (VALUES ${rows.join(', ')}) AS f(table_name, column_name, lake_file, lake_row, value, n))`,
    locations: new Set(hits.map(({ file }) => file)),
    rowsSql: (table) => `lake_row IN (${hits.filter((hit) => hit.table === table).map(({ row }) => row)})`,
  };
}
