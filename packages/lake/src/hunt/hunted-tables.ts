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

/** Leaves out files of which the index says that they hold nothing that is sought. */
export async function fewerFiles(
  tools: Pick<CommitTools, 'store' | 'tables'>,
  connection: DuckDBConnection,
  wanted: readonly HuntedTable[],
  indicators: readonly Indicator[],
): Promise<HuntedTable[]> {
  const sought = indicators.flatMap((indicator) => indicator.sought).filter(({ observable }) => isIndexed(observable));
  const isAnswered = ({ columns }: HuntedTable) => columns.every(({ observable }) => isIndexed(observable));
  const asked = new Set(wanted.filter(isAnswered).flatMap(({ files }) => files));
  const mayHold = new Set(await filesThatMayHold(tools, connection, sought, [...asked]));
  return wanted.map((one) =>
    isAnswered(one) ? { ...one, files: one.files.filter((file) => mayHold.has(file)) } : one,
  );
}

/** Those of the days that a range touches; all of them without one. */
export function filesDuring(files: readonly LoggedFile[], range: TimeRange | undefined): LoggedFile[] {
  if (range === undefined) return [...files];
  const [first, last] = [dayOf(range.startMs), dayOf(range.endMs - 1)];
  return files.filter((file) => first <= partitionDay(file) && partitionDay(file) <= last);
}
