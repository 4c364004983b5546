import { describe, expect, it } from 'vitest';
import { resultOf, textOf } from '../../lake/test/query-result.ts';
import { writeTable } from '../src/query/result-table.ts';

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
});
