import { EdrlakeError, toEdrlakeError } from '@edrlake/core';
import { describe, expect, it } from 'vitest';

describe('toEdrlakeError', () => {
  it('keeps an error that already says what to do', () => {
    const error = new EdrlakeError('AUTH_REJECTED', 'refused', { hint: 'Check the password.' });
    expect(toEdrlakeError(error)).toBe(error);
  });

  it('turns an abort into INTERRUPTED with exit code 130', () => {
    const error = toEdrlakeError(AbortSignal.abort().reason);
    expect([error.code, error.exitCode]).toEqual(['INTERRUPTED', 130]);
  });

  it.each(['Out of Memory Error: failed to allocate data of size 16.0 MiB (15.2 MiB/15.2 MiB used)', 'std::bad_alloc'])(
    'distinguishes a lack of memory from a disk that cannot be written: %s',
    (message) => {
      const error = toEdrlakeError(new Error(message));
      expect([error.code, error.exitCode]).toEqual(['OUT_OF_MEMORY', 2]);
      expect(error.hint).toContain('--memory-limit');
    },
  );

  it.each([[new TypeError('x is not a function')], ['a string'], [null]])('calls %s a bug', (thrown) => {
    expect(toEdrlakeError(thrown).code).toBe('BUG');
  });
});

describe('an error', () => {
  it('stops by default and carries its exit code', () => {
    const error = new EdrlakeError('PARTLY_DONE', '2 of 10 windows failed');
    expect([error.disposition, error.exitCode, error.hint]).toEqual(['stop', 3, null]);
  });
});
