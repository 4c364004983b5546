import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeCsv, writeJsonRows, writeNdjson } from '../src/unload/result-writers.ts';
import { resultOf, textOf } from './query-result.ts';

const MIXED = [
  ['n', 'BIGINT'],
  ['t', 'VARCHAR'],
] as const;

describe('a query result', () => {
  it('as CSV writes NULL and empty text differently', async () => {
    const result = resultOf(MIXED, [[1n, '']], [[null, 'say "a, b"\nc']], [[2n, null]]);
    expect(await textOf((out) => writeCsv(out, result))).toBe('n,t\n1,""\n,"say ""a, b""\nc"\n2,\n');
  });

  it('as JSON keeps all digits', async () => {
    const chunk = [
      [9007199254740993n, 'é'],
      [-1n, null],
    ] as const;
    expect(await textOf((out) => writeNdjson(out, resultOf(MIXED, [...chunk])))).toBe(
      '{"n":9007199254740993,"t":"é"}\n{"n":-1,"t":null}\n',
    );
    expect(await textOf((out) => writeJsonRows(out, resultOf(MIXED, [], [...chunk])))).toBe(
      '[\n{"n":9007199254740993,"t":"é"},\n{"n":-1,"t":null}\n]\n',
    );
    expect(await textOf((out) => writeJsonRows(out, resultOf(MIXED)))).toBe('[]\n');
  });

  it('as JSON has nested values, and a key for each column of one name', async () => {
    const columns = [
      ['x', 'STRUCT'],
      ['x', 'DOUBLE'],
    ] as const;
    const text = await textOf((out) => writeNdjson(out, resultOf(columns, [[{ a: [1n, null] }, Number.NaN]])));
    expect(text).toBe('{"x":{"a":[1,null]},"x_2":"NaN"}\n');
  });

  it('as JSON is JSON for any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.integer(), fc.string({ unit: 'binary' }))), async (rows) => {
        const text = await textOf((out) => writeJsonRows(out, resultOf(MIXED, rows)));
        expect(JSON.parse(text)).toEqual(rows.map(([n, t]) => ({ n, t })));
      }),
    );
  });
});
