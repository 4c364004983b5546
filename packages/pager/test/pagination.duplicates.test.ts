// When two attempts prove that a listing has every event, some of them twice: equal listings with other page
// boundaries, an attempt with a visible end, and one count after both.
import type { SpooledPage } from '@edrlake/core';
import { expect, it } from 'vitest';
import { type PageWalk, provenDuplicates } from '../src/fetch/pagination.ts';

const LISTED = ['a', 'b', 'b', 'c', 'd'];

function walkOf(pageSize: number, countAfter: number, listed: readonly (string | null)[] = LISTED): PageWalk {
  const starts = Array.from({ length: Math.ceil(listed.length / pageSize) }, (_, number) => number * pageSize);
  const pages = starts.map((start, pageNumber) => {
    const ids = listed.slice(start, start + pageSize);
    return { page: { pageNumber, recordCount: ids.length } as SpooledPage, ids };
  });
  return { way: { pageSize, reversed: false }, pages, countAfter, isRecounted: true };
}

it.each<[string, readonly PageWalk[], number | null]>([
  ['equal listings, the API counts different events', [walkOf(3, 4), walkOf(2, 4)], 1],
  ['equal listings, the API counts what it lists', [walkOf(3, 5), walkOf(2, 5)], 1],
  ['one walk alone', [walkOf(3, 4)], null],
  ['pages that end at the same places', [walkOf(3, 4), walkOf(3, 4)], null],
  ['another count after the first walk: something changed between them', [walkOf(3, 5), walkOf(2, 4)], null],
  ['a count of neither events nor records', [walkOf(3, 6), walkOf(2, 6)], null],
  ['listings that differ', [walkOf(3, 4, ['a', 'a', 'b', 'c', 'd']), walkOf(2, 4)], null],
  ['no walk whose end was seen', [walkOf(5, 4), walkOf(1, 4)], null],
  ['a record without an id', [walkOf(3, 5, [...LISTED, null]), walkOf(2, 5, [...LISTED, null])], null],
  ['no duplicate', [walkOf(3, 2, ['a', 'b']), walkOf(2, 2, ['a', 'b'])], null],
])('%s', (_what, walks, expected) => {
  expect(provenDuplicates(walks)).toBe(expected);
});
