import { type Cell, type ColumnSpec, type ColumnType, MS_PER_DAY, TIME_FORMS, type TimeForm } from '@edrlake/core';

/** A column as far as its values are concerned. */
export type ValueColumn = Pick<ColumnSpec, 'type' | 'promoted'>;

/** The bounds of the years 1 to 9999. */
const [FIRST_MS, LAST_MS] = [Date.parse('0001-01-01T00:00:00Z'), Date.parse('9999-12-31T23:59:59.999Z')];

/**
 * The cell that says exactly what a JSON value says, so that `jsonTextOf` makes the same value of it again; null where
 * there is none. Nothing is converted: `"12"` is no integer, and `12` no text.
 * @param json text of the value, without blanks around it
 */
export function fittingCell(json: string, column: ValueColumn): Cell {
  switch (column.type) {
    case 'text':
      return textIn(json);
    case 'integer':
      return integerIn(json, 31n, Number);
    case 'bigint':
      return integerIn(json, 63n, BigInt);
    case 'boolean':
      return json === 'true' ? true : json === 'false' ? false : null;
    case 'timestamp':
      return instantIn(json, column.promoted?.form ?? 'offset');
    case 'date':
      return dayIn(json);
    default:
      return json === 'null' ? null : json;
  }
}

/** The JSON text of a cell. */
export function jsonTextOf(cell: Exclude<Cell, null>, column: ValueColumn): string {
  switch (column.type) {
    case 'text':
      return JSON.stringify(cell);
    case 'timestamp':
      return instantText(Number(cell), column.promoted?.form ?? 'offset');
    case 'date':
      return JSON.stringify(dayText(Number(cell)));
    default:
      return String(cell);
  }
}

/** The form in which an instant is written, if in one that columns know. */
export function timeFormOf(json: string): TimeForm | null {
  return TIME_FORMS.find((form) => instantIn(json, form) !== null) ?? null;
}

/** The narrowest type whose values say exactly what the value says; a `timestamp` only where it is asked for. */
export function narrowestType(json: string): ColumnType {
  const kinds = ['text', 'bigint', 'boolean'] as const;
  return kinds.find((type) => fittingCell(json, { type }) !== null) ?? 'json';
}

/** What no column of text holds: half of a surrogate pair, and the character zero, which some readers end a text at. */
function textIn(json: string): string | null {
  if (!json.startsWith('"')) return null;
  const text = JSON.parse(json) as string;
  return /[\uD800-\uDFFF]/u.test(text) || text.includes('\0') ? null : text;
}

function integerIn<T>(json: string, bits: bigint, as: (json: string) => T): T | null {
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(json)) return null;
  const value = BigInt(json);
  return value >= -(1n << bits) && value < 1n << bits ? as(json) : null;
}

function instantIn(json: string, form: TimeForm): number | null {
  const ms = form === 'millis' ? millisOf(json) : instantOf(json);
  if (ms === null || !(ms >= FIRST_MS && ms <= LAST_MS)) return null;
  return instantText(ms, form) === json ? ms : null;
}

/** As everywhere: other numbers of digits are no epoch milliseconds. */
function millisOf(json: string): number | null {
  return /^[1-9]\d{11,13}$/.test(json) ? Number(json) : null;
}

function instantOf(json: string): number | null {
  if (!json.startsWith('"')) return null;
  const ms = Date.parse((JSON.parse(json) as string).replace(/\+0000$/, 'Z'));
  return Number.isNaN(ms) ? null : ms;
}

function instantText(ms: number, form: TimeForm): string {
  if (form === 'millis') return String(ms);
  const iso = new Date(ms).toISOString();
  if (form === 'zulu') return `"${iso}"`;
  return `"${form === 'offset' ? iso.replace('Z', '+0000') : iso.replace('.000Z', 'Z')}"`;
}

function dayIn(json: string): number | null {
  const [, text] = /^"(\d{4}-\d{2}-\d{2})"$/.exec(json) ?? [];
  const ms = text === undefined ? Number.NaN : Date.parse(`${text}T00:00:00Z`);
  if (!(ms >= FIRST_MS && ms <= LAST_MS)) return null;
  const days = ms / MS_PER_DAY;
  return dayText(days) === text ? days : null;
}

function dayText(days: number): string {
  return new Date(days * MS_PER_DAY).toISOString().slice(0, 10);
}
