import { QUALYS_EDR } from '@edrlake/datasets';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OCSF_VERSIONS } from '../src/index.ts';
import { roundTrip } from './lossless.ts';
import { drawing, randomRows } from './random-lake.ts';

const NONE = { missing: 0, invented: 0 };

test.each(OCSF_VERSIONS)(
  'OCSF %s: 10,000 random events come back as they were',
  async (version) => {
    const anySeed = fc.integer({ min: 1, max: 2 ** 31 - 1 });
    const holds = fc.asyncProperty(anySeed, async (seed) => {
      expect(await roundTrip(QUALYS_EDR, version, randomRows(QUALYS_EDR, 10_000, drawing(seed)))).toMatchObject({
        published: 10_000,
        wrong: 0,
        differences: { events: NONE, certificates: NONE, indicators: NONE, interfaces: NONE, asset_tags: NONE },
      });
    });
    await fc.assert(holds, { numRuns: 1 });
  },
  300_000,
);
