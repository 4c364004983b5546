export { CHILD_TABLES, DOCUMENTED_LEFTOVERS, LAKE_TABLES } from './lake-tables.ts';
export { odditiesOf } from './oddities.ts';
export { childRowsSql, oddElementsSql } from './sql-children.ts';
export { arrayColumn, eventsSql, RECORD_SECTIONS, recordShapesSql } from './sql-events.ts';
export { NO_ODDITIES, type Oddities } from './sql-extra.ts';
