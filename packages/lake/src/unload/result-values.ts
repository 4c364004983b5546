import type { QueryColumn, QueryValue } from '../query/values.ts';

/** A value as text; NULL is the empty string. Nested values are JSON. */
export function valueText(value: QueryValue): string {
  if (value === null) return '';
  if (typeof value === 'string') return value;
  return typeof value === 'object' ? valueJson(value) : String(value);
}

/** A value as JSON text. Integers keep all their digits: JSON has no limit, only some of its readers do. */
export function valueJson(value: QueryValue): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return value.toString();
  // JSON has no word for what is not a number.
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : JSON.stringify(String(value));
  if (typeof value === 'string') return JSON.stringify(value);
  if (isList(value)) return `[${value.map(valueJson).join(',')}]`;
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}:${valueJson(member)}`);
  return `{${members.join(',')}}`;
}

function isList(value: QueryValue): value is readonly QueryValue[] {
  return Array.isArray(value);
}

/** Whether the values of a column line up on the right. */
export function isNumeric(column: QueryColumn): boolean {
  return /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL)/.test(column.type);
}
