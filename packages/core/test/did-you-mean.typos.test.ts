import { didYouMean } from '@edrlake/core';
import { describe, expect, it } from 'vitest';

describe('didYouMean', () => {
  it.each([
    ['snyc', 'sync'],
    ['reconcil', 'reconcile'],
    ['rec', 'reconcile'],
    ['VACUUM', 'vacuum'],
    ['compct', 'compact'],
    ['elephant', null],
    ['', null],
  ])('for "%s" is %s', (word, expected) => {
    expect(didYouMean(word, ['sync', 'reconcile', 'vacuum', 'compact'])).toBe(expected);
  });

  it('is nothing without candidates, and the first of equals', () => {
    expect(didYouMean('sync', [])).toBeNull();
    expect(didYouMean('cat', ['bat', 'rat'])).toBe('bat');
  });
});
