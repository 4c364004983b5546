import type { DuckDBConnection } from '@duckdb/node-api';
import { dayOf, type TableSpec, type TimeRange } from '@edrlake/core';
import type { Indicator } from '../indicators/indicator.ts';
import type { CommitTools } from '../log/commit-context.ts';
import type { LoggedFile } from '../log/lake-state.ts';
import type { Snapshot } from '../log/snapshot.ts';
import { isEventTable, partitionDay } from '../log/table-rows.ts';
import { isIndexed } from '../value-index/index-files.ts';
import { filesThatMayHold } from '../value-index/look-up.ts';
import type { HuntedTable } from './hits.ts';

/** The tables with columns of the kinds that are sought, and their files of the days that the range touches. */
export function huntedTables(
  tables: readonly TableSpec[],
  files: Snapshot['files'],
  indicators: readonly Indicator[],
  range: TimeRange | undefined,
): HuntedTable[] {
  const kinds = new Set(indicators.flatMap(({ sought }) => sought.map(({ observable }) => observable)));
  return tables.filter(isEventTable).flatMap((table) => {
    const columns = table.columns.flatMap(({ name, observable }) =>
      observable !== undefined && kinds.has(observable) ? [{ name, observable }] : [],
    );
    return columns.length === 0 ? [] : [{ table, columns, files: filesDuring(files[table.name] ?? [], range) }];
  });
}

/** What is left of a hunt after a look into the index. */
export interface LessToRead {
  readonly tables: readonly HuntedTable[];
  /** In their order; of those that no file can hold nothing is sought any more. */
  readonly indicators: readonly Indicator[];
}

/** Leaves out files that hold nothing of what is sought, and what is sought but in none of the others, by the index. */
export async function askIndex(
  tools: Pick<CommitTools, 'store' | 'tables'>,
  connection: DuckDBConnection,
  wanted: readonly HuntedTable[],
  indicators: readonly Indicator[],
): Promise<LessToRead> {
  const asked = indicators.flatMap((indicator) => indicator.sought).filter(({ observable }) => isIndexed(observable));
  const isAnswered = ({ columns }: HuntedTable) => columns.every(({ observable }) => isIndexed(observable));
  const ofAnswered = new Set(wanted.filter(isAnswered).flatMap(({ files }) => files));
  const { files, sought } = await filesThatMayHold(tools, connection, asked, [...ofAnswered]);
  const mayHold = new Set(files);
  const tables = wanted.map((one) =>
    isAnswered(one) ? { ...one, files: one.files.filter((file) => mayHold.has(file)) } : one,
  );
  if (sought === null || !wanted.every(isAnswered)) return { tables, indicators };
  const left = indicators.map((one) => ({ ...one, sought: one.sought.filter((each) => sought.has(each)) }));
  return { tables, indicators: left };
}

/** Those of the days that a range touches; all of them without one. */
export function filesDuring(files: readonly LoggedFile[], range: TimeRange | undefined): LoggedFile[] {
  if (range === undefined) return [...files];
  const [first, last] = [dayOf(range.startMs), dayOf(range.endMs - 1)];
  return files.filter((file) => first <= partitionDay(file) && partitionDay(file) <= last);
}
