import { type ColumnType, EdrlakeError, quoteName, quoteText } from '@edrlake/core';
import type { Attribute, OcsfVersion } from '../schema/facts.ts';
import { typeFacts } from '../schema/types.ts';

/**
 * SQL of a column's value as an attribute; NULL where the type of the attribute does not take it.
 * @throws {EdrlakeError} `BUG` for an attribute that is an object
 */
export function attributeSql(attribute: Attribute, column: ColumnType, value: string, version: OcsfVersion): string {
  const facts = typeFacts(attribute.type, version);
  if (facts === null) throw new EdrlakeError('BUG', `${attribute.name} is an object`);
  if (attribute.type === 'timestamp_t') return `epoch_ms(${value})`;
  if (facts.stored !== 'VARCHAR') return withinRange(`try_cast(${value} AS ${facts.stored})`, facts.range);
  return takenTextSql(column === 'text' ? value : `${value}::VARCHAR`, facts);
}

/** SQL of any text, or of a number, as an attribute of that type; NULL where the type does not take it. */
export function computedSql(attribute: Attribute, value: string, version: OcsfVersion): string {
  const facts = typeFacts(attribute.type, version);
  if (facts === null) throw new EdrlakeError('BUG', `${attribute.name} is an object`);
  if (attribute.isList) return `(${value})`;
  if (facts.stored !== 'VARCHAR') return withinRange(`try_cast((${value}) AS ${facts.stored})`, facts.range);
  return takenTextSql(`(${value})::VARCHAR`, facts);
}

function withinRange(value: string, range: readonly [number, number] | undefined): string {
  return range === undefined ? value : `CASE WHEN ${value} BETWEEN ${range[0]} AND ${range[1]} THEN ${value} END`;
}

function takenTextSql(
  text: string,
  { pattern, maxLength }: { readonly pattern?: string; readonly maxLength?: number },
): string {
  const conditions = [
    ...(maxLength === undefined ? [] : [`length(${text}) <= ${maxLength}`]),
    ...(pattern === undefined ? [] : [`regexp_full_match(${text}, ${quoteText(pattern)})`]),
  ];
  return conditions.length === 0 ? text : `CASE WHEN ${conditions.join(' AND ')} THEN ${text} END`;
}

/** SQL of the column's value that an attribute was made from. */
export function columnSql(column: ColumnType, attribute: string, value: string): string {
  if (attribute === 'timestamp_t') return `make_timestamptz(${value} * 1000)`;
  const types: Readonly<Record<string, string>> = { integer: 'INTEGER', bigint: 'BIGINT', boolean: 'BOOLEAN' };
  const type = types[column];
  return type === undefined ? value : `try_cast(${value} AS ${type})`;
}

/** SQL of a value as text that `fromTextSql` reads back: times in UTC with what they have of microseconds. */
export function textSql(type: ColumnType, value: string): string {
  return type === 'timestamp' ? `make_timestamp(epoch_us(${value}))::VARCHAR` : `${value}::VARCHAR`;
}

/** SQL of the value of a text of `textSql`. */
export function fromTextSql(type: ColumnType, text: string): string {
  const casts: Readonly<Record<ColumnType, string>> = {
    text: text,
    json: `${text}::JSON`,
    integer: `${text}::INTEGER`,
    bigint: `${text}::BIGINT`,
    boolean: `${text}::BOOLEAN`,
    date: `${text}::DATE`,
    timestamp: `make_timestamptz(epoch_us(${text}::TIMESTAMP))`,
  };
  return casts[type];
}

/** SQL of a member of a struct. */
export function memberSql(struct: string, name: string): string {
  return `struct_extract(${struct}, ${quoteText(name)})`;
}

/** SQL of a struct. */
export function structSql(members: readonly (readonly [name: string, value: string])[]): string {
  return `struct_pack(${members.map(([name, value]) => `${quoteName(name)} := ${value}`).join(', ')})`;
}
