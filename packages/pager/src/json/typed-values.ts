import type { ScanState } from './scan-state.ts';

const DAYS_IN_MONTH = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** `2020-08-17T04:15:06.000+0000"`: the length of a plain time without its quotes. */
const TIME_BYTES = 28;

/** Digits with an optional sign, at most `most` of them, without leading zeros and no minus before a zero. */
export function unescapedDigits(bytes: Buffer, from: number, to: number, most: number): boolean {
  const first = bytes[from] === 0x2d ? from + 1 : from;
  if (first === to || to - first > most) return false;
  if (bytes[first] === 0x30) return to - from === 1;
  for (let at = first; at < to; at++) if (!isDigit(bytes[at] as number)) return false;
  return true;
}

const BLANK = /^[ \t\n\v\f\r]*$/;

/** Whether the content of a string at [from, to) is only white space, also where that is escaped. */
export function isBlankText(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte === 0x20) continue;
    // A text that begins with an escape may be a tab.
    return byte === 0x5c && BLANK.test(JSON.parse(bytes.toString('utf8', from - 1, to + 1)) as string);
  }
  return true;
}

/**
 * Whether the content of a string at [from, to) is certainly a path in the form of `normalPath`: single separators of
 * one kind, usually escaped, and none at its end except in a root. Other texts may be normal as well.
 */
export function isNormalPath(bytes: Buffer, from: number, to: number): boolean {
  let separator = 0;
  let separatorEnd = -1;
  for (let at = from; at < to; ) {
    const byte = bytes[at] as number;
    if (byte !== 0x5c && byte !== 0x2f) {
      at++;
      continue;
    }
    if (separator !== 0 && separator !== byte) return false;
    separator = byte;
    const isBackslash = byte === 0x5c;
    if (isBackslash && bytes[at + 1] !== 0x5c) return false;
    // Two at the beginning are those of a UNC path.
    if (at === separatorEnd && (!isBackslash || at !== from + 2)) return false;
    at += isBackslash ? 2 : 1;
    separatorEnd = at;
  }
  // A drive has backslashes; a path with only these bytes is a root.
  if (separator === 0x2f) return bytes[from + 1] !== 0x3a && (separatorEnd !== to || to - from === 1);
  return separatorEnd !== to || to - from <= 4;
}

/** Whether the string content at [from, to) contains a slash or a backslash. */
export function hasSeparator(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte === 0x2f) return true;
    if (byte === 0x5c) return /[\\/]/.test(JSON.parse(bytes.toString('utf8', from - 1, to + 1)) as string);
  }
  return false;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** Whether a string with a valid instant in UTC begins at `at`, including its closing quote. */
export function isPlainTime({ bytes, words }: ScanState, at: number): boolean {
  if (bytes[at + TIME_BYTES] !== 0x22) return false;
  // "+000", then "0": the end first, because it distinguishes a time in UTC from all others.
  if (words.getInt32(at + 23, true) !== 0x3030302b || bytes[at + 27] !== 0x30) return false;
  if (bytes[at + 4] !== 0x2d || bytes[at + 7] !== 0x2d || bytes[at + 10] !== 0x54) return false;
  if (bytes[at + 13] !== 0x3a || bytes[at + 16] !== 0x3a || bytes[at + 19] !== 0x2e) return false;
  const century = twoDigits(bytes, at);
  const year = twoDigits(bytes, at + 2);
  const month = twoDigits(bytes, at + 5);
  const day = twoDigits(bytes, at + 8);
  const isLeap = year % 4 === 0 && (year !== 0 || century % 4 === 0);
  // NaN, from bytes that are not digits, is in no order with any number.
  return (
    century >= 10 &&
    century < 30 &&
    year >= 0 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= (DAYS_IN_MONTH[month] as number) + (month === 2 && isLeap ? 1 : 0) &&
    twoDigits(bytes, at + 11) < 24 &&
    twoDigits(bytes, at + 14) < 60 &&
    twoDigits(bytes, at + 17) < 60 &&
    twoDigits(bytes, at + 20) < 100 &&
    isDigit(bytes[at + 22] as number)
  );
}

/** NaN, and so below nothing, where one of the bytes is not a digit. */
function twoDigits(bytes: Buffer, at: number): number {
  const tens = (bytes[at] as number) - 0x30;
  const ones = (bytes[at + 1] as number) - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? 10 * tens + ones : Number.NaN;
}
