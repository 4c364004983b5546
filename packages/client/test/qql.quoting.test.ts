import { EdrlakeError, type EventQuery, NO_FILTER, timeRange } from '@edrlake/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DOCUMENTED_TOKENS, quoteValue, windowQql } from '../src/index.ts';

const DAY = timeRange(Date.UTC(2020, 7, 17), Date.UTC(2020, 7, 18));
const QUERY: EventQuery = { axis: 'event', range: DAY, cuts: [], scope: NO_FILTER };
const RANGE = "(event.dateTime : ['2020-08-17T00:00:00.000Z' .. '2020-08-17T23:59:59.999Z'])";

const filterOf = (part: Partial<EventQuery>, tokens = DOCUMENTED_TOKENS) => windowQql({ ...QUERY, ...part }, tokens);
const withFilter = (filter: string) => filterOf({ scope: { filter, state: null } });

/** The rest of a filter without its quoted text; null when a quote does not close. */
function withoutQuoted(filter: string): string | null {
  let rest = filter;
  let outside = '';
  for (let match = /['"`]/.exec(rest); match !== null; match = /['"`]/.exec(rest)) {
    const endAt = rest.indexOf(match[0], match.index + 1);
    if (endAt === -1) return null;
    outside += rest.slice(0, match.index);
    rest = rest.slice(endAt + 1);
  }
  return outside + rest;
}

describe('a window’s filter', () => {
  it('holds the range in whole milliseconds, inclusive at both ends', () => {
    expect(filterOf({})).toBe(RANGE);
    const one = timeRange(DAY.startMs, DAY.startMs + 1);
    expect(filterOf({ range: one, axis: 'processed' })).toBe(
      "(event.eventProcessedTime : ['2020-08-17T00:00:00.000Z' .. '2020-08-17T00:00:00.000Z'])",
    );
  });

  it('uses the tokens of the platform', () => {
    const timeTokens = { event: 'event.datetime', processed: 'event.eventprocesstime' };
    const tokens = { timeTokens, typeToken: 'event.type', agentToken: 'agent.id' };
    const cuts = [
      { field: 'type', op: 'in', values: ['FILE'] },
      { field: 'agent', op: 'not-in', values: ['a', 'b'] },
    ] as const;
    expect(filterOf({ cuts }, tokens)).toBe(
      `${RANGE.replace('dateTime', 'datetime')} AND (event.type: 'FILE') AND (NOT (agent.id: 'a' OR agent.id: 'b'))`,
    );
  });

  it('keeps the user’s filter in parentheses of its own', () => {
    expect(withFilter("action: 'A' OR action: 'B'")).toBe(`${RANGE} AND (action: 'A' OR action: 'B')`);
    expect(withFilter('  ')).toBe(RANGE);
    expect(withFilter("indicator.score: [3 .. 9) AND file.name: 'a)b'")).toContain(
      'AND (indicator.score: [3 .. 9) AND',
    );
  });

  it('narrows by several values', () => {
    expect(filterOf({ cuts: [{ field: 'type', op: 'in', values: ['FILE', 'MUTEX'] }] })).toBe(
      `${RANGE} AND (type: 'FILE' OR type: 'MUTEX')`,
    );
    expect(filterOf({ cuts: [{ field: 'type', op: 'not-in', values: [] }] })).toBe(RANGE);
    expect(() => filterOf({ cuts: [{ field: 'type', op: 'in', values: [] }] })).toThrow(
      expect.objectContaining({ code: 'BUG' }),
    );
  });

  it.each(["a: 'x') OR (b: 'y'", '(a: 1', 'a: 1)', "a: 'x", 'a: "x', 'a: `x', ')('])(
    'refuses a filter that would escape its parentheses: %s',
    (filter) => {
      expect(() => withFilter(filter)).toThrow(expect.objectContaining({ code: 'FILTER_REJECTED' }));
    },
  );

  it('never lets anything escape the range, with any filter of the user', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('(', ')', "'", '"', '`', 'a', ' OR ', '[', ']') }), (filter) => {
        let whole: string;
        try {
          whole = withFilter(filter);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(EdrlakeError);
          return;
        }
        const rest = withoutQuoted(whole.slice(RANGE.length));
        let depth = 0;
        expect(rest).not.toBeNull();
        for (const [index, character] of [...(rest ?? '')].entries()) {
          if (character === '(') depth++;
          if (character === ')') depth--;
          if (depth === 0 && index >= ' AND ('.length) expect(index).toBe((rest ?? '').length - 1);
        }
        expect(depth).toBe(0);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a quoted value', () => {
  it('is read back unchanged, with any content', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.oneof(fc.constantFrom("'", '"', '`', '\\', ')', ' '), fc.string()) }),
        (value) => {
          const holdsAll = ["'", '"', '`'].every((quote) => value.includes(quote));
          if (holdsAll) {
            expect(() => quoteValue(value)).toThrow(expect.objectContaining({ code: 'FILTER_REJECTED' }));
            return;
          }
          const quoted = quoteValue(value);
          const quote = quoted[0] ?? '';
          expect(["'", '"', '`']).toContain(quote);
          // The first closing quote is the last character: no part of the value is read as query language.
          expect(quoted.indexOf(quote, 1)).toBe(quoted.length - 1);
          expect(quoted.slice(1, -1)).toBe(value);
        },
      ),
      { numRuns: 500 },
    );
  });
});
