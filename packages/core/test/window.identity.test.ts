import { type EventQuery, NO_FILTER, windowOf } from '@edrlake/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const query: fc.Arbitrary<EventQuery> = fc.record({
  axis: fc.constantFrom('event' as const, 'processed' as const),
  range: fc.integer({ min: 0, max: 3 }).map((startMs) => ({ startMs, endMs: startMs + 1 })),
  cuts: fc.array(
    fc.record({
      field: fc.constantFrom('type' as const, 'agent' as const),
      op: fc.constantFrom('in' as const, 'not-in' as const),
      values: fc.uniqueArray(fc.constantFrom('a', 'b', 'a,b'), { maxLength: 2 }),
    }),
    { maxLength: 1 },
  ),
  scope: fc.record({ filter: fc.constantFrom(null, 'a:b'), state: fc.constantFrom(null, true, false) }),
});

describe('a window id', () => {
  it('is the same for the same query and differs for any other', () => {
    fc.assert(
      fc.property(query, query, (a, b) => {
        const same = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
        expect(windowOf(a).id === windowOf(b).id).toBe(same);
      }),
      { numRuns: 2_000 },
    );
  });

  it('does not change from release to release: spools and proofs are found by it', () => {
    const window = windowOf({
      axis: 'event',
      range: { startMs: 1_597_622_400_000, endMs: 1_597_708_800_000 },
      cuts: [],
      scope: NO_FILTER,
    });
    expect(window.id).toBe('e1597622400000-2714be42e5aaf931');
  });
});

function sorted({ axis, range, cuts, scope }: EventQuery): unknown {
  return [
    axis,
    range.startMs,
    range.endMs,
    cuts.map((cut) => [cut.field, cut.op, [...cut.values].sort()]),
    scope.filter,
    scope.state,
  ];
}
