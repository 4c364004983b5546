import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND, parseRange, type RateLimit } from '@edrlake/core';

/** Readers of flag texts: the value, or null where the text does not mean one. */
export type ReadText<T> = (text: string) => T | null;

/** What a flag, an `EDRLAKE_` variable and a configuration key of the same name have in common. */
export interface Flag<T> {
  /** Its heading in a help text. */
  readonly group: FlagGroup;
  readonly describe: string;
  /** The word for its value in a help text, or null for a switch, which takes none. */
  readonly valueName: string | null;
  /** What a right value is, in words that follow "expected". */
  readonly expected: string;
  readonly read: ReadText<T>;
  readonly byDefault: T;
  /** The default as a help text shows it; null where there is nothing to show. */
  readonly defaultText: string | null;
  /** The few values there are, for shell completion. */
  readonly choices: readonly string[];
  /** May be given more than once; texts are read one by one and collected. */
  readonly repeats: boolean;
}

/** The headings of a help text. */
export type FlagGroup =
  | 'Range'
  | 'Gateway'
  | 'Lake'
  | 'Sync'
  | 'Run'
  | 'Engine'
  | 'Result'
  | 'Server'
  | 'Simulated data'
  | 'Output';

interface FlagText {
  readonly group: FlagGroup;
  readonly describe: string;
}

interface ValueText extends FlagText {
  readonly valueName: string;
}

/** A switch: off unless given. */
export function switchFlag(text: FlagText): Flag<boolean> {
  return {
    ...text,
    valueName: null,
    expected: 'true or false',
    read: readBoolean,
    byDefault: false,
    defaultText: null,
    choices: [],
    repeats: false,
  };
}

/** A flag with a value and a default. */
export function valueFlag<T extends string | number>(
  text: ValueText & { readonly expected: string; readonly read: ReadText<T>; readonly byDefault: T },
): Flag<T> {
  return { ...text, defaultText: String(text.byDefault), choices: [], repeats: false };
}

/** A share of a whole, as a number from 0 to 1. @param text `defaultText` is read as a person would write it */
export function shareFlag(text: ValueText & { readonly defaultText: string }): Flag<number> {
  return {
    ...text,
    expected: 'a share such as 1% or 0.01',
    read: readShare,
    byDefault: readShare(text.defaultText) ?? 0,
    choices: [],
    repeats: false,
  };
}

function readShare(text: string): number | null {
  const match = /^([0-9]+(?:\.[0-9]+)?)(%?)$/.exec(text.trim());
  if (match === null) return null;
  const share = Number(match[1]) / (match[2] === '%' ? 100 : 1);
  return share <= 1 ? share : null;
}

/** A flag with a value that may be missing; `defaultText` then says what happens without it. */
export function optionalFlag<T>(
  text: ValueText & {
    readonly expected: string;
    readonly read: ReadText<T>;
    readonly defaultText?: string;
    readonly choices?: readonly string[];
  },
): Flag<T | null> {
  return {
    ...text,
    byDefault: null,
    defaultText: text.defaultText ?? null,
    choices: text.choices ?? [],
    repeats: false,
  };
}

/** One word of a few. */
export function choiceFlag<const T extends string>(
  text: ValueText & { readonly choices: readonly T[]; readonly byDefault: T },
): Flag<T> {
  return {
    ...text,
    expected: wordsText(text.choices),
    read: (given) => text.choices.find((choice) => choice === given.toLowerCase()) ?? null,
    defaultText: text.byDefault,
    repeats: false,
  };
}

/** A flag that collects the values of all its uses, in order. */
export function listFlag<T>(
  text: ValueText & { readonly expected: string; readonly read: ReadText<T> },
): Flag<readonly T[]> {
  return {
    ...text,
    read: (given) => {
      const value = text.read(given);
      return value === null ? null : [value];
    },
    byDefault: [],
    defaultText: null,
    choices: [],
    repeats: true,
  };
}

/** A flag with a length of time, in milliseconds; `defaultText` is its default as a person writes it. */
export function durationFlag(text: ValueText & { readonly defaultText: string }): Flag<number> {
  return { ...text, ...DURATION, byDefault: readDurationMs(text.defaultText) ?? 0, choices: [], repeats: false };
}

/** A length of time that may be missing. */
export function optionalDurationFlag(text: ValueText): Flag<number | null> {
  return optionalFlag({ ...text, ...DURATION });
}

/** `a, b or c`, or `a, b and c`. */
export function wordsText(words: readonly string[], conjunction: 'or' | 'and' = 'or'): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${conjunction} ${words.at(-1)}`;
}

/** `true`, `yes` and `1`, or `false`, `no` and `0`, in any case. */
export function readBoolean(text: string): boolean | null {
  const word = text.toLowerCase();
  if (word === 'true' || word === '1' || word === 'yes') return true;
  if (word === 'false' || word === '0' || word === 'no') return false;
  return null;
}

/** Text as it is; blank text is no value. */
export function readText(text: string): string | null {
  return text.trim() === '' ? null : text;
}

/** A whole number within bounds, both included. Underscores and commas may group digits. */
export function wholeNumber(least: number, most: number): ReadText<number> {
  return (text) => {
    if (!/^\d+([_,]\d{3})*$/.test(text)) return null;
    const value = Number(text.replaceAll(/[_,]/g, ''));
    return value >= least && value <= most ? value : null;
  };
}

/** `300/3600`; `300/h`, `5/min` and `2/s` mean what they say. */
export function readRateLimit(text: string): RateLimit | null {
  const match = /^(\d{1,9})\/(\d{1,7}|s|min|h|d)$/.exec(text);
  if (match === null) return null;
  const unitSeconds: Record<string, number> = { s: 1, min: 60, h: 3_600, d: 86_400 };
  const window = match[2] ?? '';
  const requests = Number(match[1]);
  const windowSeconds = unitSeconds[window] ?? Number(window);
  return requests > 0 && windowSeconds > 0 ? { requests, windowSeconds } : null;
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: MS_PER_SECOND,
  m: MS_PER_MINUTE,
  min: MS_PER_MINUTE,
  h: MS_PER_HOUR,
  d: MS_PER_DAY,
  w: 7 * MS_PER_DAY,
};

/** `15m`, `6h`, `7d`, `2w`, `0s`: a whole number and a unit. */
function readDurationMs(text: string): number | null {
  const match = /^(\d{1,9})\s?(ms|s|m|min|h|d|w)$/.exec(text);
  const unitMs = UNITS_MS[match?.[2] ?? ''];
  return unitMs === undefined ? null : Number(match?.[1]) * unitMs;
}

/** `9h` ahead, `-9h` behind, or `none` where there is no clock. */
export function readClockSkew(text: string): number | 'none' | null {
  if (text === 'none') return 'none';
  const lengthMs = readDurationMs(text.replace(/^-/, ''));
  return lengthMs === null ? null : text.startsWith('-') ? -lengthMs : lengthMs;
}

const DURATION = { expected: 'a length of time such as 90s, 15m, 6h or 7d', read: readDurationMs } as const;

const UNITS_BYTES: Readonly<Record<string, number>> = {
  ...{ kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 },
  ...{ kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3, tib: 1024 ** 4 },
};

/**
 * With less DuckDB cannot read a batch of pages: its buffers for reading alone take a third of the half that a batch
 * gets.
 */
const LEAST_MEMORY_BYTES = 300e6;

/** A size as DuckDB reads it, `512MB` or `2 GiB`, of at least 300 MB. */
export function readMemorySize(text: string): string | null {
  return sizeBytes(text) >= LEAST_MEMORY_BYTES ? text.replace(/\s/, '') : null;
}

/** Bytes of such a size; NaN of any other text. */
export function sizeBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s?([KMGT]i?B)$/i.exec(text);
  return Number(match?.[1]) * (UNITS_BYTES[match?.[2]?.toLowerCase() ?? ''] ?? Number.NaN);
}

/** The beginning of a day, or an instant, in epoch milliseconds; null for any other text. */
export function readInstantMs(text: string): number | null {
  try {
    return parseRange(text, '9999-12-31').startMs;
  } catch {
    return null;
  }
}

/** Whether a text is JSON. */
export function readsAsJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
