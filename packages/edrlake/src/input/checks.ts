import { EdrlakeError, isSubscriptionName, SUBSCRIPTION_NAME_EXPECTED } from '@edrlake/core';

/** What an option may be, in words and as a test. */
export interface Expected {
  readonly expected: string;
  readonly fits: (value: unknown) => boolean;
  /** Whether a text that does not fit may be in the message: it can be no secret. */
  readonly shows?: boolean;
}

/** Any text but an empty one: that is mostly a variable that is not set. */
export const TEXT: Expected = { expected: 'a text', fits: (value) => typeof value === 'string' && value !== '' };
/** `true` or `false`. */
export const SWITCH: Expected = { expected: 'true or false', fits: (value) => typeof value === 'boolean' };
/** Of things that are counted: from 1 up. */
export const COUNT: Expected = {
  expected: 'a whole number above 0',
  fits: (value) => Number.isSafeInteger(value) && Number(value) > 0,
};
/** A length of time, which may be none. */
export const AMOUNT: Expected = {
  expected: 'a number from 0 up',
  fits: (value) => Number.isFinite(value) && Number(value) >= 0,
};
/** From 0 to 1. */
export const SHARE: Expected = {
  expected: 'a number from 0 to 1',
  fits: (value) => typeof value === 'number' && value >= 0 && value <= 1,
};
/** Anything that can be called. */
export const FUNCTION: Expected = { expected: 'a function', fits: (value) => typeof value === 'function' };
/** As `new AbortController().signal`. */
export const SIGNAL: Expected = { expected: 'an AbortSignal', fits: (value) => value instanceof AbortSignal };

/** One that edrlake comes with, or one of a program. */
export const DATASET: Expected = {
  expected: 'a dataset, one that edrlake exports or one of defineDataset',
  fits: (value) => {
    const { name, tables } = (value ?? {}) as { readonly name?: unknown; readonly tables?: unknown };
    return typeof name === 'string' && Array.isArray(tables);
  },
};

/** Whose a lake is. */
export const SUBSCRIPTION: Expected = {
  expected: `an object with ${SUBSCRIPTION_NAME_EXPECTED}, and perhaps a customerId`,
  fits: (value) => {
    const { name, customerId = 'any' } = (value ?? {}) as { readonly name?: unknown; readonly customerId?: unknown };
    return typeof name === 'string' && isSubscriptionName(name) && TEXT.fits(customerId);
  },
};

/** One of some names. */
export function oneOf(...names: readonly string[]): Expected {
  return { expected: names.join(' or '), fits: (value) => names.some((name) => name === value), shows: true };
}

/** What every call may be given. */
export const CALL_CHECKS = { signal: SIGNAL, onProgress: FUNCTION } as const;

/**
 * Refuses options that are not what their types say, as a program without types, or one that reads its settings, may
 * give them: before anything is asked or written.
 * @param call the name of the function, for the message
 * @throws {EdrlakeError} `USAGE` naming the option, what it may be and what it is
 */
export function checkOptions(call: string, options: unknown, checks: Readonly<Record<string, Expected>>): void {
  if (typeof options !== 'object' || options === null) {
    throw new EdrlakeError('USAGE', `${call}: expected an object with options, found ${foundText(options)}`, {
      hint: 'Its docstring names the options.',
    });
  }
  for (const [name, check] of Object.entries(checks)) {
    const value = (options as Readonly<Record<string, unknown>>)[name];
    if (value === undefined || check.fits(value)) continue;
    throw new EdrlakeError('USAGE', `${call}: expected ${name} to be ${check.expected}, ${foundWords(value, check)}`, {
      hint: 'Correct it, or leave it out for the default.',
    });
  }
}

/** Refuses an argument that is not what its type says. @throws {EdrlakeError} `USAGE` */
export function checkArgument(call: string, name: string, value: unknown, check: Expected): void {
  if (check.fits(value)) return;
  throw new EdrlakeError('USAGE', `${call}: expected ${name} to be ${check.expected}, ${foundWords(value, check)}`, {
    hint: `See the docstring of ${call}.`,
  });
}

function foundWords(value: unknown, { shows }: Expected): string {
  return `found ${shows === true && typeof value === 'string' ? JSON.stringify(value) : foundText(value)}`;
}

/** What was found, without what may be a secret. */
export function foundText(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === '') return 'an empty text';
  if (typeof value === 'string') return 'a text';
  if (Array.isArray(value)) return 'a list';
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
