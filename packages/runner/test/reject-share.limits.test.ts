import { expect, test } from 'vitest';
import { hasTooManyRejects, isAboveShare, joinReasons } from '../src/reject-share.ts';

test.each([
  [500, 500, 0.01, true],
  [10, 999, 0.01, true],
  [10, 1_000, 0.01, false],
  [9, 9, 0.01, false],
  [10, 10, 1, false],
  [10, 10, 0, true],
  [0, 0, 0, false],
])('%d rejects of %d with a share of %d: %s', (rejected, fetched, share, tooMany) => {
  expect(hasTooManyRejects({ rejected, fetched }, share)).toBe(tooMany);
});

test('few rejects may still be a large share', () => {
  expect(isAboveShare({ rejected: 2, fetched: 2 }, 0.01)).toBe(true);
  expect(isAboveShare({ rejected: 0, fetched: 0 }, 0)).toBe(false);
});

test('reasons of batches are added up, the most frequent first, each with its first sample', () => {
  const one = [{ reason: 'no id', count: 2, sample: 'a' }];
  const other = [
    { reason: 'not UTF-8', count: 7, sample: 'b' },
    { reason: 'no id', count: 3, sample: 'c' },
  ];
  expect(joinReasons(one, other)).toEqual([
    { reason: 'not UTF-8', count: 7, sample: 'b' },
    { reason: 'no id', count: 5, sample: 'a' },
  ]);
});
