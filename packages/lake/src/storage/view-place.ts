import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { quoteText, textListSql } from '@edrlake/core';
import { VIEW_FILE } from './layout.ts';

/** The DuckDB variable in which a session sets the lake of an attached `lake.duckdb`. */
const PLACE_VARIABLE = 'edrlake_lake';

/** How the views of `lake.duckdb` find the lake's files, as SQL. */
export interface ViewPlace {
  /** The files of a list, at the current place of the lake. */
  filesSql(paths: readonly string[]): string;
  /** A condition that is true, or ends the query with an error where the files would be those of another lake. */
  readonly guardSql: string;
}

/** DuckDB sets it itself where `lake.duckdb` is the database it was started with. */
const TEMP = `current_setting('temp_directory')`;
const TEMP_NAME = `${VIEW_FILE}.tmp`;
const IS_MAIN = `regexp_matches(${TEMP}, ${quoteText(`(^|[/\\\\])${TEMP_NAME.replaceAll('.', '\\.')}$`)})`;
const GIVEN = `getvariable('${PLACE_VARIABLE}')`;

/**
 * Views cannot ask for the path of their own database. But DuckDB puts its temporary files next to the file it was
 * started with, and a setting names that folder: `duckdb lake/lake.duckdb` finds the lake wherever it was moved, copied
 * or mounted. Where the file is attached to another database, or the setting was changed, the views use the place that
 * they were written for, or the one that a variable names. The guard then compares it with the place of the attached
 * file: the views of a copy must never show the original.
 * @param directory of the lake, absolute, that the views are written for
 * @param stamp by which the guard finds this `lake.duckdb` among all attached ones; it is the comment of `lake_info`
 */
export async function viewPlace(directory: string, stamp: string): Promise<ViewPlace> {
  const names = new Set([directory, await realpath(directory)]);
  const writtenFor = [...names].map((name) => quoteText(join(name, VIEW_FILE))).join(', ');
  const folder = `CASE WHEN ${GIVEN} IS NOT NULL THEN rtrim(${GIVEN}, '/') || '/' WHEN ${IS_MAIN} THEN left(${TEMP}, -${
    TEMP_NAME.length
  }) ELSE ${quoteText(join(directory, '/'))} END`;
  // DuckDB reads these characters in file names as patterns.
  const pattern = `regexp_replace(${folder}, '[*?\\[]', '[\\0]', 'g')`;
  const isHere = `CASE WHEN ${GIVEN} IS NOT NULL THEN d.path = rtrim(${GIVEN}, '/') || '/${VIEW_FILE}' WHEN ${IS_MAIN} THEN d.database_oid = (SELECT min(database_oid) FROM duckdb_databases() WHERE NOT internal) ELSE d.path IN (${writtenFor}) END`;
  const refusal = `${quoteText(`${VIEW_FILE} was written for ${directory} and is attached as `)} || coalesce(string_agg(path, ' and '), 'none') || '. Open it as the main database, or attach one and say where its lake is: SET VARIABLE ${PLACE_VARIABLE} = ''/path/of/the/lake'''`;
  return {
    filesSql: (paths) => `list_transform(${textListSql(paths)}, lambda file: ${pattern} || file)`,
    guardSql: `(SELECT CASE WHEN count(*) = 1 AND coalesce(bool_and(is_here), false) THEN true ELSE error(${refusal}) END FROM (SELECT d.path, ${isHere} AS is_here FROM duckdb_databases() d JOIN duckdb_tables() t USING (database_name) WHERE t.table_name = 'lake_info' AND t.comment = ${quoteText(stamp)}))`,
  };
}
