import { type Cell, type ColumnRule, type ColumnSpec, isWindowsPath, normalPath } from '@edrlake/core';
import { isLosslessNumber } from 'lossless-json';
import { isList, isSection, type JsonValue, jsonText } from './json-tree.ts';

// How delivered text becomes a value, in TypeScript: the same rules as `sql/values.ts`.

/** A column's value. */
export type Value = Cell;

/** The text of a delivered value: strings as they are, everything else as JSON text; null for null and for nothing. */
export function textOf(value: JsonValue | undefined): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return value;
  return isLosslessNumber(value) ? numberText(value.value) : jsonText(value);
}

/**
 * A number in a text column, as DuckDB casts it: as in JSON, but decimals turn to exponents from 1e16 and below 1e-4.
 */
function numberText(json: string): string {
  if (/^-?\d+$/.test(json) || !Number.isFinite(Number(json))) return json;
  const [digits = '', exponent = '0'] = Number(json).toExponential().split('e');
  const power = Number(exponent);
  if (Number(json) === 0 || (power >= -4 && power < 16)) return fixedText(json, power);
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

function fixedText(json: string, power: number): string {
  const text = Object.is(Number(json), -0) ? '-0' : String(Number(json));
  return text.includes('.') || power < 0 ? text : `${text}.0`;
}

/** Text, or null where it is blank: only white space. */
export function unblank(text: string | null): string | null {
  return text === null || /^[ \t\n\v\f\r]*$/.test(text) ? null : text;
}

/** As `textOf`; of an array a single scalar counts as itself, only blanks as nothing, anything else as JSON text. */
export function unwrappedText(value: JsonValue | undefined): string | null {
  if (!isList(value)) return unblank(textOf(value));
  const texts = value.map((item) => unblank(textOf(item)));
  if (texts.every((text) => text === null)) return null;
  const [only] = value;
  return value.length === 1 && !isList(only) && !isSection(only) ? (texts[0] ?? null) : jsonText(value);
}

/** A value of the type from text that is not blank, or null where the text does not say one. */
export function parseValue({ type, rule }: Pick<ColumnSpec, 'type' | 'rule'>, text: string): Value {
  switch (type) {
    case 'integer': {
      const value = parseInteger(text, 31n);
      return value === null ? null : Number(value);
    }
    case 'bigint':
      return parseInteger(text, 63n);
    case 'boolean':
      return parseBoolean(text);
    case 'timestamp':
      return parseTimeMs(text, rule === 'validity' ? 9 : 2);
    default:
      return text;
  }
}

function parseInteger(text: string, bits: bigint): bigint | null {
  const digits = /^(-?[0-9]+)(\.0+)?$/.exec(text)?.[1];
  if (digits === undefined) return null;
  const value = BigInt(digits);
  return value >= -(1n << bits) && value < 1n << bits ? value : null;
}

function parseBoolean(text: string): boolean | null {
  const lower = text.toLowerCase();
  return lower === 'true' ? true : lower === 'false' ? false : null;
}

const TIME_PATTERN =
  /^([1-9]\d{3})-(\d{2})-(\d{2})[Tt ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d|(?<=59:)60)(?:[.,](\d{1,9}))?)?(?:[Zz]|([+-])([01]\d|2[0-3])(?::?([0-5]\d))?)?$/;

/**
 * UTC epoch milliseconds from an ISO instant (no offset means UTC, no seconds 0; a comma or lower case is allowed),
 * from 12 to 14 digits of epoch milliseconds, or from 10 of epoch seconds.
 * @param lastMillennium first digit of the last years that an ISO instant may lie in
 */
function parseTimeMs(text: string, lastMillennium: 2 | 9): number | null {
  if (/^[0-9]{12,14}$/.test(text)) return Number(text);
  if (/^[1-9][0-9]{9}$/.test(text)) return 1000 * Number(text);
  const match = TIME_PATTERN.exec(text);
  if (match === null || Number(text[0]) > lastMillennium) return null;
  const [, year, month, day, hour, minute, second = '0', fraction = '', sign, offsetHours = '0', offsetMinutes = '0'] =
    match;
  const localMs = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    // A leap second is the second before it, so that its day stays the written one.
    Math.min(59, Number(second)),
    Number(fraction.slice(0, 3).padEnd(3, '0')),
  );
  const isCalendarDay = new Date(localMs).getUTCDate() === Number(day) && Number(month) >= 1 && Number(month) <= 12;
  if (!isCalendarDay) return null;
  const offsetMs = (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000;
  return sign === '-' ? localMs + offsetMs : localMs - offsetMs;
}

/** Applies a column's rule to a parsed value that is not null. */
export function ruled(rule: ColumnRule | undefined, value: Value): Value {
  switch (rule) {
    case 'path':
    case 'file-path':
      return typeof value === 'string' ? normalPath(value) : value;
    case 'extension':
      return typeof value === 'string' ? unblank(value.replace(/^\.+/, '')) : value;
    case 'creation-time':
      return value === 0 ? null : value;
    default:
      return value;
  }
}

/**
 * The full path of a file from normalised paths and a name that is not blank: the name is appended where the delivered
 * full path is only the directory, or missing. Windows paths are compared without regard to ASCII case.
 */
export function fullFilePath(fullPath: string | null, directory: string | null, name: string | null): string | null {
  if (directory === null || name === null) return fullPath;
  if (fullPath === null) return joinPath(directory, name);
  const fold = isWindowsPath(fullPath) ? asciiLower : (path: string) => path;
  return fold(fullPath) === fold(directory) ? joinPath(fullPath, name) : fullPath;
}

function joinPath(base: string, name: string): string {
  return normalPath(`${base}${isWindowsPath(base) ? '\\' : '/'}${name}`);
}

function asciiLower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
