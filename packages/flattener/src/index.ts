/**
 * Nested event JSON to the tables of a dataset, by two executors that agree row for row: DuckDB SQL for bulk, and
 * TypeScript in this process. `@edrlake/flattener/in-process` makes Arrow tables of it.
 *
 * The rules, in both:
 * - Text: the first alternative that is not null or blank (white space only), as delivered otherwise. A number, a
 *   boolean or an object is its JSON text. An array of one scalar is that scalar, an array of blanks is nothing, any
 *   other array is its JSON text. Numbers keep their digits: integers of any size exactly, others as the shortest text
 *   of their double.
 * - Integers from digits with an optional sign (`12`, `"12"`, `12.0`) that fit; booleans from true and false in any
 *   case.
 * - Times from ISO instants with `Z`, an offset with or without colon, or nothing (UTC), cut to milliseconds, from 12
 *   to 14 digits of epoch milliseconds, and from 10 of epoch seconds, as a number or as text. Years begin with 1 or 2;
 *   those of a certificate may be any up to 9999. A creation time of the epoch itself is NULL.
 * - Paths: see `normalPath` and `fullFilePath`. JSON sections whole, NULL when null, blank or empty.
 * - Child rows: one for each array element that is not null, `position` from 0 in the delivered array. A single object
 *   in the place of an array is its only element.
 * - A record inside a wrapper, as `wrappedRecord` knows it, is that record, with the wrapper's other members.
 * - `extra`: everything that is not null and that no column took, nested as delivered: unknown fields; text that does
 *   not parse as its column's type; an alternative that says something else than the chosen one; a section that is no
 *   object; an array that is none. An element that is no object is a child row with nothing but its `extra`.
 * - A record that is no object, has no id, or no readable event time is a reject. Every record is an event or a reject.
 * - Of a key delivered twice in one object the first counts. The order of members inside JSON columns carries no
 *   meaning.
 */

export { type FlatRows, flattenOne } from './in-process/flatten-one.ts';
export { type StageRowsOptions, stageRows } from './in-process/stage-rows.ts';
export { recordShapeOf } from './spec/record-spec.ts';
export { dropStagedBatch, type StageOptions, stageBatch } from './stage/stage-batch.ts';
