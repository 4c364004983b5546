import { timeRange } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { intervalOf, readHistogram } from '../src/index.ts';
import { readCount, readGroups, readTimeBuckets } from '../src/qualys/parse-counts.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2020, 7, 17);
const RANGE = timeRange(START, START + 24 * HOUR);

describe('a plain count', () => {
  it('is read from a number or its text', () => {
    expect(readCount({ count: 55_279 })).toBe(55_279);
    expect(readCount({ count: '18048196' })).toBe(18_048_196);
    expect(readCount({ count: 0 })).toBe(0);
  });
});

describe('one rule for every number', () => {
  const day = '2020-08-17T00:00:00.000Z';
  const readers: [where: string, read: (count: unknown) => unknown][] = [
    ['a plain count', (count) => readCount({ count })],
    ['a map', (count) => readGroups({ a: count })],
    ['a list', (count) => readGroups([{ key: 'a', count }])],
    ['the list of a search engine', (count) => readGroups([{ key: 'a', doc_count: count }])],
    ['time buckets', (count) => readTimeBuckets({ [`${day}_2020-08-17T01:00:00.000Z`]: count })],
  ];

  it.each(readers)('%s takes whole numbers, also as text', (_, read) => {
    for (const count of [0, 12, JSON.parse('1e3'), '12', 2 ** 53 - 1]) expect(read(count)).not.toBeNull();
  });

  it.each(readers)('%s takes nothing else', (_, read) => {
    for (const count of [-1, 12.5, 2 ** 53, 1e300, null, true, '', '-1', '12.5', '1e3', 'NaN', [12], { value: 12 }]) {
      expect(read(count), JSON.stringify(count)).toBeNull();
    }
  });
});

describe('a grouped count', () => {
  it.each([
    [
      'map',
      { FILE: 3, PROCESS: '4', ' ': 0 },
      [
        ['FILE', 3],
        ['PROCESS', 4],
        [' ', 0],
      ],
    ],
    [
      'key-count',
      [
        { key: 'a', count: 3 },
        { key: 7, count: 4 },
      ],
      [
        ['a', 3],
        ['7', 4],
      ],
    ],
    ['key-doc-count', [{ key: 'a', doc_count: 3, extra: {} }], [['a', 3]]],
    ['empty', {}, []],
    ['empty', [], []],
  ])('is read as %s', (shape, answer, expected) => {
    const found = readGroups(answer);
    expect(found?.shape).toBe(shape);
    expect(found?.values.map(({ value, count }) => [value, count])).toEqual(expected);
  });

  it.each([
    ['of a platform that ignores groupBy', { count: 5 }],
    ['with nested groups', { a: { b: 1 } }],
    ['with a negative count', { a: -1 }],
    [
      'of mixed items',
      [
        { key: 'a', count: 1 },
        { key: 'b', doc_count: 1 },
      ],
    ],
    ['with a key that lost digits', [{ key: 2 ** 53, count: 1 }]],
    ['without keys', [{ count: 1 }]],
    ['that is a number', 5],
    ['that is null', null],
    ['of lists', [['a', 1]]],
  ])('%s is not understood', (_, answer) => {
    expect(readGroups(answer)).toBeNull();
  });

  it('keeps values that look like object internals', () => {
    expect(readGroups(JSON.parse('{"__proto__": 2, "count": 1}'))?.values).toEqual([
      { value: '__proto__', count: 2 },
      { value: 'count', count: 1 },
    ]);
  });
});

describe('a histogram', () => {
  const bucket = (hour: number, count: number) => ({
    range: { startMs: START + hour * HOUR, endMs: START + (hour + 1) * HOUR },
    count,
  });
  const expected = [bucket(0, 5), bucket(3, 7)];

  it.each([
    ['iso', '2020-08-17T00:00:00.000Z', '2020-08-17T03:00:00.000Z'],
    ['iso', '2020-08-17T00:00:00.000+0000', '2020-08-17T05:00:00+02:00'],
    ['iso', '2020-08-17', '2020-08-17 03:00'],
    ['iso', '2020-08-17T00:00:00', '2020-08-17T03:00:00.000000Z'],
    ['epoch-ms', String(START), String(START + 3 * HOUR)],
    ['from_to', `${START}_${START + HOUR}`, `${START + 3 * HOUR}_${START + 4 * HOUR - 1}`],
    ['from_to', '2020-08-17T00:00:00Z_2020-08-17T01:00:00Z', '2020-08-17T03:00:00Z_2020-08-17T03:59:59.999Z'],
  ])('is read from %s keys such as %s', (form, first, second) => {
    const values = [
      { value: second, count: 7 },
      { value: first, count: 5 },
    ];
    expect(readHistogram(values, HOUR, RANGE)).toEqual({ keyForm: form, buckets: expected });
  });

  it('leaves out empty buckets, also those outside the range', () => {
    const values = [
      { value: '2020-08-16', count: 0 },
      { value: '2020-08-17', count: 5 },
    ];
    expect(readHistogram(values, HOUR, RANGE)?.buckets).toEqual([bucket(0, 5)]);
    expect(readHistogram([], HOUR, RANGE)).toEqual({ keyForm: null, buckets: [] });
  });

  it('may begin before a range that does not start at a bucket', () => {
    const range = timeRange(START + 1, START + HOUR);
    expect(readHistogram([{ value: String(START), count: 5 }], HOUR, range)?.buckets).toEqual([bucket(0, 5)]);
  });

  it.each([
    ['a key that is no time', ['FILE']],
    ['a day that does not exist', ['2020-13-45T00:00:00Z']],
    ['a bucket that starts between multiples', ['2020-08-17T00:30:00Z']],
    ['a bucket of another length', [`${START}_${START + 2 * HOUR}`]],
    ['a bucket outside the range', ['2020-08-18T00:00:00Z']],
    ['a bucket twice', ['2020-08-17T00:00:00Z', '2020-08-17']],
    ['two kinds of keys', ['2020-08-17', String(START + HOUR)]],
    ['three parts', [`${START}_${START}_${START}`]],
  ])('with %s is not used at all', (_, keys) => {
    expect(
      readHistogram(
        keys.map((value) => ({ value, count: 1 })),
        HOUR,
        RANGE,
      ),
    ).toBeNull();
  });
});

it.each([
  [604_800_000, '7d'],
  [86_400_000, '1d'],
  [43_200_000, '12h'],
  [5_400_000, '90m'],
  [60_000, '1m'],
  [61_000, '61s'],
])('buckets of %i ms are asked for as %s', (bucketMs, interval) => {
  expect(intervalOf(bucketMs)).toBe(interval);
});

it.each([1, 500, 1500, 0, -1000])('buckets of %i ms cannot be asked for', (bucketMs) => {
  expect(() => intervalOf(bucketMs)).toThrow(expect.objectContaining({ code: 'RANGE_INVALID' }));
});
