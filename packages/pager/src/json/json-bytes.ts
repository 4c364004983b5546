/** 1 for every byte that may continue a number, `true`, `false` or `null`; `isScalar` checks the whole token. */
export const SCALAR_BYTE: Uint8Array = table([
  ['+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ', 1],
]);

/** 1 for bytes that may follow a backslash, except `u`. */
export const SIMPLE_ESCAPE: Uint8Array = table([['"\\/bfnrt', 1]]);

/** 1 for the digits of a `\\u` escape. */
export const HEX_DIGIT: Uint8Array = table([['0123456789abcdefABCDEF', 1]]);

const LITERALS = ['true', 'false', 'null'].map((text) => Buffer.from(text));

/** Whether `bytes[from, to)` is a JSON number, `true`, `false` or `null`. */
export function isScalar(bytes: Uint8Array, from: number, to: number): boolean {
  const first = bytes[from] as number;
  if (first === 0x2d || (first >= 0x30 && first <= 0x39)) return isNumber(bytes, from, to);
  return LITERALS.some((literal) => sameBytes(literal, bytes, from, to));
}

/** Whether `bytes[from, to)` are exactly the bytes of `wanted`. */
function sameBytes(wanted: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (wanted.length !== to - from) return false;
  for (let i = 0; i < wanted.length; i++) if (wanted[i] !== bytes[from + i]) return false;
  return true;
}

/**
 * `-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?` without creating a string: most scalars are numbers, and records have many.
 */
function isNumber(bytes: Uint8Array, from: number, to: number): boolean {
  let at = bytes[from] === 0x2d ? from + 1 : from;
  const integer = at;
  at = afterDigits(bytes, at, to);
  if (at === integer || (bytes[integer] === 0x30 && at > integer + 1)) return false;
  if (at < to && bytes[at] === 0x2e) {
    const fraction = at + 1;
    at = afterDigits(bytes, fraction, to);
    if (at === fraction) return false;
  }
  if (at < to && ((bytes[at] as number) | 0x20) === 0x65) {
    let exponent = at + 1;
    if (exponent < to && (bytes[exponent] === 0x2b || bytes[exponent] === 0x2d)) exponent++;
    at = afterDigits(bytes, exponent, to);
    if (at === exponent) return false;
  }
  return at === to;
}

function afterDigits(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && (bytes[at] as number) >= 0x30 && (bytes[at] as number) <= 0x39) at++;
  return at;
}

function table(entries: readonly (readonly [string, number])[]): Uint8Array {
  const values = new Uint8Array(256);
  for (const [characters, value] of entries) {
    for (const byte of Buffer.from(characters)) values[byte] = value;
  }
  return values;
}
