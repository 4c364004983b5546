import { toEdrlakeError } from '@edrlake/core';

/** One thing that was looked at. */
export interface CheckResult {
  readonly name: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly found: string;
  /** What to do, where something should be done. */
  readonly advice: string | null;
}

/** What is as it should be. */
export function ok(name: string, found: string, advice: string | null = null): CheckResult {
  return { name, status: 'ok', found, advice };
}

/** What deserves a look. */
export function warn(name: string, found: string, advice: string | null): CheckResult {
  return { name, status: 'warn', found, advice };
}

/** What keeps an export from working, in the words of the error. */
export function failure(name: string, thrown: unknown): CheckResult {
  const error = toEdrlakeError(thrown);
  return { name, status: 'fail', found: `${error.message} (${error.code})`, advice: error.hint };
}

/** What keeps an export from working, in other words. */
export function fail(name: string, found: string, advice: string): CheckResult {
  return { name, status: 'fail', found, advice };
}
