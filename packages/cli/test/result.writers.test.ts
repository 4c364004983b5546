import type { QueryResult, QueryValue } from '@edrlake/lake';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeCsv, writeJsonRows, writeNdjson, writeTable } from '../src/query/result-writers.ts';
import { TextBuffer } from './fake-surroundings.ts';

function resultOf(
  columns: readonly (readonly [string, string])[],
  ...chunks: (readonly QueryValue[])[][]
): QueryResult {
  return {
    columns: columns.map(([name, type]) => ({ name, type })),
    rows: (async function* () {
      yield* chunks;
    })(),
  };
}

async function textOf(write: (out: TextBuffer) => Promise<void>): Promise<string> {
  const out = new TextBuffer();
  await write(out);
  return out.text;
}

const MIXED = [
  ['n', 'BIGINT'],
  ['t', 'VARCHAR'],
] as const;

describe('a query result', () => {
  it('as a table shows NULL and the number of rows', async () => {
    const result = resultOf(MIXED, [[9007199254740993n, 'a']], [], [[null, null]]);
    expect(await textOf((out) => writeTable(out, result, 80))).toBe(
      [
        '               n  t',
        '────────────────  ────',
        '9007199254740993  a',
        '            NULL  NULL',
        '(2 rows)',
        '',
      ].join('\n'),
    );
  });

  it('as a table stops at what can be read', async () => {
    const rows = Array.from({ length: 800 }, (_, n) => [n, 'x']);
    const text = await textOf((out) => writeTable(out, resultOf(MIXED, rows), 80));
    expect(text.split('\n')).toHaveLength(504);
    expect(text).toContain('(500 of 800 rows; --format csv has all)');
  });

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
