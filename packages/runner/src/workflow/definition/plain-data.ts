import { EdrlakeError } from '@edrlake/core';

/** Data that a journal can store: null, text, numbers, true and false, lists and objects of these. */
export type PlainData =
  | null
  | boolean
  | number
  | string
  | readonly PlainData[]
  | { readonly [key: string]: PlainData | undefined };

/** A result must fit into one line of a journal that a user can still open. */
const MAX_JSON_BYTES = 1_048_576;

const MAX_DEPTH = 64;

/**
 * The value as a journal returns it, so that a task sees the same results in a resumed run as in an uninterrupted one:
 * a frozen copy, without keys that are undefined; undefined itself becomes null.
 * @param what names the value in the error, for example `task "sync" returned`.
 * @throws {EdrlakeError} `CONFIG_INVALID` naming the path of a value that is not plain data, or the size that is too
 * large.
 */
export function toPlainData(value: unknown, what: string): PlainData {
  if (value === undefined) return null;
  assertPlain(value, what, '', 0);
  const json = JSON.stringify(value);
  const bytes = Buffer.byteLength(json);
  if (bytes > MAX_JSON_BYTES) {
    throw new EdrlakeError(
      'CONFIG_INVALID',
      `${what} ${bytes} bytes of JSON, more than the ${MAX_JSON_BYTES} allowed`,
      {
        hint: 'Write bulk data to a file and return where it is.',
      },
    );
  }
  return deepFreeze(JSON.parse(json) as PlainData);
}

/** Freezes lists and plain objects recursively, except functions, and returns the same value. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}

/** An object with keys: not null, a list, or an instance of a class. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function assertPlain(value: unknown, what: string, path: string, depth: number): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || value === undefined) return;
  if (typeof value === 'number' && Number.isFinite(value)) return;
  if (depth < MAX_DEPTH && Array.isArray(value)) {
    for (const [position, inner] of value.entries()) assertPlain(inner, what, `${path}[${position}]`, depth + 1);
  } else if (depth < MAX_DEPTH && isPlainObject(value)) {
    for (const [key, inner] of Object.entries(value)) assertPlain(inner, what, `${path}.${key}`, depth + 1);
  } else {
    const place = path === '' ? '' : ` at ${path}`;
    throw new EdrlakeError('CONFIG_INVALID', `${what} ${kindOf(value)}${place}, which a journal cannot keep`, {
      hint: 'Use only text, finite numbers, true, false, null, lists and plain objects.',
    });
  }
}

function kindOf(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) || isPlainObject(value) ? 'data nested too deeply' : `a ${value.constructor?.name}`;
  }
  return typeof value === 'number' ? String(value) : `a ${typeof value}`;
}
