import { describe, expect, it } from 'vitest';
import { type ParamSpecs, parseParams, resolveParams } from '../src/workflow/definition/params.ts';

const specs: ParamSpecs = {
  from: { type: 'day', meaning: 'the first day' },
  days: { type: 'number', meaning: 'how many', default: 7 },
  filter: { type: 'text', meaning: 'a query', default: null },
  repair: { type: 'boolean', meaning: 'repair what differs', default: false },
};

describe('assignments', () => {
  it('become values of their types', () => {
    expect(parseParams(specs, ['from=2026-11-01', 'days=1.5e1', 'filter=a=b', 'repair=true'])).toEqual({
      from: '2026-11-01',
      days: 15,
      filter: 'a=b',
      repair: true,
    });
    expect(parseParams(specs, ['filter='])).toEqual({ filter: '' });
  });

  it.each([
    ['days', '--param: expected name=value, found "days"', null],
    ['=3', '--param: expected name=value, found "=3"', null],
    ['day=3', 'the pipeline has no parameter "day"', 'Did you mean days? Its parameters: from, days, filter, repair.'],
    ['toString=3', 'the pipeline has no parameter "toString"', 'Its parameters: from, days, filter, repair.'],
    ['days=', 'the parameter days: expected a number, found ""', 'Give it as --param days=7.'],
    ['days=many', 'the parameter days: expected a number, found "many"', 'Give it as --param days=7.'],
    ['days=Infinity', 'the parameter days: expected a number, found "Infinity"', 'Give it as --param days=7.'],
    [
      'from=2026-02-30',
      'the parameter from: expected a day, YYYY-MM-DD, found "2026-02-30"',
      'Give it as --param from=2026-11-21.',
    ],
    ['repair=yes', 'the parameter repair: expected true or false, found "yes"', 'Give it as --param repair=true.'],
  ])('are refused: %s', (assignment, message, hint) => {
    expect(() => parseParams(specs, [assignment])).toThrow(expect.objectContaining({ code: 'USAGE', message, hint }));
  });

  it('must not repeat themselves', () => {
    expect(() => parseParams(specs, ['days=1', 'days=2'])).toThrow('--param days is given twice');
  });
});

describe('the params of a run', () => {
  it('are what is given, and defaults for the rest', () => {
    const params = resolveParams(specs, { from: '2026-11-01', filter: null });
    expect(params).toEqual({ from: '2026-11-01', days: 7, filter: null, repair: false });
    expect(Object.isFrozen(params)).toBe(true);
  });

  it.each([
    [{}, 'the parameter from (the first day) is not given'],
    [{ from: null }, 'the parameter from: expected a day, YYYY-MM-DD, found "null"'],
    [{ from: '2026-11-01', days: '3' }, 'the parameter days: expected a number, found "3"'],
    [{ from: '2026-11-01', dais: 3 }, 'the pipeline has no parameter "dais"'],
  ])('are checked: %j', (given, message) => {
    expect(() => resolveParams(specs, given)).toThrow(expect.objectContaining({ code: 'USAGE', message }));
  });
});
