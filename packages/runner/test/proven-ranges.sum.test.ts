import { type WindowProof, windowOf } from '@edrlake/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { provenRanges } from '../src/export/prove-window.ts';

const SCOPES = [
  { filter: null, state: null },
  { filter: 'type: FILE', state: null },
] as const;

const range = fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 10 })).map(([startMs, ms]) => ({
  ...{ startMs, endMs: startMs + ms },
}));

const proof = fc
  .record({
    range,
    axis: fc.constantFrom('event' as const, 'processed' as const),
    scope: fc.constantFrom(...SCOPES),
    verdict: fc.constantFrom('proven' as const, 'mismatch' as const),
    distinct: fc.nat(5),
  })
  .map(({ verdict, distinct, ...query }): WindowProof => {
    const counts = { counted: distinct, fetched: distinct, distinct, rejected: 0, perDay: {}, rejectedPerDay: {} };
    return { window: windowOf({ ...query, cuts: [] }), verdict, ...counts, verifiedAtMs: 1 };
  });

test('adds up the events of exactly the proven windows of the scope that are inside the range', () => {
  fc.assert(
    fc.property(
      fc.array(proof, { maxLength: 40 }),
      fc.array(range, { minLength: 1, maxLength: 5 }),
      (proofs, asked) => {
        const proven = provenRanges(proofs);
        for (const scope of SCOPES) {
          for (const { startMs, endMs } of asked) {
            const inside = proofs.filter(
              ({ verdict, window }) =>
                verdict === 'proven' &&
                window.axis === 'event' &&
                window.scope === scope &&
                window.range.startMs >= startMs &&
                window.range.endMs <= endMs,
            );
            const events = inside.reduce((sum, { distinct }) => sum + distinct, 0);
            expect(proven.eventsIn({ startMs, endMs }, scope)).toBe(events);
          }
        }
      },
    ),
  );
});
