import { quoteName, quoteText, type TableSpec } from '@edrlake/core';
import type { RecordSpec } from '../spec/record-spec.ts';
import { elementTree, type SourceSection } from '../spec/source-tree.ts';
import { type Irregularities, irregularColumns } from './extra.ts';
import { arrayColumn } from './irregular-events.ts';

// What records of a batch have that the spec does not name. Which keys a record has in each section is its shape: a
// batch has few shapes, so the names are compared once for each of them, and the irregular records are then found by
// their hash.

/**
 * The bits of a shape's `irregular`: a section with unknown keys, a section that is something other than an object with
 * keys.
 */
function bitsOf({ sections }: RecordSpec) {
  const unknown = (section: SourceSection) => 1n << BigInt(sections.indexOf(section));
  return { unknown, broken: (section: SourceSection) => unknown(section) << BigInt(sections.length) };
}

/**
 * The irregular records, in DuckDB SQL: `content_hash UBIGINT`, unique, and `irregular BIGINT`, a set of bits
 * for `irregularitiesOf` and `eventsSql`.
 * @param staging a relation with `record VARCHAR` (valid JSON)
 */
export function irregularRecordsSql(spec: RecordSpec, staging: string): string {
  const { sections } = spec;
  const bitOf = bitsOf(spec);
  const keysOf = (section: SourceSection) => `keys[${sections.indexOf(section) + 1}]`;
  const bits = sections.flatMap((section) => [
    `CASE WHEN ${hasUnknownSql(keysOf(section), section)} THEN ${bitOf.unknown(section)} ELSE 0 END`,
    ...section.members.flatMap((member) =>
      member.kind === 'section'
        ? `CASE WHEN list_contains(${keysOf(section)}, ${quoteText(member.name)}) AND coalesce(len(${keysOf(member)}), 0) = 0 THEN ${bitOf.broken(member)} ELSE 0 END`
        : [],
    ),
  ]);
  const hashed = `SELECT hash(record) AS content_hash, ${keysSql(spec, 'record')} AS keys FROM ${staging}`;
  const shapes = `SELECT any_value(keys) AS keys, list(content_hash) AS records FROM (${hashed}) GROUP BY hash(keys::VARCHAR)`;
  const irregular = `SELECT records, (${bits.join(' + ')})::BIGINT AS irregular FROM (${shapes})`;
  return `SELECT DISTINCT unnest(records) AS content_hash, irregular FROM (${irregular}) WHERE irregular > 0`;
}

/** Which irregularities some records have. @param irregular the union of their bits */
export function irregularitiesOf(spec: RecordSpec, irregular: bigint): Irregularities {
  const { unknown, broken } = bitsOf(spec);
  const having = (bitOf: (section: SourceSection) => bigint) =>
    new Map(
      spec.sections
        .filter((section) => (irregular & bitOf(section)) !== 0n)
        .map((section) => [section.path, quoteName(`irregular:${bitOf(section)}`)]),
    );
  return { unknownKeysIn: having(unknown), brokenSections: having(broken) };
}

/**
 * The columns `eventsSql` wants for a batch with irregularities, as select items over a relation with `content_hash`.
 * Membership instead of a join: DuckDB cannot know how many records there are, and would build the join's hash table
 * from them.
 * @param irregularRecords a relation made by `irregularRecordsSql`
 */
export function irregularColumnsSql(irregularRecords: string, irregularities: Irregularities): readonly string[] {
  return irregularColumns(irregularities).map((column) => {
    const bit = column.replace(/\D/g, '');
    return `content_hash IN (SELECT content_hash FROM ${irregularRecords} WHERE (irregular & ${bit}) > 0) AS ${column}`;
  });
}

/**
 * Whether some element of an array has a key the spec does not know, or none at all (so it may be no object), in DuckDB
 * SQL: one row with `path` and `is_irregular` (NULL where no event has the array).
 * @param events as for `childRowsSql`
 */
export function irregularElementsSql(table: TableSpec, path: string, events: string): string {
  const array = quoteName(arrayColumn(path));
  // As text: DuckDB has one hash for the lists `[]` and `[[]]`, those of an empty array and of one without an object.
  const shapes = `SELECT any_value(${array}) AS array_json FROM ${events} WHERE ${array} IS NOT NULL GROUP BY hash(json_keys(${array}, '$[*]')::VARCHAR)`;
  return `SELECT ${quoteText(path)} AS path, bool_or(${isIrregularArraySql(table)}) AS is_irregular FROM (${shapes})`;
}

/** Whether some element of the JSON array `array_json` is irregular, as a SQL condition. */
export function isIrregularArraySql(table: TableSpec): string {
  const irregular = `len(keys) = 0 OR ${hasUnknownSql('keys', elementTree(table.columns))}`;
  return `len(list_filter(json_keys(array_json, '$[*]'), keys -> ${irregular})) > 0`;
}

/** The keys of each section, as a list of lists. */
export function keysSql({ sections }: RecordSpec, record: string): string {
  const paths = sections.map(({ path }) => quoteText(path === '' ? '$' : `$.${path}`)).join(', ');
  return `json_keys(${record}, [${paths}])`;
}

function hasUnknownSql(keys: string, section: SourceSection): string {
  const known = section.members.map((member) => quoteText(member.name)).join(', ');
  return `coalesce(len(list_filter(${keys}, key -> key NOT IN (${known}))), 0) > 0`;
}
