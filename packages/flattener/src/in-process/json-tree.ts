import { EdrlakeError } from '@edrlake/core';
import { isLosslessNumber, LosslessNumber, parse } from 'lossless-json';

/**
 * A parsed JSON value whose numbers carry their text. Of an object's members only the order is not kept for keys like
 * `7`.
 */
export type JsonValue = null | boolean | string | LosslessNumber | readonly JsonValue[] | JsonObject;

/** Own members in delivered order, except that keys like `7` come first. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** Parses one JSON value; of a key delivered twice the first counts. @throws {SyntaxError} when it is no JSON. */
export function parseJson(text: string): JsonValue {
  return parse(text, null, {
    parseNumber: (digits) => new LosslessNumber(canonicalNumber(digits)),
    onDuplicateKey: ({ oldValue }) => oldValue,
  }) as JsonValue;
}

/** Far deeper than any event; what contains itself is deeper than anything. */
const MAX_DEPTH = 1_000;

/**
 * A value in memory as what `parseJson` makes of its JSON text: as `JSON.stringify` sees it, but bigints and numbers of
 * `lossless-json` keep their digits.
 * @throws {EdrlakeError} `USAGE` for an object that contains itself
 */
export function jsonValueOf(value: unknown, depth = 0): JsonValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    return Number.isFinite(value) ? new LosslessNumber(canonicalNumber(String(value))) : null;
  }
  if (typeof value === 'bigint') return new LosslessNumber(String(value));
  if (isLosslessNumber(value)) return new LosslessNumber(canonicalNumber(value.value));
  if (typeof value !== 'object') return null;
  if (depth > MAX_DEPTH) {
    throw new EdrlakeError('USAGE', `an event is nested deeper than ${MAX_DEPTH} levels, or contains itself`);
  }
  if (Array.isArray(value)) return value.map((item) => jsonValueOf(item, depth + 1));
  const { toJSON } = value as { readonly toJSON?: unknown };
  if (typeof toJSON === 'function') return jsonValueOf(toJSON.call(value), depth + 1);
  const members = Object.entries(value).filter(([, member]) => isMember(member));
  return Object.fromEntries(members.map(([name, member]) => [name, jsonValueOf(member, depth + 1)]));
}

/** What `JSON.stringify` leaves out is no member. */
function isMember(value: unknown): boolean {
  return value !== undefined && typeof value !== 'function' && typeof value !== 'symbol';
}

/**
 * Integers keep their digits; others are the shortest text of their double, as DuckDB writes it: `1.10` is `1.1`, `1e2`
 * is `100.0`.
 */
function canonicalNumber(digits: string): string {
  if (/^-?\d+$/.test(digits)) return digits === '-0' ? '0' : digits;
  const value = Number(digits);
  if (!Number.isFinite(value)) return digits;
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value).replace('e+', 'e');
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** Whether the value came as a JSON object. */
export function isSection(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isLosslessNumber(value);
}

/** Whether the value came as a JSON array. */
export function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** The member of that name, or undefined: never what objects inherit. */
export function memberOf(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** JSON text without white space, as DuckDB writes it. */
export function jsonText(value: JsonValue): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return quoteJson(value);
  if (isLosslessNumber(value)) return value.value;
  if (isList(value)) return `[${value.map(jsonText).join(',')}]`;
  return `{${Object.entries(value)
    .map(([key, member]) => `${quoteJson(key)}:${jsonText(member)}`)
    .join(',')}}`;
}

/** DuckDB writes the digits of an escaped control character in upper case. */
export function quoteJson(text: string): string {
  return JSON.stringify(text).replace(/\\(\\|u00[0-9a-f]{2})/g, (text) =>
    text === '\\\\' ? text : `\\u${text.slice(2).toUpperCase()}`,
  );
}
