import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FilterNode, parseFilter } from '../src/query/filter-language.ts';
import { isFilterProblem } from '../src/query/filter-lexer.ts';

const test = (token: string, condition: Extract<FilterNode, { kind: 'test' }>['condition']): FilterNode => ({
  kind: 'test',
  token,
  condition,
});
const equals = (token: string, value: string) => test(token, { kind: 'equals', value });

describe('the query language', () => {
  it.each([
    ['type:file', equals('type', 'file')],
    ["action : 'Created'", equals('action', 'Created')],
    ['action:"a \'quoted\' word"', equals('action', "a 'quoted' word")],
    ['file.name:`x"y`', equals('file.name', 'x"y')],
    ["registry.key: 'HKLM\\SYSTEM'", equals('registry.key', 'HKLM\\SYSTEM')],
    ["file.path: 'C:\\Temp\\'", equals('file.path', 'C:\\Temp\\')],
    ['event.dateTime: 2020-08-17T01:02:03Z', equals('event.dateTime', '2020-08-17T01:02:03Z')],
    ['indicator.score>5', test('indicator.score', { kind: 'compare', operator: '>', value: '5' })],
    ['indicator.score: >= 5', test('indicator.score', { kind: 'compare', operator: '>=', value: '5' })],
    ['process.pid:[1..5]', test('process.pid', { kind: 'range', low: '1', high: '5', inclusive: true })],
    ['process.pid : (1 .. 5)', test('process.pid', { kind: 'range', low: '1', high: '5', inclusive: false })],
    ["type: [FILE, 'MUTEX']", test('type', { kind: 'one-of', values: ['FILE', 'MUTEX'] })],
  ])('reads %s', (text, expected) => {
    expect(parseFilter(text)).toEqual(expected);
  });

  it('binds NOT before AND before OR, and parentheses before all', () => {
    const [a, b, c] = [equals('a', '1'), equals('b', '2'), equals('c', '3')];
    expect(parseFilter('a:1 OR NOT b:2 AND c:3')).toEqual({
      kind: 'or',
      parts: [a, { kind: 'and', parts: [{ kind: 'not', part: b }, c] }],
    });
    expect(parseFilter('NOT (a:1 or b:2) and c:3')).toEqual({
      kind: 'and',
      parts: [{ kind: 'not', part: { kind: 'or', parts: [a, b] } }, c],
    });
  });

  it.each([
    '',
    'type',
    'type:',
    'type:file type:mutex',
    '(type:file',
    "a:'x",
    'a:[1 .. 2)',
    'a:[1',
    'a:(1)',
    'AND a:1',
    'a:1 AND',
    'a:1)',
    'a==1',
  ])('refuses %j', (text) => {
    expect(isFilterProblem(parseFilter(text))).toBe(true);
  });

  it('parses the text of any tree back to the tree', () => {
    const value = fc.stringMatching(/^[\w .:\\"`()[\],<>-]{1,12}$/).filter((text) => text.trim() !== '');
    const quoted = (text: string) => `'${text}'`;
    const { node } = fc.letrec<{ node: FilterNode }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 4, depthSize: 'small' },
        fc.tuple(fc.constantFrom('type', 'file.name', 'x.y'), value).map(([token, text]) => equals(token, text)),
        fc
          .tuple(value, value, fc.boolean())
          .map(([low, high, inclusive]) => test('t', { kind: 'range', low, high, inclusive })),
        tie('node').map((part): FilterNode => ({ kind: 'not', part })),
        fc
          .tuple(fc.constantFrom('and' as const, 'or' as const), fc.array(tie('node'), { minLength: 2, maxLength: 3 }))
          .map(([kind, parts]): FilterNode => ({ kind, parts })),
      ),
    }));
    const write = (tree: FilterNode): string => {
      if (tree.kind === 'not') return `NOT (${write(tree.part)})`;
      if (tree.kind !== 'test')
        return tree.parts.map((part) => `(${write(part)})`).join(` ${tree.kind.toUpperCase()} `);
      const { token, condition } = tree;
      if (condition.kind === 'equals') return `${token}: ${quoted(condition.value)}`;
      if (condition.kind !== 'range') return '';
      const [open, close] = condition.inclusive ? ['[', ']'] : ['(', ')'];
      return `${token} : ${open}${quoted(condition.low)} .. ${quoted(condition.high)}${close}`;
    };
    fc.assert(
      fc.property(node, (tree) => {
        expect(parseFilter(write(tree))).toEqual(tree);
      }),
    );
  });

  it('never throws, for any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseFilter(text);
      }),
    );
    expect(isFilterProblem(parseFilter('('.repeat(50_000)))).toBe(true);
    expect(isFilterProblem(parseFilter('NOT '.repeat(50_000)))).toBe(true);
  });
});
