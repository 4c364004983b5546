import { didYouMean, instantText, rangeFlagsText } from '@edrlake/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clockTimeText, percentText } from '../src/text/format-numbers.ts';
import { indentJson } from '../src/text/indent-json.ts';
import { tableText } from '../src/text/table-text.ts';
import { displayWidth, oneLine, truncate, wrapWords } from '../src/text/text-width.ts';

describe('quantities', () => {
  it('shows 100 % only when all is done', () => {
    expect([percentText(0, 0), percentText(999, 1_000), percentText(10, 10)]).toEqual(['100 %', '99 %', '100 %']);
  });

  it('shows times in UTC and dates only where they matter', () => {
    const at = Date.UTC(2020, 7, 17, 3, 12);
    expect(instantText(at)).toBe('2020-08-17T03:12:00Z');
    expect(instantText(at + 5)).toBe('2020-08-17T03:12:00.005Z');
    expect(clockTimeText(at, at - 1)).toBe('03:12:00Z');
    expect(clockTimeText(at, at - 86_400_000)).toBe('2020-08-17T03:12:00Z');
  });

  it('writes ranges as the flags that mean them', () => {
    const startMs = Date.UTC(2020, 7, 17);
    expect(rangeFlagsText({ startMs, endMs: startMs + 2 * 86_400_000 })).toBe('--from 2020-08-17 --to 2020-08-18');
    expect(rangeFlagsText({ startMs, endMs: startMs + 1 })).toBe(
      '--from 2020-08-17T00:00:00Z --to 2020-08-17T00:00:00.001Z',
    );
  });
});

describe('tables', () => {
  it('align, and cut the widest column first', () => {
    const columns = [{ title: 'name' }, { title: 'n', align: 'right' as const }];
    expect(
      tableText(
        columns,
        [
          ['a', '1,000'],
          ['bb', '2'],
        ],
        80,
      ),
    ).toBe('name      n\n────  ─────\na     1,000\nbb        2');
    const wide = tableText(columns, [['x'.repeat(60), '1']], 40);
    for (const line of wide.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(40);
    expect(wide).toContain('…');
  });

  it('never let delivered text move the cursor', () => {
    expect(oneLine('a\u001b[2Jb\n\u202ec')).toBe('a\\u001b[2Jb\\n\\u202ec');
  });

  it('fit their width for any text', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.string())), (rows) => {
        const text = tableText([{ title: 'first' }, { title: 'second' }], rows, 40);
        for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(40);
        expect(text.split('\n')).toHaveLength(rows.length + 2);
      }),
    );
  });
});

describe('text', () => {
  it('is measured in cells', () => {
    expect([
      displayWidth('abc'),
      displayWidth('日本'),
      displayWidth('e\u0301'),
      displayWidth('\u001b[1mx\u001b[0m'),
    ]).toEqual([3, 4, 1, 1]);
    expect(truncate('日本語', 5)).toBe('日本…');
  });

  it('wraps between words', () => {
    expect(wrapWords('one two three', 8)).toEqual(['one two', 'three']);
    expect(wrapWords('extraordinary', 4)).toEqual(['extraordinary']);
    // A command stays whole: else it is neither recognised nor pasted.
    expect(wrapWords('not in it; run: edrlake index', 24)).toEqual(['not in it; run:', 'edrlake index']);
    expect(wrapWords('run: npx edrlake publish delta --lake x', 25)).toEqual([
      'run:',
      'npx edrlake publish delta',
      '--lake x',
    ]);
  });

  it('is indented as JSON without touching a value', () => {
    expect(indentJson('{"id":9007199254740993,"a":[],"t":"x, {y}: \\"z\\"","n":[1.50,null]}')).toBe(
      '{\n  "id": 9007199254740993,\n  "a": [],\n  "t": "x, {y}: \\"z\\"",\n  "n": [\n    1.50,\n    null\n  ]\n}',
    );
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(JSON.parse(indentJson(text))).toEqual(JSON.parse(text));
      }),
    );
  });
});

describe('did you mean', () => {
  const names = ['backfill', 'plan', 'page-size', 'platform', 'count'];
  it.each([
    ['bakcfill', 'backfill'],
    ['plna', 'plan'],
    ['pagesize', 'page-size'],
    ['plat', 'plan'],
    ['platf', 'platform'],
    ['PLAN', 'plan'],
    ['zzzzzz', null],
  ])('%s: %s', (typed, meant) => {
    expect(didYouMean(typed, names)).toBe(meant);
  });
});
