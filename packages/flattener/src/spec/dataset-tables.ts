import type { Dataset, TableSpec } from '@edrlake/core';

/** The table with one row for each event. */
export function eventsTableOf({ tables }: Dataset): TableSpec {
  return tables[0] as TableSpec;
}

/** The tables whose rows come from arrays inside an event. */
export function childTablesOf({ tables }: Dataset): readonly TableSpec[] {
  return tables.filter(({ arrays }) => arrays !== null);
}
