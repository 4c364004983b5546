import { quoteText } from '@edrlake/core';
import type { SourceField, SourceSection } from '../spec/source-tree.ts';

/**
 * Where a query has the JSON of a record or element, and how its fields are addressed. All parts are SQL
 * expressions.
 */
export interface JsonScope {
  /** The JSON text that holds the record or element. */
  readonly json: string;
  /** JSON pointer of the field with that dotted path. */
  pointer(path: string): string;
}

/**
 * What a batch holds beyond the spec, by dotted path (`''` the root), each with the BOOLEAN column that says whether a
 * row has it: looking for it costs as much as all columns together, so only such rows are searched.
 */
export interface Irregularities {
  /** Sections with at least one key the spec does not know. */
  readonly unknownKeysIn: ReadonlyMap<string, string>;
  /** Sections that some record has as something other than an object with keys. */
  readonly brokenSections: ReadonlyMap<string, string>;
}

/** Nothing beyond the spec: no row is searched. */
export const NO_IRREGULARITIES: Irregularities = { unknownKeysIn: new Map(), brokenSections: new Map() };

/** Names of the columns that say what a row has. */
export function irregularColumns(irregularities: Irregularities): readonly string[] {
  return [...irregularities.unknownKeysIn.values(), ...irregularities.brokenSections.values()];
}

/** A field with its known path, in JSON-pointer form, for scopes whose root is the whole text. */
export function pointerOf(path: string): string {
  return path === '' ? '' : `/${path.replaceAll('.', '/')}`;
}

/**
 * `extra` as JSON text: what the tree's columns did not take, in tree order, unknown keys after known ones; NULL when
 * nothing is left.
 * @param leftSql the JSON text of a field that was not taken (NULL when it was), as SQL
 */
export function extraSql(
  tree: SourceSection,
  scope: JsonScope,
  leftSql: (field: SourceField) => string | null,
  irregularities: Irregularities,
): string {
  return braced(membersSql(tree, scope, leftSql, irregularities));
}

function membersSql(
  section: SourceSection,
  scope: JsonScope,
  leftSql: (field: SourceField) => string | null,
  irregularities: Irregularities,
): string {
  const pieces: string[] = [];
  for (const member of section.members) {
    const key = quoteText(`"${member.name}":`);
    if (member.kind === 'field') {
      const left = leftSql(member);
      if (left !== null) pieces.push(`${key} || ${left}`);
      continue;
    }
    const inside = `${key} || ${braced(membersSql(member, scope, leftSql, irregularities))}`;
    const isBroken = irregularities.brokenSections.get(member.path);
    const broken = `CASE WHEN ${isBroken} THEN ${key} || ${brokenSql(member, scope)} END`;
    pieces.push(isBroken === undefined ? inside : `coalesce(${broken}, ${inside})`);
  }
  const hasUnknown = irregularities.unknownKeysIn.get(section.path);
  if (hasUnknown !== undefined) pieces.push(`CASE WHEN ${hasUnknown} THEN ${unknownSql(section, scope)} END`);
  return `concat_ws(',', ${pieces.length === 0 ? 'NULL' : pieces.join(', ')})`;
}

function braced(members: string): string {
  return `('{' || nullif(${members}, '') || '}')`;
}

/** The JSON of a section that is no object; NULL when it is one, or null, or blank text. */
function brokenSql(section: SourceSection, scope: JsonScope): string {
  const pointer = scope.pointer(section.path);
  const value = `json_extract(${scope.json}, ${pointer})::VARCHAR`;
  return `CASE WHEN json_type(${scope.json}, ${pointer}) NOT IN ('OBJECT', 'NULL') THEN ${unblankJsonSql(value)} END`;
}

/**
 * `"key":value` of every key the spec does not know and whose value is not null, in delivered order. The section is
 * parsed once: a `json_extract` for each key would parse it as often as it has keys, and keep each result.
 */
function unknownSql(section: SourceSection, scope: JsonScope): string {
  const known = section.members.map((member) => quoteText(member.name)).join(', ');
  const pointer = scope.pointer(section.path);
  const json = section.path === '' && pointer === "''" ? scope.json : `json_extract(${scope.json}, ${pointer})`;
  const members = `map_entries(json_transform(${json}, '"MAP(VARCHAR, JSON)"'))`;
  const value = "nullif(member.value::VARCHAR, 'null')";
  const isUnknown = `member -> member.key NOT IN (${known})`;
  const pairs = `list_transform(list_filter(${members}, ${isUnknown}), member -> to_json(member.key)::VARCHAR || ':' || ${value})`;
  return `list_aggregate(${pairs}, 'string_agg', ',')`;
}

/** JSON text, or NULL where it is a string of blanks. */
export function unblankJsonSql(json: string): string {
  return `CASE WHEN starts_with(${json}, '"') AND regexp_full_match(${json}, '"( |\\\\t|\\\\n|\\\\r|\\\\f|\\\\u000B)*"') THEN NULL ELSE ${json} END`;
}
