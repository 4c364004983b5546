import { toEdrlakeError } from '@edrlake/core';

/** The result of one check. */
export interface CheckResult {
  readonly name: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly found: string;
  /** What the user should do; absent where nothing is to be done. */
  readonly advice: string | null;
}

/** A passed check. */
export function ok(name: string, found: string, advice: string | null = null): CheckResult {
  return { name, status: 'ok', found, advice };
}

/** A check that passed with something to look at. */
export function warn(name: string, found: string, advice: string | null): CheckResult {
  return { name, status: 'warn', found, advice };
}

/** A failed check, described by its error. An export cannot work. */
export function failure(name: string, thrown: unknown): CheckResult {
  const error = toEdrlakeError(thrown);
  return { name, status: 'fail', found: `${error.message} (${error.code})`, advice: error.hint };
}

/** A failed check, described in other words. An export cannot work. */
export function fail(name: string, found: string, advice: string): CheckResult {
  return { name, status: 'fail', found, advice };
}
